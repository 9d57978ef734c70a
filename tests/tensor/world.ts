/**
 * Random tensors with a known value at every index, and the comparison of expressions over them with plain
 * functions.
 *
 * A plain value is a function of a named index, `(i) => number`, that reads the names it knows and no others:
 * broadcasting by name then needs no code at all, and shares none with lib/tensor.
 */
import { assert, assertEquals } from "@std/assert";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { run, type RunOptions } from "../../lib/tensor/run.ts";
import { input, param, type Tensor } from "../../lib/tensor/tensor.ts";
import { randomInt, randomNormal, randomSource } from "../reference/random.ts";

export type Index = Record<string, number>;
export type At = (i: Index) => number;

/** An expression with the function that it must equal. */
export interface Known {
  t: Tensor;
  at: At;
}

/** Dims whose size is a symbol, bound when a graph is compiled. */
const SYMBOLS = ["batch", "pos"];

export class World {
  readonly random: () => number;
  readonly sizes: Index;
  readonly feeds: Record<string, NdArray> = {};
  #expected: { label: string; t: Tensor; at: At; tolerance: number }[] = [];

  constructor(seed: number, sizes: Index = {}) {
    this.random = randomSource(seed);
    const size = (most: number) => 2 + randomInt(this.random, most - 1);
    this.sizes = { batch: size(6), pos: size(5), a: size(4), b: size(5), c: size(3), d: size(6), ...sizes };
  }

  int(end: number): number {
    return randomInt(this.random, end);
  }

  /** Some of `names`, at least `least`, in any order. */
  some(names: readonly string[], least = 0): string[] {
    const shuffled = [...names];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
    }
    return shuffled.slice(0, least + this.int(names.length - least + 1));
  }

  #lookup(data: ArrayLike<number>, names: readonly string[]): At {
    return (i) => {
      let at = 0;
      for (const name of names) at = at * this.sizes[name] + i[name];
      return data[at];
    };
  }

  #count(names: readonly string[]): number {
    return names.reduce((n, name) => n * this.sizes[name], 1);
  }

  /** A fixed array. */
  param(...names: string[]): Known {
    const data = randomNormal(this.random, this.#count(names));
    const dims = names.map((name) => ({ name, size: this.sizes[name] }));
    return { t: param(`w[${names}]`, data, dims), at: this.#lookup(data, names) };
  }

  /** An input with "batch" first. */
  input(...names: string[]): Known {
    const dims = ["batch", ...names];
    const data = randomNormal(this.random, this.#count(dims));
    return { t: this.#feed(data, dims, "float32"), at: this.#lookup(data, dims) };
  }

  /** Whole numbers 0 … below - 1, as an input with "batch" first. */
  ids(below: number, ...names: string[]): Known {
    const dims = ["batch", ...names];
    const data = Int32Array.from({ length: this.#count(dims) }, () => this.int(below));
    return { t: this.#feed(data, dims, "int32"), at: this.#lookup(data, dims) };
  }

  #feed(data: Float32Array | Int32Array, names: string[], dtype: "float32" | "int32"): Tensor {
    const name = `x${Object.keys(this.feeds).length}`;
    this.feeds[name] = new NdArray(data, names, names.map((n) => this.sizes[n]));
    const dims = names.map((n) => ({ name: n, size: SYMBOLS.includes(n) ? n : this.sizes[n] }));
    return input(name, dims, { dtype });
  }

  /** A tensor with the given dims in any order: an input if "batch" is among them, else a parameter. */
  tensor(names: readonly string[]): Known {
    if (!names.includes("batch")) return this.param(...names.filter((n) => n !== "pos"));
    const made = this.input(...names.filter((n) => n !== "batch"));
    return { t: made.t.order(...names), at: made.at };
  }

  /** Notes that `t` must equal `at` at every index, to `tolerance` times the largest value. */
  expect(t: Tensor, at: At, label = "", tolerance = 1e-5): void {
    const batchFirst = ["batch", ...t.names.filter((n) => n !== "batch")]; // as a run wants it
    this.#expected.push({ label, t: t.names.includes("batch") ? t.order(...batchFirst) : t, at, tolerance });
  }

  /** Runs all that was noted in one graph and compares every value. */
  async check(options: RunOptions = {}): Promise<void> {
    const outputs = Object.fromEntries(this.#expected.map(({ t }, i) => [`y${i}`, t]));
    const results = await run(outputs, this.feeds, options);
    this.#expected.forEach(({ label, t, at, tolerance }, k) => {
      const result = results[`y${k}`];
      const what = `${label || `value ${k}`} [${result.names.map((n, i) => `${n} ${result.shape[i]}`)}]`;
      assertEquals([...result.names], t.names, what);
      compare(result, at, tolerance, what);
    });
  }
}

/**
 * Every value of `result` equals `at` there, to `tolerance` times the largest finite expected value (or 1 if
 * that is less).
 */
export function compare(result: NdArray, at: At, tolerance: number, what: string): void {
  const expected = new Float64Array(result.data.length);
  const index = indices(result);
  let scale = 1;
  index.forEach((i, k) => {
    expected[k] = at(i);
    if (Number.isFinite(expected[k])) scale = Math.max(scale, Math.abs(expected[k]));
  });
  index.forEach((i, k) => {
    const [got, wanted] = [result.data[k], expected[k]];
    const same = Object.is(got, wanted) || Math.abs(got - wanted) <= tolerance * scale;
    assert(same, `${what} at ${JSON.stringify(i)}: got ${got}, expected ${wanted} (scale ${scale})`);
  });
}

/** The named index of every value, in memory order. */
export function indices({ names, shape }: { names: readonly string[]; shape: readonly number[] }): Index[] {
  let all: Index[] = [{}];
  names.forEach((name, axis) => {
    all = all.flatMap((i) => Array.from({ length: shape[axis] }, (_, at) => ({ ...i, [name]: at })));
  });
  return all;
}

/** Σ f over every index along the dims `over`. */
export function sumOver(sizes: Index, over: readonly string[], f: At): At {
  const inner = indices({ names: over, shape: over.map((n) => sizes[n]) });
  return (i) => inner.reduce((sum, j) => sum + f({ ...i, ...j }), 0);
}

/** The values of f along one dim. */
export function along(sizes: Index, over: string, f: At): (i: Index) => number[] {
  return (i) => Array.from({ length: sizes[over] }, (_, at) => f({ ...i, [over]: at }));
}
