/**
 * PyTorch checkpoints (`torch.save(model.state_dict(), …)`): names, dims and types from the pickle, tensors
 * from disk one at a time. Nothing in the file is executed: the pickle may name only the functions and
 * classes listed here.
 *
 * A tensor is a view (offset, dims, strides) of a storage, a record `data/<key>` of the archive; several
 * tensors may share one. Reads dicts of tensors. Does not read whole pickled modules, sparse or quantised
 * tensors, or big-endian files.
 */
import {
  allocate,
  bytesOf,
  bytesPerElement,
  type Dtype,
  elementCount,
  type RawTensor,
  type TypedArray,
} from "../dtypes.ts";
import { quoted, saidBy, shown } from "../quoted.ts";
import { PickleDict, PickleGlobal, unpickle } from "./pickle.ts";
import { type ByteSource, RandomAccessFile } from "../random_access_file.ts";
import { type Place, placeIn, type TensorFile, tensorNames } from "../safetensors.ts";
import { gather, isContiguous, lastIndex, type StridedView } from "./strided.ts";
import { checkRecord, readRecord, readZipRecords, type ZipRecord } from "./torch_zip.ts";

const storageTypes: Record<string, Dtype> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
};
const functions = [
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_parameter",
];

const maxDims = 16;
/** A view may repeat elements (stride 0), but not so that a small file becomes a large tensor. */
const maxRepeatedElements = 1 << 20;

interface Storage {
  dtype: Dtype;
  record: ZipRecord;
  elements: number;
}

export class TorchTensor implements StridedView {
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly dims: number[],
    readonly strides: number[],
  ) {}
  get dtype(): Dtype {
    return this.storage.dtype;
  }
}

export class TorchFile implements TensorFile {
  #checked = new Map<string, Promise<void>>();

  private constructor(
    private readonly source: ByteSource,
    readonly tensors: ReadonlyMap<string, TorchTensor>,
  ) {}

  get path(): string {
    return this.source.path;
  }

  /**
   * Opens a checkpoint and reads its table of tensors. @throws for anything but a state dict, naming what was
   * refused.
   */
  static async open(path: string): Promise<TorchFile> {
    return await TorchFile.from(await RandomAccessFile.open(path));
  }

  /** As {@linkcode open}, over any source of bytes, which is closed when the file is refused. */
  static async from(source: ByteSource): Promise<TorchFile> {
    try {
      return new TorchFile(source, await readStateDict(source));
    } catch (error) {
      source.close();
      throw error;
    }
  }

  async read(name: string): Promise<RawTensor> {
    const tensor = this.tensors.get(name);
    if (!tensor) {
      throw new Error(
        `${this.path} holds no tensor ${quoted(name)}. It holds: ${tensorNames(this.tensors)}.`,
      );
    }
    const { dtype, dims, offset, storage: { record, elements } } = tensor;
    const data = allocate(dtype, elementCount(dims));
    const at = (index: number) => record.offset + index * bytesPerElement(dtype);
    if (isContiguous(tensor)) {
      if (data.length === elements) await readRecord(this.source, record, bytesOf(data));
      else {
        await this.#check(record);
        await this.source.readInto(at(offset), bytesOf(data));
      }
    } else {
      await this.#check(record);
      // one for all windows: they would pile up faster than they are collected
      let buffer = allocate(dtype, 0);
      await gather(tensor, data as { [index: number]: number }, async (from, count) => {
        if (buffer.length < count) buffer = allocate(dtype, count);
        const window = buffer.subarray(0, count) as typeof buffer;
        await this.source.readInto(at(from), bytesOf(window));
        return window as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
      });
    }
    return { dims: [...dims], dtype, data };
  }

  /** The checksum of the record is not looked at: that would be a pass over all of it. */
  place(name: string): Place | undefined {
    const tensor = this.tensors.get(name);
    if (!tensor || !isContiguous(tensor)) return undefined;
    const { dtype, offset, storage: { record } } = tensor;
    return placeIn(this.source, dtype, record.offset + offset * bytesPerElement(dtype));
  }

  /** The checksum of a record of which only parts are read: once, by a pass over all of it. */
  #check(record: ZipRecord): Promise<void> {
    const known = this.#checked.get(record.name);
    if (known) return known;
    const check = checkRecord(this.source, record);
    this.#checked.set(record.name, check);
    return check;
  }

  close(): void {
    this.source.close();
  }
}

