/**
 * Reader of safetensors files: the header is checked completely, tensors are read one at a time straight from
 * disk.
 *
 * Format: 8 bytes, the header's length (little-endian u64); the header, JSON: name → {dtype, shape,
 * data_offsets [begin, end)}, with an optional `__metadata__` of strings; then the tensors' bytes, row-major,
 * without gaps or overlaps. Source: the format's description in the safetensors repository; every rule it
 * states is enforced, since a file comes from anyone. Does not read float8 or other sub-byte types.
 */
import {
  allocate,
  bytesOf,
  bytesPerElement,
  type Dtype,
  dtypeNames,
  isDtype,
  type RawTensor,
} from "./dtypes.ts";
import type { StoredValues } from "../tensor/node.ts";
import { duplicateKeys } from "./json_keys.ts";
import { quoted, shown } from "./quoted.ts";
import { type ByteSource, RandomAccessFile } from "./random_access_file.ts";

/**
 * 100,000 tensors have a header of some 10 MB, and no file has so many. The format itself allows 100 MB; a
 * header of 20 MB took a minute and 1.3 GB.
 */
const maxHeaderBytes = 16 * 1024 * 1024;
const maxTensors = 100_000;
const maxDims = 16;

/** Where a tensor lies in its file. */
export interface TensorInfo {
  name: string;
  dtype: Dtype;
  dims: number[];
  /** Byte offset in the file. */
  offset: number;
  bytes: number;
}

/** A file of named tensors, whatever its format. */
export interface TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, { dtype: Dtype; dims: number[] }>;
  /** Reads one tensor as it is stored. Throws for a name that the file does not hold. */
  read(name: string): Promise<RawTensor>;
  /** Where a tensor's values lie as floats, row-major, in a file on disk. Undefined where they do not. */
  place?(name: string): Place | undefined;
  close(): void;
}

/** Where values lie. */
export interface Place {
  values: StoredValues;
  /** Rows stand in another order: which of the stored ones is row i. */
  row?: (i: number) => number;
}

/** The place of values of a type at an offset of a source, as far as they are floats on disk. */
export function placeIn(source: ByteSource, dtype: Dtype, offset: number): Place | undefined {
  const type = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;
  if (!(dtype in type) || !source.onDisk) return undefined;
  return { values: { file: source.onDisk(), offset, type: type[dtype as keyof typeof type] } };
}

