/**
 * What only the processor has as one operation, in operations that every device has.
 */
import { product } from "./dims.ts";
import type { Graph, Value } from "./graph.ts";
import { counted } from "./memo.ts";

/** log softmax over the last dim: x - m - log Σ exp(x - m), with m the largest. */
export function logSoftmax(graph: Graph, x: Value): string {
  const all = [4 * product(x.shape)], rows = [4 * product(x.shape.slice(0, -1))];
  const last = graph.constant([x.shape.length - 1]);
  const [most] = graph.emit("ReduceMax", [x.name, last], rows, { keepdims: 1 });
  const [below] = graph.emit("Sub", [x.name, most], all);
  const [parts] = graph.emit("Exp", [below], all);
  const [sum] = graph.emit("ReduceSum", [parts, last], rows, { keepdims: 1 });
  const [log] = graph.emit("Log", [sum], rows);
  return graph.emit("Sub", [below, log], all)[0];
}

/** 64-bit indices below `end` as 32-bit integers: cards do not cast them, but look them up. */
export function asInt32(graph: Graph, indices: string, end: number, bytes: number): string {
  const { name } = graph.param(counted(end, "int32"), [{ name: "index", size: end }]);
  return graph.emit("Gather", [name, indices], [bytes], { axis: 0 })[0];
}

/**
 * One block of queries as names of [batch, queries, heads · d_head] and [batch, keys, kvHeads · d_head];
 * `mask` [queries, keys].
 */
export interface Block {
  q: string;
  k: string;
  v: string;
  mask: string;
  batch: number;
  queries: number;
  keys: number;
  heads: number;
  kvHeads: number;
  dHead: number;
  /** d_head of the values. */
  width: number;
}

/**
 * Causal attention: softmax(softCap(scale · q kᵀ) + mask) v → [batch, queries, heads · width]. The heads that
 * share keys and values stand as rows of one matrix, so each product is one stack of matrices and nothing is
 * repeated.
 */
export function attentionBlock(
  graph: Graph,
  { q, k, v, mask, batch, queries, keys, heads, kvHeads, dHead, width }: Block,
  { scale, softCap }: { scale: number; softCap: number },
): string {
  const group = heads / kvHeads, pairs = batch * heads * queries * keys;
  const number = (value: number) => graph.constant([value], "float32", []);
  const turned = (name: string, shape: number[], perm: number[]) =>
    graph.emit("Transpose", [name], [4 * product(shape)], { perm })[0];
  const step = (op: string, ...inputs: string[]) => graph.emit(op, inputs, [4 * pairs])[0];

  const split = [batch, queries, kvHeads, group, dHead];
  const rows = [batch, kvHeads, group * queries, dHead];
  const byHead = turned(graph.reshape(q, [batch, queries, heads * dHead], split), split, [0, 2, 3, 1, 4]);
  const Q = graph.reshape(byHead, [batch, kvHeads, group, queries, dHead], rows);
  const kShape = [batch, keys, kvHeads, dHead], vShape = [batch, keys, kvHeads, width];
  const K = turned(graph.reshape(k, [batch, keys, kvHeads * dHead], kShape), kShape, [0, 2, 3, 1]);
  const V = turned(graph.reshape(v, [batch, keys, kvHeads * width], vShape), vShape, [0, 2, 1, 3]);

  const flat = [batch, kvHeads, group * queries, keys], square = [batch, heads, queries, keys];
  const [products] = graph.emit("MatMul", [Q, K], [4 * pairs], {}, { flops: 2 * pairs * dHead });
  let scores = step("Mul", graph.reshape(products, flat, square), number(scale));
  if (softCap > 0) {
    scores = step("Mul", step("Tanh", step("Div", scores, number(softCap))), number(softCap));
  }
  const [weights] = graph.emit("Softmax", [step("Add", scores, mask)], [4 * pairs], { axis: -1 });
  const [mixed] = graph.emit(
    "MatMul",
    [graph.reshape(weights, square, flat), V],
    [
      4 * batch * heads * queries * width,
    ],
    {},
    { flops: 2 * pairs * width },
  );
  const apart = [batch, kvHeads, group, queries, width];
  const back = turned(graph.reshape(mixed, [batch, kvHeads, group * queries, width], apart), apart, [
    0,
    3,
    1,
    2,
    4,
  ]);
  return graph.reshape(back, [batch, queries, kvHeads, group, width], [batch, queries, heads * width]);
}
