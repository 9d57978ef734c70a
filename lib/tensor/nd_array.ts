/** Values that a run returns: a typed array with named dims, values of the last dimension side by side. */
import { product } from "./dims.ts";
import type { Data } from "./node.ts";

export class NdArray<D extends Data = Data> {
  readonly data: D;
  readonly names: readonly string[];
  readonly shape: readonly number[];

  constructor(data: D, names: readonly string[], shape: readonly number[]) {
    if (data.length !== product(shape) || names.length !== shape.length) {
      throw new Error(
        `NdArray: got ${data.length} values for [${names.map((n, i) => `${n} ${shape[i]}`).join(", ")}]; ` +
          `expected ${product(shape)}`,
      );
    }
    this.data = data;
    this.names = names;
    this.shape = shape;
  }

  size(name: string): number {
    return this.shape[this.#axis(name)];
  }

  #axis(name: string): number {
    const axis = this.names.indexOf(name);
    if (axis < 0) throw new Error(`NdArray: no dimension "${name}"; the dims are [${this.names.join(", ")}]`);
    return axis;
  }

  /** One value: `pattern.at({ batch: 0, head: 2, query: 5, key: 1 })`. */
  at(index: Readonly<Record<string, number>>): number {
    const missing = this.names.filter((name) => !(name in index));
    if (missing.length > 0) {
      throw new Error(
        `NdArray: at() got no index for ${missing.join(", ")}; expected one for each dimension`,
      );
    }
    return this.select(index).data[0];
  }

  /** A part, copied: each named dimension is fixed and dropped. */
  select(index: Readonly<Record<string, number>>): NdArray<D> {
    const strides = this.shape.map((_, i) => product(this.shape.slice(i + 1)));
    let offset = 0;
    for (const [name, i] of Object.entries(index)) {
      const axis = this.#axis(name);
      if (!(Number.isInteger(i) && i >= 0 && i < this.shape[axis])) {
        throw new Error(`NdArray: ${name} ${i} is outside 0 … ${this.shape[axis] - 1}`);
      }
      offset += i * strides[axis];
    }
    const kept = this.names.map((_, i) => i).filter((i) => !(this.names[i] in index));
    const shape = kept.map((i) => this.shape[i]);
    const out = new (this.data.constructor as new (n: number) => D)(product(shape));
    const counter = shape.map(() => 0);
    for (let i = 0; i < out.length; i++) {
      let at = offset;
      for (let d = 0; d < kept.length; d++) at += counter[d] * strides[kept[d]];
      out[i] = this.data[at];
      for (let d = kept.length - 1; d >= 0 && ++counter[d] === shape[d]; d--) counter[d] = 0;
    }
    return new NdArray(out, kept.map((i) => this.names[i]), shape);
  }
}
