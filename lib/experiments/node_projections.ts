/**
 * Figures 2 and 3b: what every node writes along the writer's direction: PR of a node's output onto the
 * writer's. Clean-up heads stand out below 0, and the sum over them tells how much of the writer's output
 * they erase together.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { headProjectionRatios, projectionRatio } from "../metrics/projection.ts";
import type { Results } from "../tensor/outputs.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Model } from "../transformer/model.ts";
import { findNode, type ModelNode, modelNodes } from "../transformer/nodes.ts";
import { type Bands, type Experiment, measure, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import type { NodeRow, RunName } from "./rows.ts";

export interface NodeProjectionOptions {
  /** Nodes to look at. Default: all but the writer. */
  nodes?: readonly string[];
  /** Nodes that are marked as cleaners and summed. */
  cleaners: readonly string[];
  run?: RunName;
}

/**
 * The name of a sum over nodes: "L2H2+…+L2H7".
 *
 * @example
 * ```ts
 * console.log(sumName(["L2H2", "L2H3", "L2H7"])); // "L2H2+…+L2H7"
 * ```
 */
export function sumName(nodes: readonly string[]): string {
  if (nodes.length === 1) return nodes[0];
  return `${nodes[0]}+${nodes.length > 2 ? "…+" : ""}${nodes.at(-1)}`;
}

/**
 * Onto `writer`, the clean run's output of the node `name`; `forward` is the run whose nodes are looked at.
 */
export function nodesOntoWriter(
  forward: Forward,
  name: string,
  writer: Tensor,
  { nodes, cleaners, run = "clean" }: NodeProjectionOptions,
): Experiment<NodeRow> {
  const { config } = forward;
  const shown = nodes
    ? nodes.map((n) => findNode(config, n))
    : modelNodes(config).filter((n) => n.name !== name);
  const summed = cleaners.map((n) => findNode(config, n));
  const headsOf: Record<number, Tensor> = {}, others: Record<string, Tensor> = {};
  for (const node of [...shown, ...summed]) {
    if (node.kind === "head") headsOf[node.layer] ??= headProjectionRatios(forward, node.layer, writer);
    else others[node.name] ??= projectionRatio(forward.node(node.name), writer);
  }
  const outputs = { squared: writer.sumSquares("d_model"), headsOf, others };
  const rows = (values: Results<typeof outputs>, bands: Bands): NodeRow[] => {
    const squared = bands.series(values.squared);
    const series = (node: ModelNode) =>
      node.kind === "head"
        ? bands.series(values.headsOf[node.layer], node.head)
        : bands.series(values.others[node.name]);
    const row = (node: ModelNode): NodeRow => ({
      writer: name,
      node: node.name,
      kind: node.kind,
      layer: node.layer,
      cleaner: cleaners.includes(node.name),
      run,
      ...bands.bandOfRatios(series(node), squared),
    });
    const sum = (group: readonly ModelNode[]): NodeRow => {
      const total = series(group[0]);
      for (const node of group.slice(1)) series(node).forEach((v, i) => total[i] += v);
      const layer = Math.max(...group.map((n) => n.layer));
      const node = sumName(group.map((n) => n.name));
      return {
        writer: name,
        node,
        kind: "sum",
        layer,
        cleaner: true,
        run,
        ...bands.bandOfRatios(total, squared),
      };
    };
    // One sum for each layer that cleans, and one over all when they are several.
    const byLayer = [...new Set(summed.map((n) => n.layer))].map((l) => summed.filter((n) => n.layer === l));
    const groups = byLayer.length > 1 ? [...byLayer, summed] : byLayer;
    return [...shown.map(row), ...groups.map(sum)];
  };
  return { outputs, rows };
}

/**
 * Figure 2.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await nodeProjections(model, prompts);
 * const [most] = rows.filter((row) => row.cleaner).sort((a, b) => a.median - b.median);
 * console.log(most.node, most.median); // below 0: it writes the opposite
 * ```
 */
export async function nodeProjections(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions & { writer?: string; cleaners?: readonly string[] } = {},
): Promise<Result<NodeRow>> {
  checkArguments("nodeProjections", { model, prompts });
  checkOptions("nodeProjections", options, { ...MEASURE_OPTIONS, writer: true, cleaners: true });
  const { writer = model.cleanup.writer, cleaners = model.cleanup.cleaners } = options;
  const clean = model.forward();
  const experiment = nodesOntoWriter(clean, writer, clean.node(writer), { cleaners });
  const { rows, assumptions } = await measure(model, prompts, { experiment }, options);
  return { rows: rows.experiment, assumptions };
}
