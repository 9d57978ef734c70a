/**
 * GGUF files: the header through @huggingface/gguf, which has limits of its own; tensors from disk one at a
 * time, dequantised.
 *
 * Dims are given row-major, the slowest first, as in the other formats (GGUF writes the fastest first).
 * Quantised tensors count as F32. Reads F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K;
 * others are refused by name where they are.
 */
import { allocate, bytesOf, bytesPerElement, type Dtype, elementCount, type RawTensor } from "../dtypes.ts";
import { quoted, saidBy } from "../quoted.ts";
import { type ByteSource, RandomAccessFile } from "../random_access_file.ts";
import { type Place, placeIn, type TensorFile, tensorNames } from "../safetensors.ts";
import { dequantise, type Quantisation, QUANTISATIONS } from "./dequantise.ts";

/** Types of whole numbers and floats, by their number in ggml.h. */
const PLAIN: Readonly<Record<number, Dtype>> = {
  0: "F32",
  1: "F16",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  30: "BF16",
};
const MOST_TENSORS = 100_000;
/** Blocks that are dequantised at once. */
const PIECE_BLOCKS = 1 << 14;

export interface GgufTensor {
  dims: number[];
  /** As it is read. */
  dtype: Dtype;
  quantisation?: Quantisation;
  /** Byte range in the file. */
  offset: number;
  bytes: number;
}

/** Values of the header by key: texts, numbers (64-bit ones as bigint), flags, and lists of these. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

export class GgufFile implements TensorFile {
  private constructor(
    private readonly source: ByteSource,
    readonly metadata: GgufMetadata,
    readonly tensors: ReadonlyMap<string, GgufTensor>,
  ) {}

  get path(): string {
    return this.source.path;
  }

  /** @throws when the file is no GGUF file, or names a tensor that it does not hold or that cannot be read */
  static async open(path: string): Promise<GgufFile> {
    return await GgufFile.from(await RandomAccessFile.open(path));
  }

  /** As {@linkcode open}, over any source of bytes, which is closed when the header is refused. */
  static async from(source: ByteSource): Promise<GgufFile> {
    try {
      const { metadata, tensors } = await readHeader(source);
      return new GgufFile(source, metadata, tensors);
    } catch (error) {
      source.close();
      throw new Error(`${source.path} cannot be read as GGUF: ${saidBy(error)}`, { cause: error });
    }
  }

  async read(name: string): Promise<RawTensor> {
    const tensor = this.tensors.get(name);
    if (!tensor) {
      throw new Error(
        `${this.path} holds no tensor ${quoted(name)}. It holds: ${tensorNames(this.tensors)}.`,
      );
    }
    const { dims, dtype, quantisation, offset, bytes } = tensor;
    const data = allocate(dtype, elementCount(dims));
    if (!quantisation) await this.source.readInto(offset, bytesOf(data));
    else {
      const piece = new Uint8Array(Math.min(bytes, PIECE_BLOCKS * quantisation.bytes));
      for (let at = 0, to = 0; at < bytes; at += piece.length) {
        const part = piece.subarray(0, Math.min(piece.length, bytes - at));
        await this.source.readInto(offset + at, part);
        dequantise(quantisation, part, data as Float32Array, to);
        to += part.length / quantisation.bytes * quantisation.weights;
      }
    }
    return { dims: [...dims], dtype, data };
  }

  /** Quantised tensors have none: they are float32 arrays in memory. */
  place(name: string): Place | undefined {
    const tensor = this.tensors.get(name);
    return tensor && !tensor.quantisation ? placeIn(this.source, tensor.dtype, tensor.offset) : undefined;
  }

  close(): void {
    this.source.close();
  }
}

async function readHeader(source: ByteSource) {
  const { gguf } = await import("@huggingface/gguf");
  // The library asks for ranges, always some way ahead. The address is never asked for.
  const ranges = async (_url: unknown, init?: { headers?: unknown }) => {
    const [, from] = /bytes=(\d+)-/.exec((init?.headers as { Range: string }).Range) ?? [];
    const [start, end] = [Number(from), Math.min(source.size, Number(from) + 2_000_000)];
    if (start > source.size + 2_000_000) throw new Error("its header reaches over its end.");
    const bytes = new Uint8Array(Math.max(0, end - start));
    await source.readInto(Math.min(start, source.size), bytes);
    return new Response(bytes, { headers: { "Content-Range": `bytes ${start}-${end}/${source.size}` } });
  };
  const header = await gguf("https://file.invalid/a.gguf", { fetch: ranges as typeof fetch });
  if (!header.littleEndian) throw new Error("it is big-endian; only little-endian files are read.");
  if (header.tensorInfos.length === 0 || header.tensorInfos.length > MOST_TENSORS) {
    throw new Error(`it names ${header.tensorInfos.length} tensors.`);
  }
  const start = Number(header.tensorDataOffset);
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, dtype, offset } of header.tensorInfos) {
    if (name === "" || tensors.has(name)) {
      throw new Error(`tensor ${quoted(name)} is there twice, or has no name.`);
    }
    tensors.set(name, place(name, shape.map(Number).reverse(), dtype, start + Number(offset), source.size));
  }
  return { metadata: header.metadata as unknown as GgufMetadata, tensors };
}

function place(name: string, dims: number[], type: number, offset: number, fileBytes: number): GgufTensor {
  const quantisation = QUANTISATIONS[type];
  const dtype = quantisation ? "F32" : PLAIN[type];
  if (dtype === undefined) {
    const read = ["F32", "F16", "BF16", ...Object.values(QUANTISATIONS).map((kind) => kind.name)];
    throw new Error(`tensor ${quoted(name)} has the type ${type} of ggml.h; read are ${read.join(", ")}.`);
  }
  const count = elementCount(dims);
  const row = dims.at(-1) ?? 1;
  if (quantisation && row % quantisation.weights !== 0) {
    throw new Error(
      `tensor ${quoted(name)} [${dims}] has rows that are no whole blocks of ${quantisation.weights}.`,
    );
  }
  const bytes = quantisation
    ? count / quantisation.weights * quantisation.bytes
    : count * bytesPerElement(dtype);
  if (!(Number.isSafeInteger(count) && dims.length > 0 && offset + bytes <= fileBytes)) {
    throw new Error(`tensor ${quoted(name)} [${dims}] lies outside the file. Was it truncated?`);
  }
  return { dims, dtype, ...(quantisation ? { quantisation } : {}), offset, bytes };
}
