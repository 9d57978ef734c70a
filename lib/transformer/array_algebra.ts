/**
 * Weight processing on arrays: a weight along one named dim. Sums are in double precision. Loops run in
 * memory order, since a walk along a dim of large stride waits for memory at every step (W_U of GPT-2: five
 * times as long); rows of one value (stride 1) get a loop of their own.
 */
import type { ModelConfig } from "../checkpoints/config.ts";
import type { Algebra } from "./algebra.ts";
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
function center(weight: Weight, dim: string): void {
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
function scaleBy(weight: Weight, dim: string, v: Float32Array): void {
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
function addProduct(into: Weight, weight: Weight, dim: string, v: Float32Array): void {
  sums(weight, dim, v).forEach((sum, rest) => into.data[rest] += sum);
}

/** b_V of each head [n_heads · d_head]: that of a kv_head is repeated for the heads that share it. */
function forEachHead(
  b_V: Float32Array,
  { n_heads, n_key_value_heads = n_heads, d_head }: ModelConfig,
): Float32Array {
  const all = new Float32Array(n_heads * d_head);
  for (let head = 0; head < n_heads; head++) {
    const shared = Math.floor(head * n_key_value_heads / n_heads);
    all.set(b_V.subarray(shared * d_head, (shared + 1) * d_head), head * d_head);
  }
  return all;
}

/** On arrays: copied once, then changed in place. */
export const arrays: Algebra<Weight> = {
  copy: (weight) => ({ ...weight, data: weight.data.slice() }),
  center(weight, dim) {
    center(weight, dim);
    return weight;
  },
  scaleBy(weight, dim, v) {
    scaleBy(weight, dim, v.data);
    return weight;
  },
  addProduct(into, weight, dim, v) {
    addProduct(into, weight, dim, v.data);
    return into;
  },
  addThroughHeads(b_O, b_V, W_O, config) {
    // [head, d_head] · [head, d_head, d_model]: both leading dims are summed as one.
    const bias = forEachHead(b_V.data, config);
    const rows = { data: W_O.data, dims: [{ name: "row", size: bias.length }, W_O.dims[2]] };
    addProduct(b_O, rows, "row", bias);
    return b_O;
  },
  zero(weight) {
    weight.data.fill(0);
    return weight;
  },
};
