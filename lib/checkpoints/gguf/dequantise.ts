/**
 * GGUF's quantised blocks → float32. A block holds 32 weights (256 for the K kinds) with a scale d, for some
 * a least value m:
 *
 *     Q4_0  d · (q − 8)     Q4_1  d · q + m     Q5_0  d · (q − 16)     Q5_1  d · q + m     Q8_0  d · q
 *     Q4_K, Q5_K  d · s · q − m · t, with 6-bit s and t for each 32 weights
 *     Q6_K  d · s · (q − 32), with 8-bit s for each 16
 *
 * Source: ggml's ggml-quants.c and gguf-py's quants.py, with which every kind is compared. Everything is
 * little-endian.
 */
import { halfToFloat } from "../dtypes.ts";

export interface Quantisation {
  /** Weights and bytes of a block. */
  weights: number;
  bytes: number;
  /** Writes a block's weights to `out` from `to` on. */
  block(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

const half = (bytes: Uint8Array, at: number) => halfToFloat(bytes[at] | bytes[at + 1] << 8);

/** Blocks of 32 with 4-bit values, the low halves first; `high` gives the fifth bit of value i. */
function small(
  bytes: Uint8Array,
  at: number,
  out: Float32Array,
  to: number,
  value: (q: number) => number,
  high: (i: number) => number = () => 0,
): void {
  for (let i = 0; i < 16; i++) {
    out[to + i] = value(bytes[at + i] & 15 | high(i) << 4);
    out[to + i + 16] = value(bytes[at + i] >> 4 | high(i + 16) << 4);
  }
}

/** Bit i of the 32 at `at`. */
const bit = (bytes: Uint8Array, at: number) => (i: number) => bytes[at + (i >> 3)] >> (i & 7) & 1;

/** Scale and least value of the j-th 32 weights of a K block: 6 bits each, packed in 12 bytes. */
function scales(bytes: Uint8Array, at: number, j: number): [number, number] {
  if (j < 4) return [bytes[at + j] & 63, bytes[at + j + 4] & 63];
  const low = bytes[at + j + 4];
  return [low & 15 | bytes[at + j - 4] >> 6 << 4, low >> 4 | bytes[at + j] >> 6 << 4];
}

/** Q4_K and Q5_K; `high` gives the fifth bit of weight i of the j-th 32. */
function large(
  bytes: Uint8Array,
  at: number,
  values: number,
  out: Float32Array,
  to: number,
  high: (i: number, j: number) => number,
): void {
  const [d, m] = [half(bytes, at), half(bytes, at + 2)].map(Math.fround);
  for (let j = 0; j < 8; j++) {
    const [scale, least] = scales(bytes, at + 4, j);
    const [by, minus] = [Math.fround(d * scale), Math.fround(m * least)];
    const from = values + (j >> 1) * 32;
    for (let i = 0; i < 32; i++) {
      const q = (j % 2 ? bytes[from + i] >> 4 : bytes[from + i] & 15) | high(i, j) << 4;
      out[to + 32 * j + i] = Math.fround(by * q) - minus;
    }
  }
}

const Q4_0: Quantisation = {
  weights: 32,
  bytes: 18,
  block(bytes, at, out, to) {
    const d = half(bytes, at);
    small(bytes, at + 2, out, to, (q) => d * (q - 8));
  },
};
const Q4_1: Quantisation = {
  weights: 32,
  bytes: 20,
  block(bytes, at, out, to) {
    const [d, m] = [half(bytes, at), half(bytes, at + 2)];
    small(bytes, at + 4, out, to, (q) => Math.fround(d * q) + m);
  },
};
const Q5_0: Quantisation = {
  weights: 32,
  bytes: 22,
  block(bytes, at, out, to) {
    const d = half(bytes, at);
    small(bytes, at + 6, out, to, (q) => d * (q - 16), bit(bytes, at + 2));
  },
};
const Q5_1: Quantisation = {
  weights: 32,
  bytes: 24,
  block(bytes, at, out, to) {
    const [d, m] = [half(bytes, at), half(bytes, at + 2)];
    small(bytes, at + 8, out, to, (q) => Math.fround(d * q) + m, bit(bytes, at + 4));
  },
};
const Q8_0: Quantisation = {
  weights: 32,
  bytes: 34,
  block(bytes, at, out, to) {
    const d = half(bytes, at);
    for (let i = 0; i < 32; i++) out[to + i] = d * (bytes[at + 2 + i] << 24 >> 24);
  },
};
const Q4_K: Quantisation = {
  weights: 256,
  bytes: 144,
  block: (bytes, at, out, to) => large(bytes, at, at + 16, out, to, () => 0),
};
const Q5_K: Quantisation = {
  weights: 256,
  bytes: 176,
  block: (bytes, at, out, to) => large(bytes, at, at + 48, out, to, (i, j) => bytes[at + 16 + i] >> j & 1),
};
const Q6_K: Quantisation = {
  weights: 256,
  bytes: 210,
  block(bytes, at, out, to) {
    const d = half(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      // 128 weights at a time: 64 bytes of low halves (first those of 0 to 63), 32 bytes of pairs of high
      // bits.
      const [part, k] = [i >> 7, i & 127];
      const low = bytes[at + 64 * part + (k & 63)];
      const high = bytes[at + 128 + 32 * part + (k & 31)] >> 2 * (k >> 5) & 3;
      const q = (k < 64 ? low & 15 : low >> 4) | high << 4;
      const scale = bytes[at + 192 + (i >> 4)] << 24 >> 24;
      out[to + i] = Math.fround(d * scale) * (q - 32);
    }
  },
};

/** By the number of the type in ggml.h. */
export const QUANTISATIONS: Readonly<Record<number, Quantisation & { name: string }>> = {
  2: { name: "Q4_0", ...Q4_0 },
  3: { name: "Q4_1", ...Q4_1 },
  6: { name: "Q5_0", ...Q5_0 },
  7: { name: "Q5_1", ...Q5_1 },
  8: { name: "Q8_0", ...Q8_0 },
  12: { name: "Q4_K", ...Q4_K },
  13: { name: "Q5_K", ...Q5_K },
  14: { name: "Q6_K", ...Q6_K },
};

/** All weights of a run of blocks. `out` has as many elements as the blocks have weights. */
export function dequantise(kind: Quantisation, bytes: Uint8Array, out: Float32Array, to = 0): void {
  for (let at = 0; at < bytes.length; at += kind.bytes, to += kind.weights) kind.block(bytes, at, out, to);
}
