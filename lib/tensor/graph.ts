/**
 * A graph under construction: ONNX nodes, constants, fed arrays and outputs, with the shape of every value.
 * Reshapes and transposes that change nothing are left out; equal constants and equal fed arrays are one.
 */
import { type Dim, names, product, resolve, type Sizes } from "./dims.ts";
import { type Data, type DType, dtypeOf, STORED_BYTES, type StoredValues } from "./node.ts";
import type { Attribute, ElementType, OnnxExternal, OnnxGraph, OnnxNode, OnnxValue } from "./onnx.ts";

/** A value in the graph, with the dims in the order in which it lies in memory. */
export interface Value {
  name: string;
  dims: readonly Dim[];
  shape: readonly number[];
  dtype: DType;
}

/** How much memory a node's outputs and scratch space take, for the estimate of memory.ts. */
export interface Step {
  inputs: readonly string[];
  outputs: readonly { name: string; bytes: number }[];
  scratch: number;
  /** The output shares the input's memory. */
  alias: boolean;
  flops: number;
}

/** ONNX' number of the type. */
const FLOAT32 = 1;

const isSame = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((n, i) => n === b[i]);

export class Graph {
  readonly sizes: Sizes;
  /** Whether operations that only the processor has may be emitted. */
  readonly fused: boolean;
  readonly steps: Step[] = [];
  /** Fixed arrays by input name. */
  readonly params = new Map<string, { data: Data; shape: readonly number[]; fixed: true }>();
  #nodes: OnnxNode[] = [];
  #inputs: OnnxValue[] = [];
  #outputs: OnnxValue[] = [];
  #external = new Map<string, OnnxExternal>();
  /** Weights: fed arrays, and what was read from a file. */
  #weights = new Set<string>();
  #constants = new Map<string, OnnxValue & { values: readonly number[] }>();
  #paramNames = new Map<ArrayBufferLike, Map<string, string>>();
  #arranged = new Map<string, Value>();
  /** The array behind each reshaped value. */
  #reshaped = new Map<string, { name: string; shape: readonly number[] }>();
  /** Reshaped values by array and shape. */
  #shapes = new Map<string, string>();

  constructor(sizes: Sizes, fused = true) {
    this.sizes = sizes;
    this.fused = fused;
  }

  size(dim: Dim): number {
    return resolve(dim, this.sizes);
  }

  value(name: string, dims: readonly Dim[], dtype: DType): Value {
    return { name, dims, shape: dims.map((d) => this.size(d)), dtype };
  }

  /**
   * Adds a node; returns the names of its outputs. `outputs`: the byte size of each, 0 for one that is not
   * wanted.
   */
  emit(
    op: string,
    inputs: readonly string[],
    outputs: readonly number[],
    attributes: Record<string, Attribute> = {},
    more: { domain?: "com.microsoft"; scratch?: number; alias?: boolean; flops?: number; weight?: boolean } =
      {},
  ): string[] {
    const id = this.#nodes.length;
    const made = outputs.map((bytes, i) => bytes === 0 && !more.weight ? "" : `v${id}_${i}`);
    this.#nodes.push({ op, domain: more.domain ?? "", inputs, outputs: made, attributes });
    this.steps.push({
      inputs,
      outputs: made.map((name, i) => ({ name, bytes: outputs[i] })).filter((o) => o.name),
      scratch: more.scratch ?? 0,
      alias: more.alias ?? false,
      flops: more.flops ?? 0,
    });
    return made;
  }

  /** A few numbers, such as a shape: they stand in the graph and in its key. What is long is a `param`. */
  constant(
    values: readonly number[],
    type: ElementType = "int64",
    shape: readonly number[] = [values.length],
  ): string {
    const key = `c${type}(${shape})${values}`;
    if (!this.#constants.has(key)) {
      this.#constants.set(key, { name: `c${this.#constants.size}`, type, shape, values });
    }
    return this.#constants.get(key)!.name;
  }

  param(data: Data, dims: readonly Dim[]): Value {
    const shape = dims.map((d) => this.size(d)), dtype = dtypeOf(data);
    const named = this.#paramNames.get(data.buffer) ?? new Map<string, string>();
    this.#paramNames.set(data.buffer, named);
    const key = `${data.byteOffset}:${shape}`;
    if (!named.has(key)) {
      const name = `p${this.params.size}`;
      named.set(key, name);
      this.params.set(name, { data, shape, fixed: true });
      this.#weights.add(name);
      this.#inputs.push({ name, type: dtype, shape });
    }
    return { name: named.get(key)!, dims, shape, dtype };
  }

