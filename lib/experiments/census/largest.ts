/** The nodes with the largest direct effect along a direction. */
import { headDots } from "../../metrics/projection.ts";
import { atPositions } from "../../metrics/retention.ts";
import { type Feeds, run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { ModelNode } from "../../transformer/nodes.ts";

/**
 * The names of the `most` of some heads and MLPs with the largest Σ (w·u)² over all prompts, position 0
 * apart, the largest first. u: [batch, pos, d_model].
 */
export async function largest(
  clean: Forward,
  u: Tensor,
  nodes: readonly ModelNode[],
  most: number,
  feeds: Feeds,
  options: RunOptions,
): Promise<string[]> {
  const keyOf = (node: ModelNode) => node.kind === "head" ? `heads of layer ${node.layer}` : node.name;
  const outputs: Record<string, Tensor> = {};
  for (const node of nodes) {
    const dots = () =>
      node.kind === "head" ? headDots(clean, node.layer, u) : clean.node(node.name).dot(u, "d_model");
    outputs[keyOf(node)] ??= atPositions(dots()).sumSquares("pos");
  }
  const values = await run(outputs, feeds, { ...options, onProgress: undefined });
  const sizes = new Map(nodes.map((node) => {
    const { data } = values[keyOf(node)];
    const [at, step] = node.kind === "head" ? [node.head, clean.config.n_heads] : [0, 1];
    let sum = 0;
    for (let i = at; i < data.length; i += step) sum += data[i];
    return [node.name, sum];
  }));
  return [...sizes].sort((a, b) => b[1] - a[1]).slice(0, most).map(([name]) => name);
}
