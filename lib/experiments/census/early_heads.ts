/**
 * Early heads with a large direct logit attribution (DLA): do later nodes take it back? Heads of the
 * first third of the layers, each taken out of the run, with its rotated output as the control; along the
 * two most probable next tokens of each position.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { attributionVector, unembedding } from "../../metrics/attribution.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import type { RunOptions } from "../../tensor/run.ts";
import { createOnce } from "../../tensor/session.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import { Credits } from "../attribution/credits.ts";
import { ask } from "../attribution/question.ts";
import { columnsAfter, measureTaken, type Taken } from "../attribution/runs.ts";
import { draws, estimate } from "../estimates.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import { LEAST_TOKENS } from "../retention/sums.ts";
import { largest } from "./largest.ts";
import type { EarlyRow } from "./rows.ts";

/** Layers whose heads count as early: the first third. */
export const earlyLayers = (layers: number): number => Math.ceil(layers / 3);

/** The `most` early heads with the largest DLA, the largest first, then all of them taken together. */
export async function earlyHeads(
  model: Model,
  prompts: Prompts,
  options: RunOptions & { seed: number; rotations: number; most: number },
): Promise<EarlyRow[]> {
  const { seed, rotations, most, ...runOptions } = options;
  const { feeds } = await ask(model, prompts, {}, { ...runOptions, onProgress: undefined });
  const clean = model.forward();
  const direction = unembedding(clean, model.tokens("first")).sub(unembedding(clean, model.tokens("second")));
  const u = attributionVector(clean, direction);
  const early = earlyLayers(model.config.n_layers);
  const heads = modelNodes(model.config).filter((node) => node.kind === "head" && node.layer < early);
  const chosen = await largest(clean, u, heads, most, feeds, runOptions);
  const turns = rotationsFrom(model.config, seed, rotations);
  const taken = chosen.flatMap((writer): Taken[] => {
    const w = atPositions(clean.node(writer));
    return [{ writer, delta: w }, ...turns.map((Q) => ({ writer, delta: rotated(w, Q) }))];
  });
  const blocks = Math.min(BLOCKS, prompts.count);
  const place = { look: "rest" as const, length: prompts.length, blocks };
  // Each graph runs once: a session that is kept would keep its memory.
  const once = { leastTokens: LEAST_TOKENS, createSession: createOnce, ...runOptions };
  const found = await measureTaken(model, clean, taken, feeds, place, once);
  const drawn = draws(blocks, seed), { takenBack, effect } = columnsAfter(0);
  /** Of the head at that place among the chosen; draw 0 is its own output's. */
  const credits = (place: number, draw: number) => found[place * (1 + rotations) + draw][0].credits;
  const controls = turns.map((_, i) => i + 1);
  const row = (node: string, layer: number, own: Credits, rotatedCredits: readonly Credits[]): EarlyRow => {
    const control = new ControlDraws(rotatedCredits, drawn, seed + 1);
    const back = (one: Credits, draw?: Int32Array) => -one.share(takenBack, draw);
    return {
      node,
      layer,
      dla: Math.sqrt(own.square / own.tokens),
      takenBack: estimate((draw) => back(own, draw), drawn),
      control: estimate((draw) => control.mean(back, draw), drawn),
      beyond: estimate((draw) => back(own, draw) - control.mean(back, draw), drawn),
      effect: estimate((draw) => own.share(effect, draw), drawn),
    };
  };
  const rows = chosen.map((node, i) =>
    row(node, findNode(model.config, node).layer, credits(i, 0), controls.map((draw) => credits(i, draw)))
  );
  const together = (draw: number) => Credits.joined(chosen.map((_, i) => credits(i, draw)));
  return [...rows, row("all", -1, together(0), controls.map(together))];
}
