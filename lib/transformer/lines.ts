/**
 * A weight along one named dim: what folding and centring are made of. Sums are in double precision. Loops
 * run in memory order, since a walk along a dim of large stride waits for memory at every step (W_U of GPT-2:
 * five times as long); rows of one value (stride 1) get a loop of their own.
 */
import type { Weight } from "./weights.ts";

/** How a dim lies: `outer` blocks of `length` rows of `stride` values; the dim counts the rows of a block. */
function layout(weight: Weight, dim: string): { outer: number; length: number; stride: number } {
  const axis = weight.dims.findIndex((d) => d.name === dim);
  if (axis < 0) throw new Error(`weight has no dim "${dim}": [${weight.dims.map((d) => d.name)}]`);
  const length = weight.dims[axis].size;
  const stride = weight.dims.slice(axis + 1).reduce((n, d) => n * d.size, 1);
  return { outer: weight.data.length / (length * stride), length, stride };
}

/** Σ over `dim` of W · v, or of W without `v`: the other dims, in memory order. */
function sums(weight: Weight, dim: string, v?: Float32Array): Float64Array {
  const { data } = weight;
  const { outer, length, stride } = layout(weight, dim);
  const total = new Float64Array(outer * stride);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    if (stride === 1) {
      let sum = 0;
      if (v) { for (let i = 0; i < length; i++) sum += v[i] * data[at++]; }
      else for (let i = 0; i < length; i++) sum += data[at++];
      total[o] = sum;
      continue;
    }
    for (let i = 0; i < length; i++) {
      const factor = v ? v[i] : 1;
      for (let s = 0; s < stride; s++) total[o * stride + s] += factor * data[at++];
    }
  }
  return total;
}

/** W -= mean over `dim`. */
export function center(weight: Weight, dim: string): void {
  const { data } = weight;
  const { outer, length, stride } = layout(weight, dim);
  const mean = sums(weight, dim).map((sum) => sum / length);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    if (stride === 1) {
      const m = mean[o];
      for (let i = 0; i < length; i++) data[at++] -= m;
      continue;
    }
    for (let i = 0; i < length; i++) {
      for (let s = 0; s < stride; s++) data[at++] -= mean[o * stride + s];
    }
  }
}

/** W *= v along `dim`. */
export function scaleBy(weight: Weight, dim: string, v: Float32Array): void {
  const { data } = weight;
  const { outer, length, stride } = layout(weight, dim);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    if (stride === 1) {
      for (let i = 0; i < length; i++) data[at++] *= v[i];
      continue;
    }
    for (let i = 0; i < length; i++) {
      for (let s = 0; s < stride; s++) data[at++] *= v[i];
    }
  }
}

/** into += Σ over `dim` of W · v; `into` has W's other dims, in W's order. */
export function addProduct(into: Weight, weight: Weight, dim: string, v: Float32Array): void {
  sums(weight, dim, v).forEach((sum, rest) => into.data[rest] += sum);
}
