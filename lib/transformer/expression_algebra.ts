/**
 * Weight processing as expressions: nothing is computed when a model is loaded, and no weight is copied. What
 * a run makes of them: lib/tensor/lighten.ts and prepare.ts.
 */
import { param, type Tensor } from "../tensor/tensor.ts";
import type { Algebra } from "./algebra.ts";
import { forEachHead } from "./attention.ts";

const zeros = new WeakSet<Tensor>();

/**
 * A weight that a model does not have, or no longer: zeros, small ones alone. What is made of them is
 * skipped.
 */
export function zeroTensor(name: string, dims: Tensor["dims"]): Tensor {
  const count = dims.reduce((n, d) => n * Number(d.size), 1);
  const tensor = param(name, new Float32Array(count), dims);
  zeros.add(tensor);
  return tensor;
}

export const expressions: Algebra<Tensor> = {
  copy: (weight) => weight,
  center: (weight, dim) => zeros.has(weight) ? weight : weight.sub(weight.mean(dim)),
  scaleBy: (weight, _dim, v) => weight.mul(v),
  addProduct: (into, weight, dim, v) => zeros.has(v) ? into : into.add(weight.dot(v, dim)),
  addThroughHeads: (b_O, b_V, W_O, config) =>
    zeros.has(b_V) ? b_O : b_O.add(forEachHead(config, b_V).dot(W_O, "head", "d_head")),
  zero: (weight) => zeros.has(weight) ? weight : zeroTensor("0", weight.dims),
};
