/**
 * What clean-up does to direct logit attribution (DLA) of a writer: how far the writer's DLA is cancelled by that of its cleaners.
 * DLA is that of the difference of the top two logits. DLA(w) + DLA(v), with v the cleaners' V-composition output, is the
 * clean-up-corrected DLA: what the writer's output still says to the logits when those heads have erased their part.
 *
 * Only cleaner heads count: what an MLP writes because of the writer is no linear part of its output.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import { attributionVector, directLogitAttribution, topTwoDirection } from "../../metrics/attribution.ts";
import { Random } from "../../stats/random.ts";
import { regress } from "../../stats/regression.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { cleanerOutputs } from "../composition_attribution.ts";
import type { Fit, PairRow } from "../rows.ts";

/** Full logits are needed here, and values are kept for each token: enough for a correlation, and bounded. */
const MOST_TOKENS = 30 * 1024;
/** Pairs kept for the scatter plot. */
const DOTS = 2000;

export interface Consequence {
  /** Cleaners that the DLA of "composition" and "total" are of: the heads among them. */
  heads: string[];
  prompts: number;
  /** Fits of the heads' V-composition DLA, and of their total DLA, on the writer's. */
  composition: Fit;
  total: Fit;
  /** Mean |DLA| of the writer in logits, and after adding the V-composition's: what is left when clean-up is accounted for. */
  meanAbsolute: number;
  meanAbsoluteCorrected: number;
  /** A seeded choice of the pairs. */
  rows: PairRow[];
}

/** @returns undefined when no cleaner is a head, or the writer's DLA is the same everywhere (0, say). */
export async function consequence(
  model: Model,
  name: string,
  cleaners: readonly string[],
  prompts: Prompts,
  options: RunOptions & { attributionPrompts: number; seed: number },
): Promise<Consequence | undefined> {
  const heads = cleaners.filter((c) => findNode(model.config, c).kind === "head");
  if (heads.length === 0) return undefined;
  const most = Math.max(1, Math.floor(MOST_TOKENS / prompts.length));
  const few = shorten(prompts, { count: Math.min(prompts.count, options.attributionPrompts, most) });
  const clean = model.forward();
  const writer = clean.node(name);
  const vector = attributionVector(clean, topTwoDirection(clean));
  const { total, composition } = cleanerOutputs(clean, writer, heads);
  const dla = (c: Tensor) => directLogitAttribution(c, vector);
  const outputs = { writer: dla(writer), composition: dla(composition), total: dla(total) };
  const values = await run(outputs, feed(few, model.config), options);
  const [w, v, t] = [values.writer.data, values.composition.data, values.total.data];
  if (w.every((value: number) => value === w[0])) return undefined;
  const mean = (f: (i: number) => number) =>
    Array.from(w, (_, i) => Math.abs(f(i))).reduce((a, b) => a + b, 0) / w.length;
  const chosen = new Random(options.seed).permutation(w.length).slice(0, DOTS).sort();
  return {
    heads,
    prompts: few.count,
    composition: regress(w, v),
    total: regress(w, t),
    meanAbsolute: mean((i) => w[i]),
    meanAbsoluteCorrected: mean((i) => w[i] + v[i]),
    rows: Array.from(chosen, (i) => ({
      prompt: Math.floor(i / few.length),
      position: i % few.length,
      writer: w[i],
      composition: v[i],
      total: t[i],
    })),
  };
}
