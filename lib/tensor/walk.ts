/** Expressions, looked through: a node that is used twice is met once. */
import type { Node, Op } from "./node.ts";

/**
 * Each node behind `roots`, these included. What stands behind a node for which `enter` says false is left
 * out, unless others lead there.
 */
export function* walk(roots: Iterable<Node>, enter: (node: Node) => boolean = () => true): Generator<Node> {
  const seen = new Set<Node>(), stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    yield node;
    if (enter(node)) stack.push(...node.inputs);
  }
}

/** An array in memory, or values in a file. */
export type Leaf = Node & { op: Extract<Op, { kind: "param" | "stored" }> };

/** The fixed values that expressions are made of. */
export function* leavesIn(roots: Iterable<Node>): Generator<Leaf> {
  for (const node of walk(roots)) if (isLeaf(node)) yield node;
}

const isLeaf = (node: Node): node is Leaf => node.op.kind === "param" || node.op.kind === "stored";
