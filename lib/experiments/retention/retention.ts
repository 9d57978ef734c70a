/**
 * What becomes of a writer's output? Retention at every location and the response of every later node
 * (metrics/retention.ts), each beside its control, for one writer or many in shared runs.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import { atPositions, type RemovedPositions, type Route } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { assumptions, Bands } from "../experiment.ts";
import { checkPatchedLayers } from "../patched_layers.ts";
import {
  checkArguments,
  checkChoice,
  checkNames,
  checkNumber,
  checkOptions,
  RUN_OPTIONS,
  SEEDS,
} from "../options.ts";
import type { CleanerRow, FirstPositionRow, ResponseRow, RetentionRow, WriterRow } from "../rows.ts";
import { cleanersOf } from "./cleaners.ts";
import { firstPosition } from "./first_position.ts";
import { measureRemovals, type Removal, removalsOf, withControls } from "./removals.ts";
import { Summary } from "./summary.ts";
import type { RemovalStats } from "./removal_stats.ts";
import { type Lengths, measureSizes } from "./sizes.ts";
import { asLong, outputsToRemove, type Removed } from "./variants.ts";

/** Whose output, which controls, which route, which positions. */
export interface RetentionOptions extends RunOptions {
  /** One writer, several, or "all" nodes. Default: the writer of the model's cleanup.json. */
  writer?: string | readonly string[];
  /**
   * Part of the output that is taken out, 0.001 … 10. 1 (default): all of it; 0.1: nearly the linear
   * response.
   */
  strength?: number;
  /** What of the output is taken out. Default "all". */
  remove?: Removed;
  /** What of the model answers. Default "all". */
  route?: Route;
  /**
   * The patch of Figure 3 instead of a removal: only the V input of these layers, which come after the
   * writer's, loses the output, with their ln1 scales frozen. What is left is what would be left if nobody
   * but these heads' values erased.
   */
  patchedLayers?: readonly number[];
  /**
   * Which positions lose the output. Default "rest": all but position 0, which is reported as a class of its
   * own.
   */
  positions?: RemovedPositions;
  /** Random rotations of the writer's own output, as a control. Default 3; 0: none. */
  rotations?: number;
  /**
   * Another node, whose output at the writer's length is one more draw of the control. Best of the writer's
   * layer.
   */
  otherNode?: string;
  /** Seed of the rotations and of the bootstrap. Default 1. */
  seed?: number;
  /** Lower and upper quantile of the bands. Default [0.25, 0.75]. */
  quantiles?: readonly [number, number];
}

/** Less is lost in the rounding of the stream, more is no part of the output. */
const STRENGTHS = { least: 0.001, most: 10 };

const OPTIONS: Record<keyof RetentionOptions, true> = {
  writer: true,
  strength: true,
  remove: true,
  route: true,
  patchedLayers: true,
  positions: true,
  rotations: true,
  otherNode: true,
  seed: true,
  quantiles: true,
  ...RUN_OPTIONS,
};

