/**
 * Common subexpressions: nodes with the same operation on the same operands become one node, whoever built
 * them, so that a patched forward pass shares with the clean one all that the patch does not reach.
 */
import type { Data, Node, Op } from "./node.ts";

const arrays = new WeakMap<ArrayBufferLike, number>();
let count = 0;

function identity(data: Data): string {
  if (!arrays.has(data.buffer)) arrays.set(data.buffer, count++);
  return `${arrays.get(data.buffer)}+${data.byteOffset}:${data.length}`;
}

function describe(op: Op): string {
  if (op.kind === "param") return `param ${identity(op.data)}`;
  if (op.kind === "stored") {
    const { file: { path, stamp }, offset, type } = op.values;
    return `stored ${path} ${stamp} ${offset} ${type}`;
  }
  if (op.kind === "input") return `input ${op.name}`;
  if (op.kind === "constant") return `constant ${op.value}`; // JSON has no infinities and no NaN
  return JSON.stringify(op);
}

/** The canonical node for each root, and how many canonical nodes (and roots) use each. */
export function canonicalise(roots: readonly Node[]): { roots: Node[]; uses: Map<Node, number> } {
  const ids = new Map<Node, number>();
  const byKey = new Map<string, { id: number; node: Node }>();
  const canonical: Node[] = [];
  const uses = new Map<Node, number>();

  const visit = (root: Node): Node => {
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack[stack.length - 1];
      if (ids.has(node)) {
        stack.pop();
        continue;
      }
      const pending = node.inputs.filter((input) => !ids.has(input));
      if (pending.length > 0) {
        stack.push(...pending);
        continue;
      }
      stack.pop();
      const inputs = node.inputs.map((input) => ids.get(input)!);
      const dims = node.dims.map((d) => `${d.name}=${d.size}`).join();
      const key = `${describe(node.op)}(${inputs})[${dims}]${node.dtype}`;
      let known = byKey.get(key);
      if (!known) {
        known = { id: canonical.length, node: { ...node, inputs: inputs.map((i) => canonical[i]) } };
        byKey.set(key, known);
        canonical.push(known.node);
        for (const input of known.node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
      }
      ids.set(node, known.id);
    }
    return canonical[ids.get(root)!];
  };

  const result = roots.map(visit);
  for (const root of result) uses.set(root, (uses.get(root) ?? 0) + 1);
  return { roots: result, uses };
}

/** Whether two expressions compute the same, operation by operation. */
export function sameExpression(a: Node, b: Node): boolean {
  if (a === b) return true;
  const { roots } = canonicalise([a, b]);
  return roots[0] === roots[1];
}
