/**
 * What is done to expressions before a run, where they use weights that lie in a file: work moves from
 * weights to activations (lighten.ts), and what is small and the same in every run (a bias with something
 * folded into it, the weights of a norm) is computed once and kept. Expressions over arrays in memory alone
 * pass as they are.
 */
import { product } from "./dims.ts";
import { isFixed, lighten, usesFile } from "./lighten.ts";
import { Lowering } from "./lower.ts";
import type { Data, Node, StoredValues, View } from "./node.ts";
import type { CreateSession } from "./session.ts";
import { leavesIn, walk } from "./walk.ts";

/** Values that are kept: as many as a bias of the largest vocabulary has. */
const SMALL = 2 ** 20;

/** The files that values of expressions lie in. */
export function filesOf(outputs: readonly View[]): StoredValues["file"][] {
  const found = new Map<string, StoredValues["file"]>();
  for (const { op } of leavesIn(outputs.map((t) => t.node))) {
    if (op.kind === "stored") found.set(op.values.file.path, op.values.file);
  }
  return [...found.values()];
}

/** The same outputs, as they cost least work on stored weights. */
export function lightened<T extends View>(outputs: Readonly<Record<string, T>>): Record<string, View> {
  const made = Object.entries(outputs).map(([name, { node, dims }]) => [name, { node: lighten(node), dims }]);
  return Object.fromEntries(made);
}

const kept = new WeakMap<Node, Node>();

/** Outputs in which what is small and fixed is an array. */
export async function withKept(
  outputs: Readonly<Record<string, View>>,
  create: CreateSession,
  threads?: number,
): Promise<Record<string, View>> {
  const wanted = new Set<Node>();
  const roots = Object.values(outputs).map((t) => t.node);
  for (const node of walk(roots, (node) => !isKept(node))) {
    if (isKept(node) && !kept.has(node)) wanted.add(node);
  }
  if (wanted.size > 0) {
    const nodes = [...wanted];
    const arrays = await evaluate(nodes, create, threads);
    nodes.forEach(({ dims }, i) => {
      const op = { kind: "param", data: arrays[i], label: "kept" } as const;
      kept.set(nodes[i], { op, inputs: [], dims, dtype: "float32" });
    });
  }
  const made = new Map<Node, Node>();
  const replace = (node: Node): Node => {
    const known = kept.get(node) ?? made.get(node);
    if (known) return known;
    const inputs = node.inputs.map(replace);
    const result = inputs.every((input, i) => input === node.inputs[i]) ? node : { ...node, inputs };
    made.set(node, result);
    return result;
  };
  const all = Object.entries(outputs).map(([name, { node, dims }]) => [name, { node: replace(node), dims }]);
  return Object.fromEntries(all);
}

function isKept(node: Node): boolean {
  return isFixed(node) && node.dtype === "float32" && usesFile(node) &&
    product(node.dims.map((d) => Number(d.size))) <= SMALL;
}

async function evaluate(nodes: readonly Node[], create: CreateSession, threads?: number): Promise<Data[]> {
  const outputs = Object.fromEntries(nodes.map((node, i) => [i, { node, dims: node.dims }]));
  const { graph, outputs: made } = new Lowering(outputs, {});
  const session = await create(graph.finish(), threads);
  try {
    const results = await session.run(graph.params);
    return nodes.map((_, i) => results.get(made.get(String(i))!.from)!.slice());
  } finally {
    await session.release?.();
  }
}
