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
import type { Prompts } from "../../checkpoints/mod.ts";
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
import { bootstrapDraws, bootstrapInterval, pBelowZero } from "../../stats/significance.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import { createOnce } from "../../tensor/session.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import type { Estimate } from "../rows.ts";

const DRAWS = 1000;

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

export async function attribution(
  model: Model,
  name: string,
  prompts: Prompts,
  options: RunOptions & { seed: number; rotations: number },
): Promise<Attribution> {
  const { seed, rotations, ...run } = options;
  const clean = model.forward();
  const direction = topTwoDirection(clean);
  const u = attributionVector(clean, direction);
  const end = clean.residualStream().at(-1)!.value;
  const w = atPositions(clean.node(name));
  const withoutIt = (delta: Tensor) => model.forward({ hooks: removal(clean, name, delta) });
  const taken = (delta: Tensor) => {
    const left = atPositions(end.sub(withoutIt(delta).residualStream().at(-1)!.value));
    const dla = directLogitAttribution(delta, u);
    return { square: dla.mul(dla).sum("pos"), left: dla.mul(directLogitAttribution(left, u)).sum("pos") };
  };
  const turned = Array.from({ length: rotations }, (_, i) => rotated(w, rotation(model.config, seed + i)));
  const dla = directLogitAttribution(w, u);
  const lost = readDifference(clean, direction).sub(readDifference(withoutIt(w), direction));
  const outputs = {
    taken: [w, ...turned].map(taken), // the writer's own output first
    absolute: dla.abs().sum("pos"),
    effect: dla.mul(lost).sum("pos"),
  };
  const blocks = Math.min(BLOCKS, prompts.count);
  const empty = () => new Float64Array(blocks);
  const [own, ...controls] = outputs.taken.map(() => ({ square: empty(), left: empty() }));
  const absolute = empty(), effect = empty();
  for await (
    const { start, results } of stream(outputs, feed(prompts, model.config), {
      createSession: createOnce,
      ...run,
    })
  ) {
    const add = (sums: Float64Array, { data }: NdArray) =>
      data.forEach((x: number, i: number) => sums[(start + i) % blocks] += x);
    [own, ...controls].forEach((sums, i) => {
      add(sums.square, results.taken[i].square);
      add(sums.left, results.taken[i].left);
    });
    add(absolute, results.absolute);
    add(effect, results.effect);
  }
  const draws = bootstrapDraws(blocks, DRAWS, seed);
  const estimate = (statistic: (draw?: Int32Array) => number): Estimate => ({
    value: statistic(),
    interval: bootstrapInterval(statistic, draws),
  });
  const ratio = (above: Float64Array, below: Float64Array, draw?: Int32Array) =>
    sumOfBlocks(above, draw) / sumOfBlocks(below, draw);
  const back = ({ left, square }: typeof own, draw?: Int32Array) => 1 - ratio(left, square, draw);
  const control = new ControlDraws(controls, draws, seed + 1);
  return {
    meanAbsolute: sumOfBlocks(absolute) / (prompts.count * (prompts.length - 1)),
    takenBack: estimate((draw) => back(own, draw)),
    controlTakenBack: estimate((draw) => control.mean(back, draw)),
    beyond: estimate((draw) => back(own, draw) - control.mean(back, draw)),
    q: pBelowZero((draw) => control.mean(back, draw) - back(own, draw), draws), // adjusted by `scan`
    effect: estimate((draw) => ratio(effect, own.square, draw)),
    prompts: prompts.count,
  };
}
