/**
 * Runs without a node's output, or with another vector in its place, seen along the direction between the two
 * answers.
 */
import {
  attributionVector,
  directLogitAttribution,
  readDifference,
  unembedding,
} from "../../metrics/attribution.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { removal, responseDots } from "../../metrics/retention.ts";
import { type Feeds, type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Model } from "../../transformer/model.ts";
import { inParts } from "../part_progress.ts";
import { graphs } from "../retention/removals.ts";
import { Credits } from "./credits.ts";

/** What is taken out of what `writer` adds: `delta` [batch, pos, d_model]. */
export interface Taken {
  writer: string;
  delta: Tensor;
  /** What takes the output's place, where something does: the output itself is then `delta` + `instead`. */
  instead?: Tensor;
  /** Whether each later node's step is wanted. */
  steps?: boolean;
}

export interface Place {
  look: "last" | "rest";
  /** Tokens of a prompt. */
  length: number;
  /** Blocks of prompts for the bootstrap. */
  blocks: number;
  /**
   * Rows of the batch with credits of their own: draws of the control. Default: all rows are prompts and
   * counted together.
   */
  rows?: number;
}

/**
 * By DLA of `delta`, columns: each later node's step where wanted, then those of {@linkcode columnsAfter}.
 */
export interface TakenCredits {
  credits: Credits;
  /** By DLA of the whole output, columns: DLA of `instead`, and the effect. */
  kept?: Credits;
}

/** Columns after the steps of `steps` later nodes. */
export const columnsAfter = (steps: number) => ({
  takenBack: steps,
  finalScale: steps + 1,
  effect: steps + 2,
  count: steps + 3,
});

const stepsOf = (model: Model, { writer, steps }: Taken) => steps ? laterNodes(model.config, writer) : [];

function outputsOf(model: Model, clean: Forward, group: readonly Taken[], { look, length }: Place) {
  const ids = [model.tokens("first"), model.tokens("second")] as const;
  const direction = unembedding(clean, ids[0]).sub(unembedding(clean, ids[1]));
  const vector = attributionVector(clean, direction);
  const dla = (c: Tensor) => directLogitAttribution(c, vector);
  const seen = (t: Tensor) => look === "last" ? t.slice("pos", length - 1, length) : t;
  const end = `blocks.${model.config.n_layers - 1}.hook_resid_post`;
  const taken = group.map((one) => {
    const without = model.forward({ hooks: removal(clean, one.writer, one.delta) });
    const later = stepsOf(model, one);
    return {
      dla: seen(dla(one.delta)),
      left: seen(dla(clean.hook(end).sub(without.hook(end)))),
      effect: seen(readDifference(clean, direction).sub(readDifference(without, direction))),
      steps: later.length > 0 ? seen(responseDots(clean, without, vector, later)) : undefined,
      instead: one.instead && seen(dla(one.instead)),
    };
  });
  return { taken };
}

/** Credits of each `taken`, by row. `feeds` hold "tokens", "first", "second" and what the deltas read. */
export async function measureTaken(
  model: Model,
  clean: Forward,
  taken: readonly Taken[],
  feeds: Feeds,
  place: Place,
  options: RunOptions,
): Promise<TakenCredits[][]> {
  const { look, length, blocks, rows = 1 } = place;
  const found: TakenCredits[][] = [];
  const groups = graphs(model, taken);
  const part = inParts(options, groups.length);
  for (const [g, group] of groups.entries()) {
    const byRow = group.map((one) => {
      const { count } = columnsAfter(stepsOf(model, one).length);
      return Array.from({ length: rows }, (): TakenCredits => ({
        credits: new Credits(count, blocks),
        ...(one.instead && { kept: new Credits(2, blocks) }),
      }));
    });
    found.push(...byRow);
    for await (const { start, results } of stream(outputsOf(model, clean, group, place), feeds, part(g))) {
      group.forEach((one, i) => {
        const { dla: { data: dla }, effect: { data: effect }, left: { data: left } } = results.taken[i];
        const steps = results.taken[i].steps?.data, instead = results.taken[i].instead?.data;
        const count = stepsOf(model, one).length;
        for (let t = 0; t < dla.length; t++) {
          if (look === "rest" && t % length === 0) continue; // position 0
          const prompt = start + Math.floor(look === "rest" ? t / length : t);
          const { credits, kept } = byRow[i][rows > 1 ? prompt : 0];
          const own = steps ? steps.subarray(t * count, (t + 1) * count) : [];
          credits.add(prompt, dla[t], [...own, left[t] - dla[t], effect[t] - left[t], effect[t]]);
          kept?.add(prompt, dla[t] + instead![t], [instead![t], effect[t]]);
        }
      });
    }
  }
  return found;
}
