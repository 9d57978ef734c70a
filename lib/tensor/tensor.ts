/**
 * Lazy tensors with named dimensions: the vocabulary in which models, interventions and metrics are written.
 *
 * Nothing is computed here. An operation returns a new {@linkcode Tensor} that remembers how it is made;
 * `run` (run.ts) compiles exactly what is asked for. Operands are aligned by the names of their dims, never
 * by place, and a tensor that lacks a dimension of the other is broadcast along it. When neither operand has
 * all the other's dims, the operation throws: an outer product is asked for by `expand`.
 *
 * **The invariant: a broadcast dimension is in the view, never in the node.** A tensor is a view: a node,
 * which says what is computed and over which dims, and the dims that the tensor shows, a superset of the
 * node's in any order. So `expand` and `order` cost nothing, and what is done to a broadcast tensor is done
 * once, not once for each element of the dimension:
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const scale = param("scale", Float32Array.of(2, 3), [{ name: "pos", size: 2 }]);
 * const wide = scale.expand("head", 8).exp(); // shown as [pos, head] …
 * assertEquals(wide.names, ["pos", "head"]);
 * assertEquals(wide.node.dims.map(({ name }) => name), ["pos"]); // … but 2 exponentials are computed, not 16
 * ```
 *
 * How to add an operation: lib/README.md.
 *
 * @module
 */
import * as build from "./build.ts";
import * as parts from "./build_index.ts";
import type { Device } from "./device.ts";
import { describe, type Dim, names, type Size } from "./dims.ts";
import type { BinaryKind, CompareKind, Data, Node, StoredValues, UnaryKind, View } from "./node.ts";
import { dtypeOf } from "./node.ts";

/**
 * A lazy tensor [named dims]: remembers how it is made, and holds no values. Immutable.
 *
 * @example
 * ```ts
 * import { run } from "./run.ts";
 * const x = iota("pos", 3).add(1);
 * const { length } = await run({ length: x.sumSquares("pos").sqrt() }, {});
 * console.log(length.data[0].toFixed(2)); // √14 = 3.74
 * ```
 */
export class Tensor implements View {
  /** Internal: the expression behind this tensor. */
  readonly node: Node;
  /** The dims, in the order in which a run returns them. */
  readonly dims: readonly Dim[];

  /** Internal: use `param`, `input`, `constant`, `iota`, and the operations. */
  constructor(view: View) {
    this.node = view.node;
    this.dims = view.dims;
  }

  /** Names of the dims, such as `["batch", "pos", "d_model"]`. */
  get names(): string[] {
    return names(this.dims);
  }