/** What becomes of outputs. */
export interface RetentionResult {
  /** Retention by location. */
  rows: RetentionRow[];
  /** What each later node writes back. */
  responses: ResponseRow[];
  /** One row a writer: what is left at the end. */
  writers: WriterRow[];
  /** Who cleans up, by the rule in cleaners.ts; empty with fewer than two draws of a control. */
  cleaners: CleanerRow[];
  /** Position 0; empty unless it stands apart. */
  first: FirstPositionRow[];
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/**
 * What becomes of what a node writes: the model runs with and without it, and their difference is followed to
 * the end of the stream, beside that of the same output rotated.
 * @throws for an unknown option, node or value, and where numbers are not finite
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16 });
 * const { writers: [row] } = await retention(model, prompts, { writer: "L1H5", rotations: 2 });
 * console.log(row.left.value, "is left; of the same output rotated", row.control!.value);
 * ```
 */
export async function retention(
  model: Model,
  prompts: Prompts,
  options: RetentionOptions = {},
): Promise<RetentionResult> {
  checkArguments("retention", { model, prompts });
  checkOptions("retention", options, OPTIONS);
  const { remove = "all", route = "all", positions = "rest", seed = 1, strength = 1, rotations = 3 } =
    options;
  checkChoice("retention", "remove", remove, ["all", "varying", "resampled"]);
  checkChoice("retention", "route", route, ["all", "patterns", "values", "position"]);
  checkChoice("retention", "positions", positions, ["rest", "first", "all"]);
  if (options.otherNode !== undefined) {
    checkNames("retention", "otherNode", [options.otherNode]);
    findNode(model.config, options.otherNode);
  }
  if (prompts.count < 2) {
    throw new Error(
      `retention: got ${prompts.count} prompt; expected at least 2, since intervals are over prompts`,
    );
  }
  checkNumber("retention", "seed", seed, SEEDS);
  checkNumber("retention", "strength", strength, { ...STRENGTHS, whole: false });
  checkNumber("retention", "rotations", rotations, { least: 0 });
  const names = writersOf(model, options.writer);
  const { patchedLayers } = options;
  if (patchedLayers && route !== "all") {
    throw new Error(`retention: got patchedLayers and route "${route}"; expected one of them`);
  }
  if (patchedLayers) { for (const writer of names) checkPatchedLayers(model.config, writer, patchedLayers); }
  if (options.otherNode && names.includes(options.otherNode)) {
    throw new Error(
      `retention: ${options.otherNode} is its own otherNode; expected another node as its control`,
    );
  }
  const bands = new Bands({ quantiles: options.quantiles });
  const run: RunOptions = { ...options };

  const sizes = await measureSizes(model, prompts, names, { ...run, onProgress: undefined });
  const clean = model.forward();
  const wanted = { ...run, onProgress: undefined };
  const removing = await outputsToRemove(model, clean, prompts, names, remove, positions, wanted);
  const turns = rotationsFrom(model.config, seed, rotations);
  const writers = names.map((writer) => {
    const w = removing.output(writer).mul(strength);
    const controls = turns.map((Q) => rotated(w, Q));
    if (options.otherNode) controls.push(asLong(clean.node(options.otherNode), w));
    const own = { key: writer, writer, route, patchedLayers, delta: atPositions(w, positions) };
    return withControls(own, controls.map((delta) => atPositions(delta, positions)));
  });
  const measured = await measureRemovals(model, prompts, clean, removalsOf(writers), {
    ...run,
    feeds: removing.feeds,
  });
  const stats = ({ key }: Removal) => measured.get(key)!;
  const how = { seed, quantiles: bands.quantiles };
  const summaries = writers.map(({ own, controls }) =>
    new Summary(model.config, own.writer, stats(own), controls.map(stats), how)
  );
  if (summaries.every(({ own, name }) => isNothing(own, sizes.nodes.get(name)!, strength))) {
    throw new Error(
      `retention: what is taken out of ${names.join(", ")} is zero at every token that counts ` +
        `(remove "${remove}", positions "${positions}"), so nothing can be said of what is left of it`,
    );
  }
  const first = positions === "rest" ? await firstPosition(model, prompts, names, sizes, wanted) : [];
  return {
    rows: summaries.flatMap((s) => s.locations()),
    responses: summaries.flatMap((s) => s.responses()),
    writers: summaries.map((s) => s.writer(sizes.nodes.get(s.name)!.share * strength)),
    cleaners: summaries.flatMap((s) => cleanersOf(model.config, s)),
    first,
    assumptions: {
      ...assumptions(model, prompts, bands),
      positions: { rest: "1 and later", first: "0 alone", all: "all" }[positions],
      removed: `${remove === "all" ? "the writer's output" : remove}, strength ${strength}, ${
        patchedLayers ? `from the V input of layers ${patchedLayers.join(", ")} alone` : `route ${route}`
      }`,
      control: [
        rotations > 0 ? `the writer's own output, rotated ${rotations} times, seed ${seed}` : "",
        options.otherNode ? `${options.otherNode} at the writer's length` : "",
      ].filter(Boolean).join("; ") || "none",
      interval: intervalOf(rotations + (options.otherNode ? 1 : 0)),
    },
  };
}

/** What is left of an output when something like it was subtracted may be zero but for rounding. */
function isNothing(own: RemovalStats, { first, rest }: Lengths, strength: number): boolean {
  const square = own.squares.reduce((a, b) => a + b, 0) / own.tokens;
  return !(Math.sqrt(square) > 1e-5 * strength * Math.max(first, rest));
}

function intervalOf(draws: number): string {
  if (draws === 0) return "95 %, bootstrap over prompts";
  if (draws === 1) {
    return "95 %, bootstrap over prompts alone: one draw of the control says nothing of others";
  }
  return `95 %, bootstrap over prompts and over ${draws} draws of the control, by Student's t for so few`;
}

function writersOf(model: Model, wanted: RetentionOptions["writer"]): string[] {
  if (wanted === "all") return modelNodes(model.config).map((node) => node.name);
  const names = typeof wanted === "string" ? [wanted] : wanted ?? [model.cleanup.writer];
  checkNames("retention", "writer", names);
  for (const name of names) findNode(model.config, name);
  return [...names];
}
