/**
 * Removals: runs in which what one node adds lacks a vector, and what becomes of that vector. A writer's own
 * output, its rotated output and every variant are removals. Runs that stand in one graph share the clean
 * run, and each costs only the layers after its writer.
 */
import { type ModelConfig, type Prompts, selectPrompts } from "../../checkpoints/mod.ts";
import { laterLocations, laterNodes } from "../../metrics/later_nodes.ts";
import { removal, responseDots, type Route } from "../../metrics/retention.ts";
import { vInputPatch } from "../../metrics/v_composition.ts";
import { type Feeds, type RunOptions, stream } from "../../tensor/run.ts";
import { createOnce } from "../../tensor/session.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { inParts } from "../part_progress.ts";
import { refuseNotFinite } from "../finite.ts";
import { BLOCKS, type Kept, RemovalStats, type Shape } from "./removal_stats.ts";
import { LEAST_TOKENS, MOST_TOKENS, rowsFrom, tooMany } from "./sums.ts";

export interface Removal {
  /** Names it among the results. */
  key: string;
  /** The node whose output loses `delta`. */
  writer: string;
  /** What is taken out: [batch, pos, d_model], 0 at the positions that are left alone. */
  delta: Tensor;
  /** Default "all". */
  route?: Route;
  /**
   * The post's patch instead: only the V input of these layers loses `delta`, with their ln1 scales frozen.
   */
  patchedLayers?: readonly number[];
  /** Blocks for the bootstrap. Default: those of the options. */
  blocks?: number;
}

/** A removal beside its controls. */
export interface Controlled {
  own: Removal;
  controls: readonly Removal[];
}

/** The key of a removal's control. */
export const controlKeyOf = (key: string, i: number): string => `${key} control ${i}`;

/** `own`, and the same with each of these in the place of its vector. */
export function withControls(own: Removal, deltas: readonly Tensor[]): Controlled {
  return { own, controls: deltas.map((delta, i) => ({ ...own, key: controlKeyOf(own.key, i), delta })) };
}

/** All in a row, as {@linkcode measureRemovals} takes them. */
export const removalsOf = (groups: readonly Controlled[]): Removal[] =>
  groups.flatMap(({ own, controls }) => [own, ...controls]);

export interface RemovalOptions extends RunOptions {
  /** What else the deltas read, besides "tokens". */
  feeds?: Feeds;
  /** Index of the first prompt among all that are measured: says which block a prompt stands in. */
  firstPrompt?: number;
  /** Blocks for the bootstrap. Default: one a prompt, at most 64. */
  blocks?: number;
  /** What is kept of single tokens. Default "responses". */
  kept?: Kept;
  /** Removals that were measured before, by their keys: they go on after the prompts that are in them. */
  done?: ReadonlyMap<string, RemovalStats>;
  /** Told after each batch what is measured so far: a place to save it. */
  onMeasured?: (stats: ReadonlyMap<string, RemovalStats>) => void | Promise<void>;
}

/**
 * A graph of more steps takes long to compile: 12,000 seven times as long as 3,000. One of fewer repeats the
 * clean run more often, which a graphics card does in no time.
 */
export const stepsAGraph = ({ device = "cpu" }: Model): number => device === "cpu" ? 12_000 : 3_000;
/**
 * Runs with the clean run's patterns share its attention, so they go through the layers side by side, and all
 * that they hold is in memory at once: 96 of SmolLM2-135M took 0.9 GB more than 8 at a time.
 */
const SIDE_BY_SIDE = 8;
/** About the steps of a removal's layer. */
export const STEPS_A_LAYER = 30;

/** About the steps that a removal adds to a graph. */
function stepsOf(model: Model, { writer }: { writer: string }): number {
  const layers = new Set(laterNodes(model.config, writer).map((node) => node.layer)).size;
  return STEPS_A_LAYER * Math.max(1, layers);
}

