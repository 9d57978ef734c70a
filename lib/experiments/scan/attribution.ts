/**
 * What a writer's erasure does to direct logit attribution (DLA), at all positions from 1 on. u is the logit
 * direction of the two most probable tokens over the final scale (metrics/attribution.ts), δ the writer's
 * output, Δ what of it is left at the end:
 *
 *     taken back = 1 - Σ (Δ·u)(δ·u) / Σ (δ·u)²         the part of the DLA that later nodes take back
 *     effect     = Σ (fall of the logit difference without δ)(δ·u) / Σ (δ·u)²
 *
 * both slopes through the origin, over tokens, by block of prompts. The control is the writer's rotated
 * output, in several draws, each held against its own DLA.
 */
import {
  attributionVector,
  directLogitAttribution,
  readDifference,
  topTwoDirection,
} from "../../metrics/attribution.ts";
import { atPositions, removal } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import { pBelowZero } from "../../stats/significance.ts";
import type { RunOptions } from "../../tensor/run.ts";
import { createOnce } from "../../tensor/session.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { draws, estimate } from "../estimates.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import { measureSums, type Share, Sums } from "../retention/sums.ts";
import type { Estimate } from "../rows.ts";
import type { ScanSettings } from "./settings.ts";

/** What later nodes take back of a writer's DLA, beside its control. */
export interface Attribution {
  /** Mean |DLA| of the writer, in logits. */
  meanAbsolute: number;
  /** Part of its DLA that later nodes take back; of its rotated output. Below 0: they add to it. */
  takenBack: Estimate;
  /** The same of the output rotated. */
  controlTakenBack: Estimate;
  /**
   * How much larger a part is taken back of it than of the control: the difference, over the same prompts.
   */
  beyond: Estimate;
  /** One-sided p-value of "no larger a part", adjusted for the writers that were found. */
  q: number;
  /** Logits that the model loses without the output, for each logit of DLA. */
  effect: Estimate;
  /** How many were used. */
  prompts: number;
}

const controlsOf = (rotations: number) => Array.from({ length: rotations }, (_, i) => `control ${i}`);

/** Sums of a writer's attribution, with nothing in them. @param count prompts of all shares */
export function emptyAttribution(count: number, { rotations }: ScanSettings): Sums {
  const both = ["own", ...controlsOf(rotations)].flatMap((key) => [`${key} square`, `${key} left`]);
  return new Sums([...both, "absolute", "effect"], Math.min(BLOCKS, count));
}

/** Adds up a writer's attribution over the prompts of a share. */
export async function addAttribution(
  sums: Sums,
  model: Model,
  name: string,
  share: Share,
  { seed, rotations }: ScanSettings,
  options: RunOptions,
  onMeasured: () => void | Promise<void>,
): Promise<void> {
  const clean = model.forward();
  const direction = topTwoDirection(clean);
  const u = attributionVector(clean, direction);
  const end = clean.residualStream().at(-1)!.value;
  const w = atPositions(clean.node(name));
  const outputs: Record<string, Tensor> = {};
  const turned = controlsOf(rotations).map((key, i) =>
    [key, rotated(w, rotation(model.config, seed + i))] as const
  );
  for (const [key, delta] of [["own", w] as const, ...turned]) {
    const without = model.forward({ hooks: removal(clean, name, delta) });
    const left = atPositions(end.sub(without.residualStream().at(-1)!.value));
    const dla = directLogitAttribution(delta, u);
    outputs[`${key} square`] = dla.mul(dla).sum("pos");
    outputs[`${key} left`] = dla.mul(directLogitAttribution(left, u)).sum("pos");
    if (key !== "own") continue;
    outputs.absolute = dla.abs().sum("pos");
    outputs.effect = dla.mul(readDifference(clean, direction).sub(readDifference(without, direction))).sum(
      "pos",
    );
  }
  const once = { createSession: createOnce, ...options };
  await measureSums(sums, outputs, feed(share.prompts, model.config), share, once, onMeasured);
}

/**
 * The attribution behind the sums; its q is adjusted for the number of writers by `readPasses`.
 * @param length tokens of a prompt
 */
export function readAttribution(sums: Sums, length: number, { seed, rotations }: ScanSettings): Attribution {
  const { blocks, prompts } = sums, controls = controlsOf(rotations);
  const drawn = draws(blocks, seed);
  const ratio = (above: string, below: string, draw?: Int32Array) =>
    sumOfBlocks(sums.of(above), draw) / sumOfBlocks(sums.of(below), draw);
  const back = (key: string, draw?: Int32Array) => 1 - ratio(`${key} left`, `${key} square`, draw);
  const control = new ControlDraws(controls, drawn, seed + 1);
  return {
    meanAbsolute: sumOfBlocks(sums.of("absolute")) / (prompts * (length - 1)),
    takenBack: estimate((draw) => back("own", draw), drawn),
    controlTakenBack: estimate((draw) => control.mean(back, draw), drawn),
    beyond: estimate((draw) => back("own", draw) - control.mean(back, draw), drawn),
    q: pBelowZero((draw) => control.mean(back, draw) - back("own", draw), drawn),
    effect: estimate((draw) => ratio("effect", "own square", draw), drawn),
    prompts,
  };
}