  /** What lies in a file, of the type that it has there: `read` makes float32 of it. */
  stored({ file, offset, type }: StoredValues, dims: readonly Dim[]): Value & { type: StoredValues["type"] } {
    const value = this.value("", dims, "float32");
    const key = `${file.path}:${offset}:${type}:${value.shape}`;
    if (!this.#external.has(key)) {
      const bytes = product(value.shape) * STORED_BYTES[type];
      const name = `f${this.#external.size}`;
      const { path, stamp } = file;
      this.#external.set(key, { name, type, shape: value.shape, path, stamp, offset, bytes });
    }
    return { ...value, name: this.#external.get(key)!.name, type };
  }

  /**
   * The values as float32. Each use has its own: one that several share would stay in memory from the first
   * to the last. Not counted as memory, as other weights are not.
   */
  read(value: Value & { type: StoredValues["type"] }): Value {
    const { name: from, dims, shape, dtype } = value;
    const name = value.type === "float32"
      ? from
      : this.emit("Cast", [from], [0], { to: FLOAT32 }, { weight: true })[0];
    this.#weights.add(name);
    return { name, dims, shape, dtype };
  }

  /** Whether a value is a weight as it lies in memory. */
  isWeight(name: string): boolean {
    return this.#weights.has(name);
  }

  input(name: string, dims: readonly Dim[], dtype: DType): Value {
    const value = this.value(`in_${name}`, dims, dtype);
    this.#inputs.push({ name: value.name, type: dtype, shape: value.shape });
    return value;
  }

  /**
   * Makes a value an output and returns the output's name. The runtime hands out the array that a node made,
   * by whatever shape: values that are reshapes of one array are one output. Only what no node made (a fed
   * array, a constant) is copied.
   */
  output({ name, shape, dtype }: Value): string {
    const made = this.#reshaped.get(name) ?? { name, shape };
    const isInput = this.#inputs.some((input) => input.name === made.name);
    const isStored = [...this.#external.values()].some((external) => external.name === made.name);
    const isConstant = [...this.#constants.values()].some((constant) => constant.name === made.name);
    const from = isInput || isConstant || isStored
      ? this.emit("Identity", [made.name], [4 * product(made.shape)])[0]
      : made.name;
    if (!this.#outputs.some((output) => output.name === from)) {
      this.#outputs.push({ name: from, type: dtype, shape: made.shape });
    }
    return from;
  }

  /**
   * The same array by another shape. Each is made once, and from the array itself: without that two of five
   * steps were reshapes.
   */
  reshape(name: string, from: readonly number[], to: readonly number[]): string {
    const array = this.#reshaped.get(name) ?? { name, shape: from };
    if (isSame(from, to)) return name;
    if (isSame(array.shape, to)) return array.name;
    const key = `${array.name}:${to}`;
    if (!this.#shapes.has(key)) {
      const inputs = [array.name, this.constant(to)];
      const [made] = this.emit("Reshape", inputs, [4 * product(to)], {}, { alias: true });
      this.#reshaped.set(made, array);
      this.#shapes.set(key, made);
    }
    return this.#shapes.get(key)!;
  }

  /** The same value with its dims in the given order. */
  arrange(value: Value, order: readonly string[]): Value {
    const from = names(value.dims);
    if (from.every((n, i) => n === order[i])) return value;
    const key = `${value.name}:${order}`;
    if (!this.#arranged.has(key)) {
      const perm = order.map((n) => from.indexOf(n));
      // moving a dim of size 1 moves nothing in memory
      const moved = perm.filter((p) => value.shape[p] !== 1);
      const shape = perm.map((p) => value.shape[p]);
      const name = moved.every((p, i) => i === 0 || p > moved[i - 1])
        ? this.reshape(value.name, value.shape, shape)
        : this.emit("Transpose", [value.name], [4 * product(shape)], { perm })[0];
      this.#arranged.set(key, { name, dims: perm.map((p) => value.dims[p]), shape, dtype: value.dtype });
    }
    return this.#arranged.get(key)!;
  }

  finish(): OnnxGraph {
    return {
      nodes: this.#nodes,
      inputs: this.#inputs,
      outputs: this.#outputs,
      constants: [...this.#constants.values()],
      external: [...this.#external.values()],
    };
  }
}