/** The removals in graphs of bearable size, in their order. */
export function graphs<T extends Pick<Removal, "writer" | "route" | "patchedLayers">>(
  model: Model,
  removals: readonly T[],
): T[][] {
  const groups: T[][] = [], most = stepsAGraph(model);
  let steps = Infinity, beside = 0;
  for (const one of removals) {
    const own = stepsOf(model, one);
    const shares = Number((one.route ?? "all") !== "all" || one.patchedLayers !== undefined);
    if (steps + own > most || beside + shares > SIDE_BY_SIDE) {
      groups.push([]);
      steps = beside = 0;
    }
    groups.at(-1)!.push(one);
    steps += own;
    beside += shares;
  }
  return groups;
}

export function shapeOfRemoval(config: ModelConfig, writer: string, blocks: number): Shape {
  return {
    locations: laterLocations(config, writer),
    nodes: laterNodes(config, writer).map((node) => node.name),
    blocks,
  };
}

/** ‖δ‖² [batch, pos] of a removal, and where there are later nodes, dots [batch, pos, node]. */
export function outputsOf(model: Model, clean: Forward, { writer, delta, route, patchedLayers }: Removal) {
  const nodes = laterNodes(model.config, writer);
  const squares = delta.sumSquares("d_model");
  if (nodes.length === 0) return { squares };
  const hooks = patchedLayers
    ? vInputPatch(clean, patchedLayers, delta)
    : removal(clean, writer, delta, route);
  const without = model.forward({ hooks });
  return { squares, dots: responseDots(clean, without, delta, nodes) };
}

/**
 * Statistics of each removal by its key. @throws when two have one key, and where numbers stop being finite
 */
export async function measureRemovals(
  model: Model,
  prompts: Prompts,
  clean: Forward,
  removals: readonly Removal[],
  options: RemovalOptions = {},
): Promise<Map<string, RemovalStats>> {
  const { feeds = {}, firstPrompt = 0, blocks = Math.min(BLOCKS, prompts.count) } = options;
  const { kept, done = new Map(), onMeasured } = options;
  const run: RunOptions = { leastTokens: LEAST_TOKENS, createSession: createOnce, ...options };
  if (new Set(removals.map(({ key }) => key)).size < removals.length) {
    throw new Error(`removals: two have one key among ${removals.map(({ key }) => key).join(", ")}`);
  }
  if (prompts.count * prompts.length > MOST_TOKENS) throw tooMany();
  const stats = new Map<string, RemovalStats>(done);
  const begin = (one: Removal) => stats.get(one.key)?.prompts ?? 0;
  const groups = alike(removals.filter((one) => begin(one) < prompts.count), begin)
    .flatMap((some) => graphs(model, some));
  const part = inParts(
    run,
    groups.length,
    groups.map((group) => group.reduce((sum, one) => sum + stepsOf(model, one), 0)),
  );
  const fed = { ...feed(prompts, model.config), ...feeds };
  for (const [i, group] of groups.entries()) {
    const from = begin(group[0]);
    const own = group.map(({ key, writer, blocks: some = blocks }) => {
      const one = stats.get(key) ?? new RemovalStats(shapeOfRemoval(model.config, writer, some), kept);
      stats.set(key, one);
      return one;
    });
    const outputs = { removals: group.map((one) => outputsOf(model, clean, one)) };
    for await (const { start, results } of stream(outputs, rowsFrom(fed, from), part(i))) {
      for (const [k, one] of own.entries()) {
        const { squares: { data: squares }, dots: { data: dots } = { data: [] } } = results.removals[k];
        const nodes = one.shape.nodes.length;
        for (let t = 0; t < squares.length; t++) {
          const prompt = from + start + Math.floor(t / prompts.length);
          if (one.add(dots, t * nodes, squares[t], firstPrompt + prompt)) continue;
          await refuseNotFinite(
            model,
            selectPrompts(prompts, [prompt]),
            `the run without ${group[k].writer}`,
          );
        }
        one.prompts = from + start + squares.length / prompts.length;
      }
      await onMeasured?.(stats);
    }
  }
  return stats;
}

/** Neighbours that have as many prompts behind them. */
function alike<T>(list: readonly T[], count: (one: T) => number): T[][] {
  const runs: T[][] = [];
  for (const one of list) {
    const last = runs.at(-1);
    if (last && count(last[0]) === count(one)) last.push(one);
    else runs.push([one]);
  }
  return runs;
}