  #binary(op: BinaryKind, other: Tensor | number): Tensor {
    return new Tensor(build.binary(op, this, build.operand(op.toLowerCase(), other, this)));
  }

  /** this + other, element by element. Dims meet by name. */
  add(other: Tensor | number): Tensor {
    return this.#binary("Add", other);
  }

  /** this − other, element by element. */
  sub(other: Tensor | number): Tensor {
    return this.#binary("Sub", other);
  }

  /** this · other, element by element. */
  mul(other: Tensor | number): Tensor {
    return this.#binary("Mul", other);
  }

  /** this / other, element by element. */
  div(other: Tensor | number): Tensor {
    return this.#binary("Div", other);
  }

  /** The larger of the two, element by element. */
  atLeast(other: Tensor | number): Tensor {
    return this.#binary("Max", other);
  }

  /** The smaller of the two, element by element. */
  atMost(other: Tensor | number): Tensor {
    return this.#binary("Min", other);
  }

  #unary(op: UnaryKind, approximate?: "tanh"): Tensor {
    return new Tensor(build.along({ kind: "unary", op, ...(approximate && { approximate }) }, this));
  }

  /** −x. */
  neg(): Tensor {
    return this.#unary("Neg");
  }

  /** |x|. */
  abs(): Tensor {
    return this.#unary("Abs");
  }

  /** eˣ. */
  exp(): Tensor {
    return this.#unary("Exp");
  }

  /** The natural logarithm. */
  log(): Tensor {
    return this.#unary("Log");
  }

  /** √x. */
  sqrt(): Tensor {
    return this.#unary("Sqrt");
  }

  /** 1 / x. */
  reciprocal(): Tensor {
    return this.#unary("Reciprocal");
  }

  /** The hyperbolic tangent. */
  tanh(): Tensor {
    return this.#unary("Tanh");
  }

  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): Tensor {
    return this.#unary("Sigmoid");
  }

  /** max(x, 0). */
  relu(): Tensor {
    return this.#unary("Relu");
  }

  /** x · Φ(x). Exact (erf) unless the tanh approximation is asked for. */
  gelu(approximate?: "tanh"): Tensor {
    return this.#unary("Gelu", approximate);
  }

  /** Σ over the dims `over` of this · other. Dims that both have and that are not summed meet by name. */
  dot(other: Tensor, ...over: string[]): Tensor {
    return new Tensor(build.contract(this, other, over));
  }

  /** Σ over the dims `over`, which the result lacks. */
  sum(...over: string[]): Tensor {
    return new Tensor(build.reduce("ReduceSum", this, over));
  }

  /** The mean over the dims `over`, which the result lacks. */
  mean(...over: string[]): Tensor {
    return new Tensor(build.reduce("ReduceMean", this, over));
  }

  /** The largest over the dims `over`, which the result lacks. */
  max(...over: string[]): Tensor {
    return new Tensor(build.reduce("ReduceMax", this, over));
  }

  /** Σ x² over the dims `over`. */
  sumSquares(...over: string[]): Tensor {
    return new Tensor(build.reduce("ReduceSumSquare", this, over));
  }

  /** log Σ exp(x), without overflow. Spelt out: ONNX Runtime's ReduceLogSumExp takes 4 times as long. */
  logSumExp(...over: string[]): Tensor {
    const largest = this.max(...over);
    return this.sub(largest).exp().sum(...over).log().add(largest);
  }

  /** log softmax(x): half the cost of x - logSumExp(x). */
  logSoftmax(over: string): Tensor {
    return new Tensor(build.along({ kind: "softmax", over, log: true }, this, [], over));
  }

  /** eˣ / Σ eˣ along a dimension. */
  softmax(over: string): Tensor {
    return new Tensor(build.along({ kind: "softmax", over }, this, [], over));
  }

  /** Other names for dims: `pattern.rename({ pos: "query" })`. */
  rename(map: Readonly<Record<string, string>>): Tensor {
    return new Tensor(build.rename(this, map));
  }

  /** Broadcasts along a new dimension. Costs nothing; without a size it takes that of whatever it meets. */
  expand(name: string, size?: Size): Tensor {
    return new Tensor(build.expand(this, name, size));
  }

  /** The same tensor with its dims in another order. Costs nothing unless a run returns it. */
  order(...wanted: string[]): Tensor {
    return new Tensor(build.order(this, wanted));
  }

  /** One slice, without the dimension: `z.select("head", 2)`. */
  select(over: string, index: number): Tensor {
    return new Tensor(parts.select(this, over, index));
  }

  /** The slices `start … end - 1`. */
  slice(over: string, start: number, end: number): Tensor {
    return new Tensor(parts.slice(this, over, start, end));
  }

  /** The `k` largest along `over`, in falling order, and where they stand. */
  topK(over: string, k: number): { values: Tensor; indices: Tensor } {
    return parts.topK(this, over, k, (view) => new Tensor(view));
  }

  /** One slice of this table for each index: `W_E.gather("d_vocab", tokens)`. */
  gather(over: string, indices: Tensor): Tensor {
    return new Tensor(parts.gather(this, over, indices));
  }

  /** One element along `over` for each index: `logits.pick("d_vocab", targets)`. */
  pick(over: string, indices: Tensor): Tensor {
    return new Tensor(parts.pick(this, over, indices));
  }

  /** The first rows of a table, as many as the symbol `size` says in a run: `W_pos.prefix("pos", "pos")`. */
  prefix(over: string, size: string): Tensor {
    return new Tensor(parts.prefix(this, over, size));
  }
}

/**
 * A fixed array, fed by reference. `dims` in the order in which the values lie in memory.
 *
 * @example
 * ```ts
 * const w = param("w", Float32Array.of(1, 2, 3), [{ name: "pos", size: 3 }]);
 * console.log(w.mul(2).names); // ["pos"]: nothing is computed yet
 * ```
 */
