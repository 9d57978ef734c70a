/**
 * Writes PyTorch checkpoints as `torch.save(state_dict, path)` does, for tests: zip64 archive of stored
 * records that begin at multiples of 64 bytes, sizes in data descriptors, a pickle of protocol 2 with an
 * OrderedDict of tensors over storages.
 *
 * The format was checked against PyTorch 2.15 (`torch.load(…, weights_only=True)` gives back every tensor).
 * Tensors are asked for one at a time, so that a model of any size can be written to disk without being in
 * memory.
 */
import { crc32 } from "node:zlib";
import {
  bytesOf,
  bytesPerElement,
  type Dtype,
  elementCount,
  type TypedArray,
} from "../../lib/checkpoints/dtypes.ts";

export interface TorchEntry {
  dtype: Dtype;
  dims: number[];
  /** The elements of the tensor's storage: as many as `dims` say, unless `storageElements` says otherwise. */
  data: TypedArray | (() => TypedArray);
  /** For a view of a storage. Default: row-major. */
  strides?: number[];
  offset?: number;
  storageElements?: number;
  /** Shares the storage of an earlier entry of this name; `data` is not read then. */
  sharedWith?: string;
}

const storageNames: Partial<Record<Dtype, string>> = {
  F64: "DoubleStorage",
  F32: "FloatStorage",
  F16: "HalfStorage",
  BF16: "BFloat16Storage",
  I64: "LongStorage",
  I32: "IntStorage",
  I16: "ShortStorage",
  I8: "CharStorage",
  U8: "ByteStorage",
  BOOL: "BoolStorage",
};

/** A growing list of bytes. */
export class Bytes {
  #bytes: number[] = [];
  /** Unsigned little-endian integer of `width` bytes. */
  int(value: number, width: number): this {
    for (let i = 0; i < width; i++) this.#bytes.push(Math.floor(value / 2 ** (8 * i)) % 256);
    return this;
  }
  op(...codes: (number | string)[]): this {
    for (const code of codes) this.#bytes.push(typeof code === "string" ? code.charCodeAt(0) : code);
    return this;
  }
  raw(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }
  ascii(text: string): this {
    return this.raw(new TextEncoder().encode(text));
  }
  get length(): number {
    return this.#bytes.length;
  }
  done(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes);
  }
}

/** The pickle of a state dict, with PyTorch's use of the memo for what repeats. */
export function stateDictPickle(entries: Record<string, TorchEntry>): Uint8Array<ArrayBuffer> {
  const out = new Bytes();
  const memo = new Map<string, number>();
  const remembered = (key: string, write: () => void) => {
    const index = memo.get(key);
    if (index !== undefined) return out.op("h").int(index, 1); // BINGET
    write();
    memo.set(key, memo.size);
    return out.op("q").int(memo.size - 1, 1); // BINPUT
  };
  const global = (module: string, name: string) =>
    remembered(`global ${name}`, () => out.op("c").ascii(`${module}\n${name}\n`));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    return out.op("X").int(bytes.length, 4).raw(bytes); // BINUNICODE
  };
  const number = (value: number) => {
    if (value < 256) out.op("K").int(value, 1); // BININT1
    else if (value < 65536) out.op("M").int(value, 2); // BININT2
    else if (value < 2 ** 31) out.op("J").int(value, 4); // BININT
    else out.op(0x8a, 8).int(value, 8); // LONG1
  };
  const numbers = (values: number[]) => {
    if (values.length === 0) return out.op(")");
    if (values.length > 3) out.op("(");
    values.forEach(number);
    return out.op(values.length > 3 ? "t" : 0x84 + values.length);
  };
  out.op(0x80, 2);
  global("collections", "OrderedDict").op(")", "R", "(");
  for (const [name, entry] of Object.entries(entries)) {
    text(name);
    global("torch._utils", "_rebuild_tensor_v2").op("(", "(");
    remembered("storage", () => text("storage"));
    global("torch", storageNames[entry.dtype]!);
    text(String(storageKey(entries, name)));
    remembered("cpu", () => text("cpu"));
    number(storageElements(entries[entry.sharedWith ?? name]));
    out.op("t", "Q"); // BINPERSID
    number(entry.offset ?? 0);
    numbers(entry.dims);
    numbers(entry.strides ?? entry.dims.map((_, axis) => elementCount(entry.dims.slice(axis + 1))));
    out.op(0x89); // requires_grad = False
    global("collections", "OrderedDict").op(")", "R", "t", "R");
  }
  out.op("u", "}"); // SETITEMS; then the attribute _metadata, as Module.state_dict() sets it
  text("_metadata");
  global("collections", "OrderedDict").op(")", "R", "s", "b", ".");
  return out.done();
}