export class SafetensorsFile implements TensorFile {
  private constructor(
    private readonly source: ByteSource,
    readonly tensors: ReadonlyMap<string, TensorInfo>,
    /** The strings of `__metadata__`. */
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  get path(): string {
    return this.source.path;
  }

  /** Opens a file and checks its header. @throws when the file breaks any rule of the format. */
  static async open(path: string): Promise<SafetensorsFile> {
    return await SafetensorsFile.from(await RandomAccessFile.open(path));
  }

  /** As {@linkcode open}, over any source of bytes, which is closed when the header is refused. */
  static async from(source: ByteSource): Promise<SafetensorsFile> {
    try {
      const { tensors, metadata } = await readHeader(source);
      return new SafetensorsFile(source, tensors, metadata);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  async read(name: string): Promise<RawTensor> {
    const info = this.tensors.get(name);
    if (!info) {
      throw new Error(
        `${this.path} holds no tensor ${quoted(name)}. It holds: ${tensorNames(this.tensors)}.`,
      );
    }
    const data = allocate(info.dtype, info.bytes / bytesPerElement(info.dtype));
    await this.source.readInto(info.offset, bytesOf(data));
    return { dims: [...info.dims], dtype: info.dtype, data };
  }

  place(name: string): Place | undefined {
    const info = this.tensors.get(name);
    return info && placeIn(this.source, info.dtype, info.offset);
  }

  close(): void {
    this.source.close();
  }
}

/** The first few names of a file, for error messages. */
export function tensorNames(tensors: ReadonlyMap<string, unknown>): string {
  const names = [...tensors.keys()];
  const rest = names.length - 6;
  return names.length === 0
    ? "nothing"
    : names.slice(0, 6).map((name) => shown(name)).join(", ") + (rest > 0 ? `, and ${rest} more` : "");
}

async function readHeader(source: ByteSource) {
  const refuse = (what: string): never => {
    throw new Error(`${source.path} is not a valid safetensors file: ${what}`);
  };
  if (source.size < 10) {
    refuse(`it has ${source.size} bytes, and 10 is the least (length and an empty header).`);
  }
  const start = new Uint8Array(8);
  await source.readInto(0, start);
  const declared = new DataView(start.buffer).getBigUint64(0, true);
  if (declared > BigInt(maxHeaderBytes)) {
    refuse(`its header claims ${declared} bytes, more than the limit of ${maxHeaderBytes}.`);
  }
  const headerBytes = Number(declared);
  const dataStart = 8 + headerBytes;
  if (dataStart > source.size) {
    refuse(`its header claims ${headerBytes} bytes, but the file has only ${source.size}. Was it truncated?`);
  }
  const bytes = new Uint8Array(headerBytes);
  await source.readInto(8, bytes);
  if (bytes[0] !== 0x7b) refuse("its header does not begin with '{'.");
  let header: unknown;
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    refuse(`its header is not JSON in UTF-8 (${shown((error as Error).message)}).`);
  }
  const repeated = duplicateKeys(text);
  if (repeated.length) refuse(`its header names ${shown(repeated[0])} twice.`);
  const entries = Object.entries(header as Record<string, unknown>);
  if (entries.length > maxTensors) {
    refuse(`its header names ${entries.length} tensors, more than ${maxTensors}.`);
  }
  const tensors: TensorInfo[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of entries) {
    if (name === "__metadata__") metadata = checkMetadata(entry, refuse);
    else tensors.push(checkEntry(name, entry, dataStart, source.size, refuse));
  }
  checkContiguous(tensors, dataStart, source.size, refuse);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function checkMetadata(entry: unknown, refuse: (what: string) => never): Record<string, string> {
  const isObject = typeof entry === "object" && entry !== null && !Array.isArray(entry);
  if (!isObject || !Object.values(entry).every((value) => typeof value === "string")) {
    refuse("__metadata__ must map strings to strings.");
  }
  return entry as Record<string, string>;
}

function checkEntry(
  name: string,
  entry: unknown,
  dataStart: number,
  fileSize: number,
  refuse: (what: string) => never,
): TensorInfo {
  const { dtype, shape, data_offsets } = (entry ?? {}) as Record<string, unknown>;
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isDtype(dtype)) {
    return refuse(`tensor ${quoted(name)} has dtype ${quoted(dtype)}; known are ${dtypeNames.join(", ")}.`);
  }
  if (!Array.isArray(shape) || shape.length > maxDims || !shape.every(count)) {
    return refuse(`tensor ${quoted(name)} has shape ${quoted(shape)}; a list of whole numbers was expected.`);
  }
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(count)) {
    return refuse(
      `tensor ${quoted(name)} has data_offsets ${quoted(data_offsets)}; [begin, end] was expected.`,
    );
  }
  const [begin, end] = data_offsets as [number, number];
  if (end < begin) return refuse(`tensor ${quoted(name)} ends (${end}) before it begins (${begin}).`);
  if (dataStart + end > fileSize) {
    return refuse(
      `tensor ${quoted(name)} ends at byte ${
        dataStart + end
      }, but the file has only ${fileSize}. Was it truncated?`,
    );
  }
  const bytes = (shape as number[]).reduce((product, dim) => product * dim, bytesPerElement(dtype));
  if (bytes !== end - begin) {
    return refuse(
      `tensor ${quoted(name)}: ${dtype} ${quoted(shape)} needs ${bytes} bytes, it is given ${end - begin}.`,
    );
  }
  return { name, dtype, dims: shape as number[], offset: dataStart + begin, bytes };
}

function checkContiguous(
  tensors: TensorInfo[],
  dataStart: number,
  fileSize: number,
  refuse: (what: string) => never,
) {
  let position = dataStart;
  for (
    const { name, offset, bytes } of [...tensors].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)
  ) {
    if (offset < position) refuse(`tensor ${quoted(name)} overlaps the one before it.`);
    if (offset > position) {
      refuse(`${offset - position} bytes before tensor ${quoted(name)} belong to no tensor.`);
    }
    position = offset + bytes;
  }
  if (position !== fileSize) refuse(`${fileSize - position} bytes at its end belong to no tensor.`);
}