export function param(label: string, data: Data, dims: readonly Dim[], device?: Device): Tensor {
  build.distinct(`param ${label}`, dims);
  const expected = dims.reduce((n, d) => n * Number(d.size), 1);
  if (data.length !== expected) {
    throw new Error(
      `param ${label}: got ${data.length} values for ${
        describe(dims)
      }; expected ${expected} (sizes are numbers)`,
    );
  }
  const op = { kind: "param", data, label, ...(device && { device }) } as const;
  return new Tensor(build.view(op, [], dims, dtypeOf(data)));
}

/**
 * An array that stays in its file. `dims`, whose sizes are numbers, in the order in which the values lie
 * there.
 */
export function stored(label: string, values: StoredValues, dims: readonly Dim[]): Tensor {
  build.distinct(`stored ${label}`, dims);
  return new Tensor(build.view({ kind: "stored", values, label }, [], dims, "float32"));
}

/** What a run is given. The first dimension is "batch". */
export function input(
  name: string,
  dims: readonly Dim[],
  options: { below?: number; atMost?: Record<string, number>; dtype?: "float32" | "int32" } = {},
): Tensor {
  const { dtype = "int32", ...limits } = options;
  build.distinct(`input "${name}"`, dims);
  if (dims[0]?.name !== "batch" || dims[0].size !== "batch") {
    throw new Error(`input "${name}": got ${describe(dims)}; expected "batch", of size "batch", first`);
  }
  return new Tensor(build.view({ kind: "input", name, ...limits }, [], dims, dtype));
}

/**
 * A number, as a tensor without dims.
 *
 * @example
 * ```ts
 * const half = constant(1).div(2); // without dims: it is broadcast along all
 * console.log(half.names); // []
 * ```
 */
export function constant(value: number): Tensor {
  return new Tensor(build.constant(value));
}

/**
 * 0, 1, 2 … along one dimension, as float32: exact up to 2^24.
 *
 * @example
 * ```ts
 * import { run } from "./run.ts";
 * const { squares } = await run({ squares: iota("pos", 4).mul(iota("pos", 4)) }, {});
 * console.log(squares.data); // 0, 1, 4, 9
 * ```
 */
export function iota(name: string, size: Size): Tensor {
  return new Tensor(build.view({ kind: "iota" }, [], [{ name, size }], "float32"));
}

/**
 * `a op b ? then : otherwise`, element by element.
 *
 * @example
 * ```ts
 * import { run } from "./run.ts";
 * const pos = iota("pos", 4);
 * const { rest } = await run({ rest: where(pos, "Less", 1, 0, pos) }, {});
 * console.log(rest.data); // 0, 1, 2, 3: position 0 is replaced by 0
 * ```
 */
export function where(
  a: Tensor,
  op: CompareKind,
  b: Tensor | number,
  then: Tensor | number,
  otherwise: Tensor | number,
): Tensor {
  const [left, right] = [build.operand("where", then, otherwise), build.operand("where", otherwise, then)];
  return new Tensor(build.where(op, a, build.operand("where", b, a), left, right));
}

/**
 * Joins tensors of equal dims along a new dimension.
 *
 * @example
 * ```ts
 * import { run } from "./run.ts";
 * const both = stack([iota("pos", 3), iota("pos", 3).mul(10)], "which");
 * const { values } = await run({ values: both.order("which", "pos") }, {});
 * console.log(values.shape); // [2, 3]
 * ```
 */
export function stack(tensors: readonly Tensor[], over: string): Tensor {
  return new Tensor(parts.stack(tensors, over));
}

/**
 * Joins tensors of equal dims along one of them, whose size may differ.
 *
 * @example
 * ```ts
 * import { run } from "./run.ts";
 * const { all } = await run({ all: concat([iota("pos", 2), iota("pos", 3)], "pos") }, {});
 * console.log(all.data); // 0, 1, 0, 1, 2
 * ```
 */
export function concat(tensors: readonly Tensor[], over: string): Tensor {
  return new Tensor(parts.concat(tensors, over));
}
