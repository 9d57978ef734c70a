/** Lowers a part of a value along one dim (select, slice, prefix), wherever the value lies. */
import { describe, type Dim, find, names, product, without } from "./dims.ts";
import type { Graph, Value } from "./graph.ts";
import type { Node, Op } from "./node.ts";

export type PartOp = Extract<Op, { kind: "select" | "slice" | "prefix" }>;

/** Sizes that are symbols are known only now. @throws where `over` has fewer than `wanted` places */
export function checkReach(
  graph: Graph,
  operation: string,
  dims: readonly Dim[],
  over: string,
  wanted: number,
): void {
  const size = graph.size(find(dims, over)!);
  if (wanted <= size) return;
  throw new Error(
    `${operation} of ${describe(dims)}: "${over}" has ${size} places here; expected at least ${wanted}`,
  );
}

/** The places along `op.over` that a part takes, from `start` to before `end`. @throws where these lack */
export function placesOf(
  graph: Graph,
  op: PartOp,
  { inputs: [from], dims }: Node,
): { start: number; end: number } {
  const end = op.kind === "select"
    ? op.index + 1
    : op.kind === "slice"
    ? op.end
    : graph.size(find(dims, op.over)!);
  checkReach(graph, op.kind, from.dims, op.over, end);
  return { start: op.kind === "select" ? op.index : op.kind === "slice" ? op.start : 0, end };
}

/** The part of `x` that `node` is. @param width bytes of a value of `x` */
export function takePart(graph: Graph, op: PartOp, node: Node, x: Value, width = 4): Value {
  const { start, end } = placesOf(graph, op, node);
  const axis = names(x.dims).indexOf(op.over);
  const cut = op.kind === "select"
    ? without(x.dims, [op.over])
    : x.dims.map((d) => d.name === op.over ? find(node.dims, op.over)! : d);
  const part = graph.value("", cut, x.dtype), bytes = [width * product(part.shape)];
  if (op.kind === "select") {
    const index = graph.constant([start], "int64", []);
    return { ...part, name: graph.emit("Gather", [x.name, index], bytes, { axis })[0] };
  }
  const bounds = [[start], [end], [axis]].map((v) => graph.constant(v));
  return { ...part, name: graph.emit("Slice", [x.name, ...bounds], bytes)[0] };
}