function storageElements(entry: TorchEntry): number {
  return entry.storageElements ?? elementCount(entry.dims);
}

function storageKey(entries: Record<string, TorchEntry>, name: string): number {
  const own = Object.keys(entries).filter((other) => entries[other].sharedWith === undefined);
  return own.indexOf(entries[name].sharedWith ?? name);
}

/** The file, piece by piece. `pickle` replaces the state dict's own. */
export function* torchChunks(
  entries: Record<string, TorchEntry>,
  pickle?: Uint8Array,
): Generator<Uint8Array> {
  const directory = new Bytes();
  let [position, count] = [0, 0];
  function* record(name: string, bytes: Uint8Array): Generator<Uint8Array> {
    const path = new TextEncoder().encode(`archive/${name}`);
    const header = position;
    const padding = (64 - (position + 30 + path.length + 4) % 64) % 64;
    const local = new Bytes().int(0x04034b50, 4).int(0, 2).int(0x808, 2).int(0, 2 + 4 + 4 + 4 + 4);
    local.int(path.length, 2).int(4 + padding, 2).raw(path).ascii("FB").int(padding, 2).ascii(
      "Z".repeat(padding),
    );
    const crc = crc32(bytes);
    const after = new Bytes().int(0x08074b50, 4).int(crc, 4).int(bytes.length, 4).int(bytes.length, 4);
    yield local.done();
    yield bytes;
    yield after.done();
    position += local.length + bytes.length + after.length;
    count++;
    directory.int(0x02014b50, 4).int(0, 4).int(0x808, 2).int(0, 2 + 4).int(crc, 4).int(bytes.length, 4);
    directory.int(bytes.length, 4).int(path.length, 2).int(0, 2 + 2 + 2 + 2 + 4).int(header, 4).raw(path);
  }
  yield* record("data.pkl", pickle ?? stateDictPickle(entries));
  yield* record("byteorder", new TextEncoder().encode("little"));
  for (const [name, entry] of Object.entries(entries)) {
    if (entry.sharedWith !== undefined) continue;
    const data = typeof entry.data === "function" ? entry.data() : entry.data;
    const expected = storageElements(entry);
    if (data.length !== expected || data.BYTES_PER_ELEMENT !== bytesPerElement(entry.dtype)) {
      throw new Error(
        `write_torch: "${name}" has ${data.length} elements, ${expected} of ${entry.dtype} were expected`,
      );
    }
    yield* record(`data/${storageKey(entries, name)}`, bytesOf(data));
  }
  yield* record("version", new TextEncoder().encode("3\n"));
  const end64 = position + directory.length;
  yield directory.done();
  yield new Bytes() // zip64 end record, its locator, end record
    .int(0x06064b50, 4).int(44, 8).int(0x31e, 2).int(45, 2).int(0, 4 + 4).int(count, 8).int(count, 8)
    .int(directory.length, 8).int(position, 8)
    .int(0x07064b50, 4).int(0, 4).int(end64, 8).int(1, 4)
    .int(0x06054b50, 4).int(0, 4).int(count, 2).int(count, 2).int(directory.length, 4).int(position, 4).int(
      0,
      2,
    )
    .done();
}

/** The whole file in memory. */
export function encodeTorch(
  entries: Record<string, TorchEntry>,
  pickle?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const chunks = [...torchChunks(entries, pickle)];
  const file = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    file.set(chunk, position);
    position += chunk.length;
  }
  return file;
}

/** Writes the file to disk, one tensor in memory at a time. */
export async function writeTorch(path: string, entries: Record<string, TorchEntry>): Promise<void> {
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  const writer = file.writable.getWriter();
  for (const chunk of torchChunks(entries)) await writer.write(chunk as Uint8Array<ArrayBuffer>);
  await writer.close();
}
