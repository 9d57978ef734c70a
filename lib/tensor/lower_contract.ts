/**
 * Lowers Σ over named dims to one matrix product. With B the dims that both operands keep, M and N those of
 * one only and K the summed ones, operands become [B, M, K] and [B, K, N] (either matrix may be transposed as
 * it lies; a dim moves in memory only where it must), so that a product with weights is one large GEMM over
 * batch × pos.
 */
import { find, has, names, product } from "./dims.ts";
import type { Graph, Value } from "./graph.ts";

/** `bias`, over exactly the N dims, is added where the product is a single GEMM; see `canTakeBias`. */
export function lowerContract(
  graph: Graph,
  left: Value,
  right: Value,
  over: readonly string[],
  bias?: Value,
): Value {
  let [a, b] = activationsFirst(graph, left, right);
  const batch = names(a.dims).filter((n) => !over.includes(n) && has(b.dims, n));
  const m = names(a.dims).filter((n) => !has(b.dims, n));
  const n = names(b.dims).filter((name) => !has(a.dims, name));
  const k = names(b.dims).filter((name) => over.includes(name));
  const inner = kOrder(names(a.dims), over, k);
  if (m.length === 0 && n.length === 0) return dotRows(graph, a, b, over);

  // Stacks of matrices that are read transposed are an operation of the processor alone (FusedMatMul).
  const asItLies = graph.fused || batch.length === 0;
  const layouts = (plain: string[], transposed: string[]) => asItLies ? [plain, transposed] : [plain];
  a = tryLayouts(graph, a, layouts([...batch, ...m, ...inner], [...batch, ...inner, ...m]));
  b = tryLayouts(graph, b, layouts([...batch, ...inner, ...n], [...batch, ...n, ...inner]));
  const transA = !endsWith(a, inner), transB = n.length > 0 && endsWith(b, inner);
  const count = (value: Value, wanted: string[]) =>
    product(wanted.map((name) => graph.size(find(value.dims, name)!)));
  const [B, M, N, K] = [count(a, batch), count(a, m), count(b, n), count(a, inner)];

  const dims = [...batch, ...m].map((name) => find(a.dims, name)!).concat(
    n.map((name) => find(b.dims, name)!),
  );
  const result = graph.value("", dims, "float32");
  const lead = batch.length > 0 ? [B] : [];
  const x = graph.reshape(a.name, a.shape, [...lead, ...(transA ? [K, M] : [M, K])]);
  const y = graph.reshape(b.name, b.shape, [...lead, ...(transB ? [N, K] : [K, N])]);
  const bytes = [4 * B * M * N];
  const flops = 2 * B * M * N * K;
  let name: string;
  if (batch.length === 0 && (bias || transA || transB)) {
    const inputs = [x, y, ...(bias ? [graph.reshape(bias.name, bias.shape, [N])] : [])];
    [name] = graph.emit("Gemm", inputs, bytes, { transA: Number(transA), transB: Number(transB) }, { flops });
  } else if (transA || transB) {
    const attributes = { transA: Number(transA), transB: Number(transB) };
    [name] = graph.emit("FusedMatMul", [x, y], bytes, attributes, { domain: "com.microsoft", flops });
  } else {
    [name] = graph.emit("MatMul", [x, y], bytes, {}, { flops });
  }
  return { ...result, name: graph.reshape(name, [...lead, M, N], result.shape) };
}

/**
 * a · b row by row: a product of [1, K] and [K, 1] matrices for each row costs more in calls than in work, so
 * the elements are multiplied and summed in two passes.
 */
function dotRows(graph: Graph, a: Value, b: Value, over: readonly string[]): Value {
  const other = graph.arrange(b, names(a.dims));
  const count = product(a.shape);
  const [multiplied] = graph.emit("Mul", [a.name, other.name], [4 * count]);
  const rest = a.dims.filter((d) => !over.includes(d.name));
  const result = graph.value("", rest, "float32");
  const axes = graph.constant(a.dims.flatMap((d, i) => over.includes(d.name) ? [i] : []));
  const bytes = [4 * product(result.shape)];
  const [name] = graph.emit("ReduceSum", [multiplied, axes], bytes, { keepdims: 0 }, { flops: 2 * count });
  return { ...result, name };
}

/**
 * Whether `bias` could be added inside the product of `left` and `right`: no shared dims, and exactly the
 * weights' own.
 */
export function canTakeBias(
  graph: Graph,
  left: Value,
  right: Value,
  over: readonly string[],
  bias: readonly string[],
): boolean {
  const shared = names(left.dims).some((n) => !over.includes(n) && has(right.dims, n));
  const [a, b] = activationsFirst(graph, left, right);
  const n = names(b.dims).filter((name) => !has(a.dims, name));
  return !shared && n.length > 0 && n.length === bias.length && n.every((name, i) => name === bias[i]);
}

/**
 * Weights come second, so that the result lies as [batch, pos, …] and takes a bias; of two of a kind the one
 * with more dims of its own comes first.
 */
function activationsFirst(graph: Graph, left: Value, right: Value): [Value, Value] {
  const [fixedLeft, fixedRight] = [left, right].map((value) => graph.isWeight(value.name));
  const swap = fixedLeft !== fixedRight
    ? fixedLeft
    : product(ownSizes(right, left)) > product(ownSizes(left, right));
  return swap ? [right, left] : [left, right];
}

function ownSizes(value: Value, other: Value): number[] {
  return value.dims.flatMap((d, i) => has(other.dims, d.name) ? [] : [value.shape[i]]);
}

/** The order of the summed dims: as they lie in `a` when they lie together at its end, else as in `b`. */
function kOrder(a: string[], over: readonly string[], k: string[]): string[] {
  const inA = a.filter((n) => over.includes(n));
  const together = inA.every((n, i) => a[a.length - inA.length + i] === n);
  return together ? inA : k;
}

function endsWith(value: Value, tail: readonly string[]): boolean {
  const all = names(value.dims);
  return tail.every((n, i) => all[all.length - tail.length + i] === n);
}

/** The first layout that the value already has, else the first, by a transposition. */
function tryLayouts(graph: Graph, value: Value, layouts: string[][]): Value {
  const has = names(value.dims);
  const free = layouts.find((layout) => layout.every((n, i) => n === has[i]));
  return graph.arrange(value, free ?? layouts[0]);
}
