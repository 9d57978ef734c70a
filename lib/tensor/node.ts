/**
 * The nodes of an expression: what is computed, from what, with which dimensions. Nodes are immutable and
 * hold no values, except parameters, which hold a reference to a typed array. Equal expressions are merged
 * when a graph is compiled.
 */
import type { Device } from "./device.ts";
import type { Dim } from "./dims.ts";

/** Type of a tensor's elements. */
export type DType = "float32" | "int32";
/** Values in memory. */
export type Data = Float32Array | Int32Array;

export type UnaryKind =
  | "Neg"
  | "Abs"
  | "Exp"
  | "Log"
  | "Sqrt"
  | "Reciprocal"
  | "Tanh"
  | "Sigmoid"
  | "Relu"
  | "Gelu";
export type BinaryKind = "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Pow";
/** ONNX' names of comparisons. */
export type CompareKind = "GreaterOrEqual" | "Less" | "Equal";
export type ReduceKind = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceSumSquare";

/** Values in a file, row-major. They are read as float32, and only while a run needs them. */
export interface StoredValues {
  readonly file: {
    /** Absolute, without links. */
    readonly path: string;
    /** Another one, where the file is another. */
    readonly stamp: string;
    /** @throws when the file is not what it was */
    mustBeUnchanged(): void;
    /** Some of its bytes. */
    read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  };
  /** Of the first value, in bytes. */
  readonly offset: number;
  readonly type: StoredType;
}

export type StoredType = "float32" | "float16" | "bfloat16";

/** Bytes of a stored value. */
export const STORED_BYTES: Readonly<Record<StoredType, number>> = { float32: 4, float16: 2, bfloat16: 2 };

/** The type of an array's elements. */
export function dtypeOf(data: Data): DType {
  return data instanceof Float32Array ? "float32" : "int32";
}

/** What a node computes. Attributes only; operands stand in `Node.inputs`. */
export type Op =
  /** Weights or other fixed arrays, fed by reference. `device`: where a run that reads them goes. */
  | { kind: "param"; data: Data; label: string; device?: Device }
  /** A table of as many rows as its first dim has in a run. `key`: tables of one key are equal. */
  | { kind: "table"; key: string; make: (rows: number) => Data }
  /** Weights that stay in their file. */
  | { kind: "stored"; values: StoredValues; label: string }
  /**
   * What a run is given, such as token ids. `below`: ids must lie in 0 … below - 1. `atMost`: the largest
   * size of a symbol.
   */
  | { kind: "input"; name: string; below?: number; atMost?: Record<string, number> }
  | { kind: "constant"; value: number }
  /** 0, 1, 2 … along its one dimension, as float32. */
  | { kind: "iota" }
  | { kind: "unary"; op: UnaryKind; approximate?: "tanh" }
  | { kind: "binary"; op: BinaryKind }
  /** inputs: a, b, then, otherwise: `a op b ? then : otherwise`, element by element. */
  | { kind: "where"; op: CompareKind }
  | { kind: "contract"; over: readonly string[] }
  | { kind: "reduce"; op: ReduceKind; over: readonly string[] }
  /** `log`: the logarithm of it, computed without ever taking the logarithm of a rounded 0. */
  | { kind: "softmax"; over: string; log?: true }
  /**
   * x → (x - mean) / √(var + eps) · weight + bias over one dimension. Output 0: the normalised; 2: 1 / √(var
   * + eps).
   */
  | { kind: "layerNorm"; over: string; eps: number; output: 0 | 2 }
  /** x → x / √(mean(x²) + eps) · weight. */
  | { kind: "rmsNorm"; over: string; eps: number }
  /**
   * softmax(scale · q kᵀ, causal) v, fused. inputs: q [batch, pos, head, d_head], k, v. `window`: positions
   * seen, the own included.
   */
  | { kind: "attention"; scale: number; window?: number; softCap?: number }
  /** inputs: table, indices: one slice of `table` along `over` for each index. */
  | { kind: "gather"; over: string }
  /**
   * inputs: values, indices: one element of `values` along `over` for each index; the other dims are matched
   * by name.
   */
  | { kind: "pick"; over: string }
  | { kind: "select"; over: string; index: number }
  | { kind: "slice"; over: string; start: number; end: number }
  /** The first rows of a table, as many as a symbol says. */
  | { kind: "prefix"; over: string; size: string }
  | { kind: "concat"; over: string }
  | { kind: "stack"; over: string }
  /** A broadcast dimension, written out. */
  | { kind: "expand" }
  | { kind: "rename"; from: readonly string[]; to: readonly string[] }
  /** The k largest along `over`, in falling order. Output 0: values; 1: indices. */
  | { kind: "topK"; over: string; k: number; output: 0 | 1 };

/** @internal */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Node[];
  /** Dims in the order in which the values lie in memory. */
  readonly dims: readonly Dim[];
  readonly dtype: DType;
}

/**
 * A node, seen with declared dims: a superset of the node's own, in any order. Dims that the node lacks are
 * broadcast.
 */
export interface View {
  /** Internal: what is computed. */
  readonly node: Node;
  /** The dims that are shown. */
  readonly dims: readonly Dim[];
}
