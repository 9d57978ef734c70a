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

/** Values that are kept: as many as a bias of the largest vocabulary has. */
const SMALL = 2 ** 20;

/** The stored values that expressions are made of. */
export function storedIn(outputs: readonly View[]): { values: StoredValues; shape: number[] }[] {
  const found: { values: StoredValues; shape: number[] }[] = [];
  walk(outputs.map((t) => t.node), ({ op, dims }) => {
    if (op.kind === "stored") found.push({ values: op.values, shape: dims.map((d) => Number(d.size)) });
    return true;
  });
  return found;
}

/** The files that these lie in. */
export function filesOf(outputs: readonly View[]): StoredValues["file"][] {
  return [...new Map(storedIn(outputs).map(({ values: { file } }) => [file.path, file])).values()];
}

/** Each node once; those behind one for which `visit` says false are left out unless others lead there. */
function walk(roots: readonly Node[], visit: (node: Node) => boolean): void {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (visit(node)) stack.push(...node.inputs);
  }
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
  walk(roots, (node) => {
    if (!isKept(node)) return true;
    if (!kept.has(node)) wanted.add(node);
    return false;
  });
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
