/**
 * Moves work from weights that lie in a file to what they are multiplied with. A processed weight is an
 * expression over stored values (a row scaled, a mean taken out); computed as written it would cost a pass
 * over all of them in each batch. The same numbers come of a pass over the activations, which are far fewer:
 *
 *     x · (W ∘ v)              = (x ∘ v) · W            v along dims that are summed
 *     x · (W ∘ v)              = (x · W) ∘ v            v along dims that are not
 *     x · (W - mean_e W)       = (x - mean_e x) · W     e is summed
 *     x · (W - mean_e W)       = y - mean_e y, y = x · W   e is not
 *     (W ∘ v)[i], (W - mean_e W)[i], f(W)[i]            of the rows i alone
 *     mean_e (W ∘ v)           = mean_e W ∘ v           v without e
 *
 * Expressions over arrays in memory stay as they are.
 */
import * as build from "./build.ts";
import * as parts from "./build_index.ts";
import { has } from "./dims.ts";
import type { Node, Op, View } from "./node.ts";

/** Computed once a node; it may ask for that of the node's inputs. */
function perNode<T>(compute: (node: Node) => T): (node: Node) => T {
  const known = new WeakMap<Node, { value: T }>();
  return (node) => {
    let found = known.get(node);
    if (!found) known.set(node, found = { value: compute(node) });
    return found.value;
  };
}

type Indexing = Extract<Op, { kind: "gather" | "select" | "slice" | "prefix" }>;

const isIndexing = (op: Op): op is Indexing => ["gather", "select", "slice", "prefix"].includes(op.kind);

const seen = (node: Node): View => ({ node, dims: node.dims });

/** Whether a node is a stored weight, or one that elementwise steps or the choice of parts made of it. */
const isWeight = perNode(({ op, inputs }: Node): boolean => {
  const elementwise = op.kind === "binary" || op.kind === "unary" || op.kind === "rename";
  return op.kind === "stored" || (elementwise && inputs.some(isWeight) && inputs.every(isFixed)) ||
    (isIndexing(op) && isWeight(inputs[0]) && inputs.every(isFixed));
});

/** Whether a node is the same in every run: it depends on no input, and no size of its is a symbol. */
export const isFixed = perNode(({ op, dims, inputs }: Node): boolean =>
  op.kind !== "input" && dims.every((d) => typeof d.size === "number") && inputs.every(isFixed)
);

/** Whether values in a file are among what a node is made of. */
export const usesFile = perNode(({ op, inputs }: Node): boolean =>
  op.kind === "stored" || inputs.some(usesFile)
);

/** The same values, with less work on stored weights. Equal nodes give equal nodes. */
export const lighten: (node: Node) => Node = perNode((node) => {
  const other = rewrite(node);
  if (other) return lighten(other);
  const inputs = node.inputs.map(lighten);
  return inputs.every((input, i) => input === node.inputs[i]) ? node : { ...node, inputs };
});

function rewrite(node: Node): Node | undefined {
  const { op, inputs } = node;
  let made: View | undefined;
  if (op.kind === "contract") {
    const at = inputs.findIndex(isWeight);
    if (at >= 0) made = product(inputs[1 - at], inputs[at], op.over);
  } else if (op.kind === "reduce" && op.op !== "ReduceMax" && op.op !== "ReduceSumSquare") {
    const [W, v] = scaled(inputs[0]);
    if (v && op.over.every((name) => !has(v.dims, name))) {
      made = build.binary("Mul", build.reduce(op.op, seen(W), op.over), seen(v));
    }
  } else if (isIndexing(op) && isWeight(inputs[0])) made = indexed(op, inputs);
  if (!made) return undefined;
  const same = made.node.dims.length === node.dims.length &&
    node.dims.every((d) => has(made.node.dims, d.name));
  return same ? made.node : undefined;
}

/** x · W, with what was done to W done to x or to the product. */
function product(x: Node, W: Node, over: readonly string[]): View | undefined {
  const [stored, v] = scaled(W);
  if (v) {
    if (v.dims.every((d) => over.includes(d.name))) {
      return build.contract(build.binary("Mul", seen(x), seen(v)), seen(stored), over);
    }
    if (v.dims.every((d) => !over.includes(d.name))) {
      return build.binary("Mul", build.contract(seen(x), seen(stored), over), seen(v));
    }
  }
  const [whole, dims] = centred(W);
  if (!dims) return undefined;
  const centre = (t: View) => build.binary("Sub", t, build.reduce("ReduceMean", t, dims));
  if (dims.every((name) => over.includes(name))) return build.contract(centre(seen(x)), seen(whole), over);
  if (dims.every((name) => !over.includes(name) && !has(x.dims, name))) {
    return centre(build.contract(seen(x), seen(whole), over));
  }
  return undefined;
}

/** W and v of W ∘ v. */
function scaled({ op, inputs, dims }: Node): [W: Node, v?: Node] {
  if (op.kind === "binary" && op.op === "Mul") {
    const at = inputs.findIndex((input) => isWeight(input) && input.dims.length === dims.length);
    if (at >= 0 && !isWeight(inputs[1 - at])) return [inputs[at], inputs[1 - at]];
    // A factor may lie in the file too: it is the smaller.
    if (at >= 0 && inputs[1 - at].dims.length < dims.length) return [inputs[at], inputs[1 - at]];
  }
  return [inputs[0]];
}

/** W and e of W - mean_e W. */
function centred({ op, inputs: [W, mean] }: Node): [W: Node, over?: readonly string[]] {
  if (op.kind === "binary" && op.op === "Sub" && isWeight(W)) {
    if (mean.op.kind === "reduce" && mean.op.op === "ReduceMean" && mean.inputs[0] === W) {
      return [W, mean.op.over];
    }
  }
  return [W];
}

/** The choice of rows before what was done to all of them. */
function indexed(op: Indexing, [from, indices]: readonly Node[]): View | undefined {
  const choose = (t: Node): View => {
    if (!has(t.dims, op.over)) return seen(t);
    switch (op.kind) {
      case "gather":
        return parts.gather(seen(t), op.over, seen(indices));
      case "select":
        return parts.select(seen(t), op.over, op.index);
      case "slice":
        return parts.slice(seen(t), op.over, op.start, op.end);
      case "prefix":
        return parts.prefix(seen(t), op.over, op.size);
    }
  };
  /** The mean of each chosen row, where a mean is taken of all rows. */
  const operand = (t: Node): View =>
    t.op.kind === "reduce" && has(t.dims, op.over) && isWeight(t.inputs[0])
      ? build.reduce(t.op.op, choose(t.inputs[0]), t.op.over)
      : choose(t);
  if (from.op.kind === "unary") return build.along(from.op, choose(from.inputs[0]));
  if (from.op.kind !== "binary") return undefined;
  const [a, b] = from.inputs.map(operand);
  return build.binary(from.op.op, a, b);
}
