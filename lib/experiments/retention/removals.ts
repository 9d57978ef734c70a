/**
 * Removals: runs in which what one node adds lacks a vector, and what becomes of that vector. A writer's own output, its rotated output
 * and every variant are removals. Runs that stand in one graph share the clean run, and each costs only the layers after its writer.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterLocations, laterNodes } from "../../metrics/later_nodes.ts";
import { removal, responseDots, type Route } from "../../metrics/retention.ts";
import { cost, type Feeds, type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { inParts } from "../part_progress.ts";
import { BLOCKS, RemovalStats, type Shape } from "./removal_stats.ts";

export interface Removal {
  /** Names it among the results. */
  key: string;
  /** The node whose output loses `delta`. */
  writer: string;
  /** What is taken out: [batch, pos, d_model], 0 at the positions that are left alone. */
  delta: Tensor;
  /** Default "all". */
  route?: Route;
}

export interface RemovalOptions extends RunOptions {
  /** What else the deltas read, besides "tokens". */
  feeds?: Feeds;
  /** Index of the first prompt among all that are measured: says which block a prompt stands in. */
  firstPrompt?: number;
  /** Blocks for the bootstrap. Default: one a prompt, at most 64. */
  blocks?: number;
}

/** A graph of more steps takes long to compile; one of fewer repeats the clean run more often. */
const STEPS_A_GRAPH = 12_000;
const STEPS_A_LAYER = 30;

/** The removals in graphs of bearable size, in their order. */
export function graphs<T extends { writer: string }>(model: Model, removals: readonly T[]): T[][] {
  const groups: T[][] = [];
  let steps = Infinity;
  for (const one of removals) {
    const layers = new Set(laterNodes(model.config, one.writer).map((node) => node.layer)).size;
    const own = STEPS_A_LAYER * Math.max(1, layers);
    if (steps + own > STEPS_A_GRAPH) {
      groups.push([]);
      steps = 0;
    }
    groups.at(-1)!.push(one);
    steps += own;
  }
  return groups;
}

export function shapeOfRemoval(model: Model, writer: string, blocks: number): Shape {
  return {
    locations: laterLocations(model.config, writer),
    nodes: laterNodes(model.config, writer).map((node) => node.name),
    blocks,
  };
}

/** Dots [batch, pos, node] and ‖δ‖² [batch, pos] of each removal. */
function outputsOf(model: Model, clean: Forward, removals: readonly Removal[]): Record<string, Tensor> {
  const outputs: Record<string, Tensor> = {};
  removals.forEach(({ writer, delta, route }, i) => {
    const nodes = laterNodes(model.config, writer);
    outputs[`square${i}`] = delta.sumSquares("d_model");
    if (nodes.length === 0) return;
    const without = model.forward({ hooks: removal(clean, writer, delta, route) });
    outputs[`dots${i}`] = responseDots(clean, without, delta, nodes);
  });
  return outputs;
}

/** FLOPs and bytes of measuring the removals on one prompt. */
export function costOfRemovals(
  model: Model,
  clean: Forward,
  removals: readonly Removal[],
  length: number,
): { flops: number; peakBytes: number } {
  const costs = graphs(model, removals).map((group) =>
    cost(outputsOf(model, clean, group), { batch: 1, pos: length })
  );
  return {
    flops: costs.reduce((sum, { flops }) => sum + flops, 0),
    peakBytes: Math.max(0, ...costs.map((c) => c.peakBytes)),
  };
}

/** Statistics of each removal by its key. @throws when two have one key, and where numbers stop being finite */
export async function measureRemovals(
  model: Model,
  prompts: Prompts,
  clean: Forward,
  removals: readonly Removal[],
  options: RemovalOptions = {},
): Promise<Map<string, RemovalStats>> {
  const { feeds = {}, firstPrompt = 0, blocks = Math.min(BLOCKS, prompts.count), ...run } = options;
  const stats = new Map<string, RemovalStats>();
  for (const { key, writer } of removals) {
    if (stats.has(key)) throw new Error(`removals: two are called "${key}"`);
    stats.set(key, new RemovalStats(shapeOfRemoval(model, writer, blocks)));
  }
  const groups = graphs(model, removals);
  const part = inParts(run, groups.length);
  const fed = { ...feed(prompts, model.config), ...feeds };
  for (const [i, group] of groups.entries()) {
    for await (const { start, results } of stream(outputsOf(model, clean, group), fed, part(i))) {
      group.forEach(({ key }, k) => {
        const one = stats.get(key)!;
        const squares = results[`square${k}`].data, dots = results[`dots${k}`]?.data ?? [];
        const nodes = one.shape.nodes.length;
        for (let t = 0; t < squares.length; t++) {
          const prompt = firstPrompt + start + Math.floor(t / prompts.length);
          one.add(dots, t * nodes, squares[t], prompt);
        }
      });
    }
  }
  return stats;
}