async function readStateDict(source: ByteSource): Promise<Map<string, TorchTensor>> {
  const records = await readZipRecords(source);
  const refuse = (what: string): never => {
    throw new Error(`${source.path} is not a PyTorch state dict that can be read: ${what}`);
  };
  const pickles = [...records.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) refuse(`it has ${pickles.length} records named data.pkl, and one was expected.`);
  const folder = pickles[0].slice(0, -"data.pkl".length);
  await checkByteOrder(source, records.get(`${folder}byteorder`), refuse);
  const record = records.get(pickles[0])!;
  if (record.bytes > source.size) refuse("its pickle is larger than the file.");
  const bytes = new Uint8Array(record.bytes);
  await readRecord(source, record, bytes);

  const storages = new Map<string, Storage>();
  let root: unknown;
  try {
    root = unpickle(bytes, {
      allowGlobal: (name) => functions.includes(name) || Object.hasOwn(storageTypes, name),
      call: callFunction,
      persistent: (id) => findStorage(id, folder, records, storages),
    });
  } catch (error) {
    refuse(saidBy(error));
  }
  if (!(root instanceof PickleDict)) return refuse("it does not hold a dict of tensors.");
  const tensors = new Map<string, TorchTensor>();
  for (const [name, value] of root.entries) {
    if (typeof name !== "string") {
      return refuse(`it has an entry that is not named by text, but by ${quoted(name)}.`);
    }
    if (!(value instanceof TorchTensor)) {
      const keys = [...root.entries.keys()].slice(0, 6).map((key) => shown(String(key), 40)).join(", ");
      return refuse(`entry ${quoted(name)} is not a tensor (it holds: ${keys}). Save the state dict alone.`);
    }
    tensors.set(name, value);
  }
  return tensors;
}

async function checkByteOrder(
  source: ByteSource,
  record: ZipRecord | undefined,
  refuse: (what: string) => never,
) {
  if (!record) return; // older versions wrote none, and only little-endian machines matter
  const bytes = new Uint8Array(Math.min(record.bytes, 16));
  await source.readInto(record.offset, bytes);
  const order = new TextDecoder().decode(bytes);
  if (order !== "little") refuse(`its byte order is ${quoted(order)}, only "little" is read.`);
}

/** The object behind ("storage", class, key, location, number of elements). */
function findStorage(
  id: unknown,
  folder: string,
  records: Map<string, ZipRecord>,
  known: Map<string, Storage>,
): Storage {
  const [kind, type, key, , elements] = Array.isArray(id) ? id : [];
  if (
    kind !== "storage" || !(type instanceof PickleGlobal) || typeof key !== "string" || !isCount(elements)
  ) {
    throw new Error("it refers to something outside that is not a storage.");
  }
  if (!Object.hasOwn(storageTypes, type.name)) throw new Error(`${type.name} is used as a storage.`);
  const dtype = storageTypes[type.name];
  const record = records.get(`${folder}data/${key}`);
  if (!record) throw new Error(`storage ${quoted(key)} has no record in the archive.`);
  if (elements * bytesPerElement(dtype) !== record.bytes) {
    throw new Error(
      `storage ${
        quoted(key)
      } should have ${elements} elements of ${dtype}, its record has ${record.bytes} bytes.`,
    );
  }
  const before = known.get(key);
  if (before && before.dtype !== dtype) {
    throw new Error(`storage ${quoted(key)} is used as ${before.dtype} and as ${dtype}.`);
  }
  const storage = before ?? { dtype, record, elements };
  known.set(key, storage);
  return storage;
}

function callFunction(name: string, args: readonly unknown[]): unknown {
  if (name === "collections.OrderedDict") {
    if (args.length) throw new Error("an OrderedDict is made from arguments.");
    return new PickleDict();
  }
  if (name === "torch._utils._rebuild_tensor_v2") return rebuildTensor(args);
  if (name === "torch._utils._rebuild_parameter") {
    if (!(args[0] instanceof TorchTensor)) {
      throw new Error("a parameter is made of something that is not a tensor.");
    }
    return args[0];
  }
  throw new Error(`it calls ${name}.`); // storage classes are named, never called
}

/** (storage, offset, size, stride, requires_grad, backward_hooks[, metadata]) */
function rebuildTensor(args: readonly unknown[]): TorchTensor {
  const [storage, offset, dims, strides, , hooks, metadata] = args;
  if (args.length < 6 || args.length > 7) throw new Error(`a tensor is made from ${args.length} arguments.`);
  if (!isStorage(storage)) throw new Error("a tensor is made of something that is not a storage.");
  if (!isCount(offset) || !isCounts(dims) || !isCounts(strides) || dims.length !== strides.length) {
    throw new Error("a tensor's offset, dims or strides are not whole numbers that fit each other.");
  }
  if (!(hooks instanceof PickleDict) || hooks.entries.size) throw new Error("a tensor has hooks.");
  if (metadata != null && !(metadata instanceof PickleDict && metadata.entries.size === 0)) {
    throw new Error("a tensor has metadata (such as a pending negation), which is not supported.");
  }
  const tensor = new TorchTensor(storage, offset, [...dims], [...strides]);
  const last = lastIndex(tensor);
  const count = elementCount(dims);
  if (last >= storage.elements || offset > storage.elements) {
    throw new Error(
      `a tensor [${dims.join(", ")}] reaches element ${last} of a storage of ${storage.elements}.`,
    );
  }
  if (count > Math.max(storage.elements, maxRepeatedElements)) {
    throw new Error(`a tensor [${dims.join(", ")}] repeats the ${storage.elements} elements of its storage.`);
  }
  return tensor;
}

function isStorage(value: unknown): value is Storage {
  return typeof value === "object" && value !== null && "record" in value && "dtype" in value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length <= maxDims && value.every(isCount);
}
