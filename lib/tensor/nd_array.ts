/** Values that a run returns: a typed array with named dims, values of the last dimension side by side. */
import { product } from "./dims.ts";
import type { Data } from "./node.ts";

/**
 * An array with named dims, in plain memory: what a run returns.
 *
 * @example
 * ```ts
 * const array = new NdArray(Float32Array.of(1, 2, 3, 4), ["batch", "pos"], [2, 2]);
 * console.log(array.at({ batch: 1, pos: 0 })); // 3
 * console.log(array.select({ batch: 1 }).data); // 3, 4
 * ```
 */
export class NdArray<D extends Data = Data> {
  /** Names of the dims, such as ["batch", "pos"]. */
  readonly names: readonly string[];
  /** Sizes of the dims, in the same order. */
  readonly shape: readonly number[];
  /** The values, row-major. */
  readonly data!: D;

  /** `data` may be a function, which is called when the values are first looked at. */
  constructor(data: D | (() => D), names: readonly string[], shape: readonly number[]) {
    this.names = names;
    this.shape = shape;
    let values = typeof data === "function" ? undefined : this.#checked(data);
    if (values) this.data = values;
    else {
      const get = () => values ??= this.#checked((data as () => D)());
      Object.defineProperty(this, "data", { get, enumerable: true });
    }
  }

  #checked(data: D): D {
    const { names, shape } = this;
    if (data.length === product(shape) && names.length === shape.length) return data;
    throw new Error(
      `NdArray: got ${data.length} values for [${names.map((n, i) => `${n} ${shape[i]}`).join(", ")}]; ` +
        `expected ${product(shape)}`,
    );
  }

  /** Size of a dimension. @throws for a name that it does not have */
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
    const strides = stridesOf(this.shape);
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
    const data = read(this.data, shape, kept.map((i) => strides[i]), offset);
    return new NdArray(data, kept.map((i) => this.names[i]), shape);
  }
}

/**
 * An array with more dims, along which the values repeat; the dims that `values` has stand in its order.
 * Written out when it is first looked at.
 */
export function repeated(values: NdArray, names: readonly string[], shape: readonly number[]): NdArray {
  if (values.names.length === names.length) return values;
  const own = stridesOf(values.shape);
  const strides = names.map((name) => own[values.names.indexOf(name)] ?? 0);
  return new NdArray(() => read(values.data, shape, strides, 0), names, shape);
}

function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, i) => product(shape.slice(i + 1)));
}

/** Copies what lies at `offset + Σ index · stride`, in order. */
function read<D extends Data>(
  from: D,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): D {
  const out = new (from.constructor as new (n: number) => D)(product(shape));
  const width = shape.at(-1) ?? 1, step = strides.at(-1) ?? 1;
  const counter = shape.slice(0, -1).map(() => 0);
  for (let at = 0; at < out.length; at += width) {
    const start = counter.reduce((sum, n, d) => sum + n * strides[d], offset);
    if (step === 1) out.set(from.subarray(start, start + width), at);
    else for (let i = 0; i < width; i++) out[at + i] = from[start + i * step];
    for (let d = counter.length - 1; d >= 0 && ++counter[d] === shape[d]; d--) counter[d] = 0;
  }
  return out;
}
