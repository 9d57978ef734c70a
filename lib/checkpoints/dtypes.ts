/**
 * Number types of stored tensors: their size, the typed array that holds them, and the way to float32.
 *
 * Names are those of the safetensors format (F32, BF16, I64 …). Files are little-endian, and so is every
 * machine that this runs on; no byte is swapped. F16 and BF16 have no typed array everywhere: they stay as
 * their 16 bits until they are widened.
 */
import { quoted } from "./quoted.ts";

export type TypedArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

const arrays = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type Dtype = keyof typeof arrays;

/**
 * One tensor in memory, as it is stored: row-major, `data.length` = product of `dims`. F16 and BF16 as bits.
 */
export interface RawTensor {
  dims: number[];
  dtype: Dtype;
  data: TypedArray;
}

export function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(arrays, name);
}

export const dtypeNames = Object.keys(arrays) as Dtype[];

/** Bytes of one element. */
export function bytesPerElement(dtype: Dtype): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

/** A zeroed array for `length` elements. */
export function allocate(dtype: Dtype, length: number): TypedArray {
  return new arrays[dtype](length);
}

/** The bytes behind `array`, shared, not copied. */
export function bytesOf(array: TypedArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Number of elements of a tensor with these dims (1 for a scalar, []). */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/**
 * The tensor's elements as float32. F32 is returned as it is (no copy); F16 and BF16 are widened exactly; F64
 * is rounded.
 *
 * @throws for integers and booleans, which are never weights.
 */
export function toFloat32(tensor: RawTensor, name: string, path?: string): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (dtype === "F16") return widen(data as Uint16Array, halfTable());
  if (dtype === "BF16") return widenBfloat(data as Uint16Array);
  throw new Error(
    `Tensor ${quoted(name)}${path === undefined ? "" : ` in ${path}`} is wanted as floating-point weights, ` +
      `and is stored as ${dtype}.`,
  );
}

function widen(bits: Uint16Array, table: Float32Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]];
  return values;
}

function widenBfloat(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i] << 16; // bfloat16 is the upper half of a float32
  return new Float32Array(wide.buffer);
}

/** The value of 16 bits of IEEE 754 binary16. */
export function halfToFloat(bits: number): number {
  return halfTable()[bits];
}

let halves: Float32Array | undefined;

/** All 65536 values of IEEE 754 binary16: sign, 5 exponent bits (bias 15), 10 fraction bits. */
function halfTable(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) halves[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) halves[bits] = fraction ? NaN : sign * Infinity;
    else halves[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return halves;
}
