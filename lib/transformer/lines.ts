/** Loops over the lines of a weight along one named dim: what folding and centring are made of. Sums are in double precision. */
import type { Weight } from "./weights.ts";

/** Calls `visit(rest, start, stride, length)` for every line along `dim`; `rest` counts the lines in memory order. */
export function eachLine(
  weight: Weight,
  dim: string,
  visit: (rest: number, start: number, stride: number, length: number) => void,
): void {
  const axis = weight.dims.findIndex((d) => d.name === dim);
  if (axis < 0) throw new Error(`weight has no dim "${dim}": [${weight.dims.map((d) => d.name)}]`);
  const length = weight.dims[axis].size;
  const stride = weight.dims.slice(axis + 1).reduce((n, d) => n * d.size, 1);
  const outer = weight.data.length / (length * stride);
  let rest = 0;
  for (let o = 0; o < outer; o++) {
    for (let s = 0; s < stride; s++) visit(rest++, o * length * stride + s, stride, length);
  }
}

/** W -= mean over `dim`. */
export function center(weight: Weight, dim: string): void {
  const { data } = weight;
  eachLine(weight, dim, (_, start, stride, length) => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += data[start + i * stride];
    const mean = sum / length;
    for (let i = 0; i < length; i++) data[start + i * stride] -= mean;
  });
}

/** W *= v along `dim`. */
export function scaleBy(weight: Weight, dim: string, v: Float32Array): void {
  const { data } = weight;
  eachLine(weight, dim, (_, start, stride, length) => {
    for (let i = 0; i < length; i++) data[start + i * stride] *= v[i];
  });
}

/** into += Σ over `dim` of W · v; `into` has W's other dims, in W's order. */
export function addProduct(into: Weight, weight: Weight, dim: string, v: Float32Array): void {
  const { data } = weight;
  eachLine(weight, dim, (rest, start, stride, length) => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += data[start + i * stride] * v[i];
    into.data[rest] += sum;
  });
}
