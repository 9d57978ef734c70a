/**
 * The third pass of a scan, for each writer found: do its cleaners erase it *because* they read it, and does direct logit attribution
 * (DLA) mislead?
 *
 * Causal share κ = Σ v·w / Σ c·w of a cleaner head: the part of what it writes along the writer's output that V-composition with the
 * writer explains. Patches: the writer's output is taken out of the cleaners' inputs; "undone" is the part of the cleaners' summed
 * median PR that vanishes. The control takes out a direction as long that belongs to another prompt and position.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import { attributionVector, directLogitAttribution, topTwo, unembedding } from "../../metrics/attribution.ts";
import { inputPatch, type PatchVariant } from "../../metrics/input_patch.ts";
import { headDots } from "../../metrics/projection.ts";
import { compositionZ } from "../../metrics/v_composition.ts";
import { regress } from "../../stats/regression.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { cleanerOutputs } from "../composition_attribution.ts";
import { Bands } from "../experiment.ts";
import type { Band, Fit, PairRow } from "../rows.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import { turned } from "./confirm.ts";

export interface Causal {
  /** κ by cleaner head. */
  causalShare: Record<string, number>;
  /** Summed PR of the cleaners in the clean run and in each patched run. */
  clean: Band;
  patched: Record<PatchVariant, Band & { undone: number }>;
  /** DLA of the writer against the cleaners' V-composition and total output; absent when no cleaner is a head. */
  attribution?: {
    composition: Fit;
    total: Fit;
    /** Mean |DLA| of the writer, and after adding the V-composition DLA: what is left when clean-up is accounted for. */
    meanAbsolute: number;
    meanAbsoluteCorrected: number;
    rows: PairRow[];
  };
}

const VARIANTS: readonly PatchVariant[] = ["frozen", "unfrozen", "direction", "control"];

/** Σ over the cleaners of PR(output, writer) [batch, pos]. */
function summedRatio(forward: Forward, cleaners: readonly string[], writer: Tensor): Tensor {
  const dots = cleaners.map((name) => {
    const node = findNode(forward.config, name);
    if (node.kind === "head") return headDots(forward, node.layer, writer).select("head", node.head);
    return forward.node(name).dot(writer, "d_model");
  });
  return dots.reduce((a, b) => a.add(b)).div(writer.sumSquares("d_model"));
}

async function causalShares(
  model: Model,
  writerName: string,
  heads: readonly string[],
  prompts: Prompts,
  options: RunOptions,
): Promise<Record<string, number>> {
  if (heads.length === 0) return {};
  const clean = model.forward();
  const writer = clean.node(writerName);
  const outputs: Record<string, Tensor> = {};
  for (const name of heads) {
    const node = findNode(model.config, name);
    if (node.kind !== "head") continue;
    const W_O = clean.weight(`blocks.${node.layer}.attn.W_O`);
    const read = writer.dot(W_O, "d_model"); // [batch, pos, head, d_head]
    const v = read.dot(compositionZ(clean, node.layer, writer), "d_head").order("batch", "pos", "head");
    outputs[`${name} v`] = v.select("head", node.head);
    outputs[`${name} c`] = headDots(clean, node.layer, writer).select("head", node.head);
  }
  const values = await run(outputs, feed(prompts, model.config), options);
  const total = (array: NdArray) => (array.data as Float32Array).reduce((a, b) => a + b, 0);
  return Object.fromEntries(
    heads.map((name) => [name, total(values[`${name} v`]) / total(values[`${name} c`])]),
  );
}

async function attribution(
  model: Model,
  writerName: string,
  heads: readonly string[],
  prompts: Prompts,
  options: RunOptions,
): Promise<Causal["attribution"]> {
  if (heads.length === 0) return undefined;
  const clean = model.forward();
  const writer = clean.node(writerName);
  const { first, second } = topTwo(clean);
  const direction = unembedding(clean, first).sub(unembedding(clean, second));
  const vector = attributionVector(clean, direction);
  const { total, composition } = cleanerOutputs(clean, writer, heads);
  const dla = (c: Tensor) => directLogitAttribution(c, vector);
  const outputs = { writer: dla(writer), composition: dla(composition), total: dla(total) };
  const values = await run(outputs, feed(prompts, model.config), options);
  const [w, v, t] = [values.writer.data, values.composition.data, values.total.data];
  const mean = (f: (i: number) => number) =>
    Array.from(w, (_, i) => Math.abs(f(i))).reduce((a, b) => a + b, 0) / w.length;
  return {
    composition: regress(w, v),
    total: regress(w, t),
    meanAbsolute: mean((i) => w[i]),
    meanAbsoluteCorrected: mean((i) => w[i] + v[i]),
    rows: Array.from(w, (value, i) => ({
      prompt: Math.floor(i / prompts.length),
      position: i % prompts.length,
      writer: value,
      composition: v[i],
      total: t[i],
    })),
  };
}

/** All causal measurements for one writer. `attributionPrompts`: the full logits are needed there, so fewer are used. */
export async function causes(
  model: Model,
  writerName: string,
  cleaners: readonly string[],
  prompts: Prompts,
  options: RunOptions & { attributionPrompts: number },
): Promise<Causal> {
  const clean = model.forward();
  const writer = clean.node(writerName);
  const elsewhere = model.forward({ tokens: model.tokens("other") }).node(writerName);
  const random = turned(elsewhere, prompts.length);
  const outputs: Record<string, Tensor> = { clean: summedRatio(clean, cleaners, writer) };
  for (const variant of VARIANTS) {
    const patched = model.forward({ hooks: inputPatch(clean, cleaners, writer, variant, random) });
    outputs[variant] = summedRatio(patched, cleaners, writer);
  }
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  const values = await run(outputs, feeds, options);
  const bands = new Bands();
  const band = (name: string) => bands.of(bands.series(values[name]));
  const whole = band("clean");
  const heads = cleaners.filter((name) => findNode(model.config, name).kind === "head");
  const few = shorten(prompts, { count: Math.min(prompts.count, options.attributionPrompts) });
  const found = await attribution(model, writerName, heads, few, options);
  return {
    causalShare: await causalShares(model, writerName, heads, prompts, options),
    clean: whole,
    patched: Object.fromEntries(VARIANTS.map((variant) => {
      const b = band(variant);
      return [variant, { ...b, undone: 1 - b.median / whole.median }];
    })) as Causal["patched"],
    ...(found && { attribution: found }),
  };
}
