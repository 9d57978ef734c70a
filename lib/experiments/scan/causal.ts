/**
 * The third pass of a scan, for each writer found: do its cleaners erase it *because* they read it?
 *
 * Causal share κ = Σ v·w / Σ c·w of a cleaner head c: the part of what it writes along the writer's output w that V-composition v with
 * the writer explains. Patches (metrics/input_patch.ts): the writer's output is taken out of the cleaners' inputs; "undone" is the part
 * of their erasure that vanishes, 1 - ratio(patched) / ratio(clean), ratios being Σ c·w / Σ ‖w‖² of the cleaners' sum. The control
 * takes out a vector as long that the same writer wrote at another position of another prompt.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { inputPatch, type PatchVariant } from "../../metrics/input_patch.ts";
import { headDots, readByHeads } from "../../metrics/projection.ts";
import { compositionZ } from "../../metrics/v_composition.ts";
import { RatioStats } from "../../stats/ratio_stats.ts";
import { bootstrapDraws, bootstrapInterval } from "../../stats/significance.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import type { Band } from "../rows.ts";
import { BLOCKS } from "./confirm.ts";
import { nullVectors } from "./nulls.ts";

export const VARIANTS: readonly PatchVariant[] = ["frozen", "unfrozen", "direction", "control"];
const DRAWS = 1000;

/** PR of the cleaners' sum onto the writer; `ratio` is Σ c·w / Σ ‖w‖². */
export interface SumBand extends Band {
  ratio: number;
}

export interface Undone extends SumBand {
  /** Part of the clean run's ratio that vanishes: 1: all of it; 0: nothing; below 0: the cleaners erase more. */
  undone: number;
  /** 95 % bootstrap interval of `undone` over prompts. */
  interval: [low: number, high: number];
}

export interface Causal {
  /** κ by cleaner head. */
  causalShare: Record<string, number>;
  clean: SumBand;
  patched: Record<PatchVariant, Undone>;
}

/** Σ over the cleaners of output · writer: [batch, pos]. */
function summedDots(forward: Forward, cleaners: readonly string[], writer: Tensor): Tensor {
  const dots = cleaners.map((name) => {
    const node = findNode(forward.config, name);
    if (node.kind === "head") return headDots(forward, node.layer, writer).select("head", node.head);
    return forward.node(name).dot(writer, "d_model");
  });
  return dots.reduce((a, b) => a.add(b));
}

/** V-composition output · writer of one head: [batch, pos]. */
function compositionDots(clean: Forward, layer: number, head: number, writer: Tensor): Tensor {
  const read = readByHeads(clean, layer, writer); // [batch, pos, head, d_head]
  const dots = read.dot(compositionZ(clean, layer, writer), "d_head").order("batch", "pos", "head");
  return dots.select("head", head);
}

/** All causal measurements for one writer, in one pass. Values are folded: memory does not grow with the prompts. */
export async function causes(
  model: Model,
  name: string,
  cleaners: readonly string[],
  prompts: Prompts,
  options: RunOptions & { seed: number; quantiles: readonly [number, number] },
): Promise<Causal> {
  const clean = model.forward();
  const writer = clean.node(name);
  const elsewhere = model.forward({ tokens: model.tokens("other") }).node(name);
  const { random } = nullVectors(writer, elsewhere, prompts.length);
  const heads = cleaners.map((c) => findNode(model.config, c)).filter((node) => node.kind === "head");
  const series: Record<string, Tensor> = { clean: summedDots(clean, cleaners, writer) };
  for (const variant of VARIANTS) {
    const hooks = inputPatch(clean, cleaners, writer, variant, random);
    series[variant] = summedDots(model.forward({ hooks }), cleaners, writer);
  }
  for (const { name, layer, head } of heads) {
    series[`${name} v`] = compositionDots(clean, layer, head, writer);
    series[`${name} c`] = headDots(clean, layer, writer).select("head", head);
  }
  const keys = Object.keys(series);
  const stats = new RatioStats(keys.length, Math.min(BLOCKS, prompts.count));
  const outputs = { ...series, norm: writer.sumSquares("d_model") };
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  for await (const { start, results } of stream(outputs, feeds, options)) {
    const norm = results.norm.data;
    keys.forEach((key, i) => {
      const { data } = results[key as keyof typeof outputs];
      for (let t = 0; t < data.length; t++) {
        stats.add(i, data[t], norm[t], (start + Math.floor(t / prompts.length)) % stats.blocks);
      }
    });
  }

  const at = (key: string) => keys.indexOf(key);
  const draws = bootstrapDraws(stats.blocks, DRAWS, options.seed);
  const band = (key: string): SumBand => {
    const [median, low, high] = [0.5, ...options.quantiles].map((q) => stats.quantile(at(key), q));
    return { median, low, high, n: stats.total(at(key)), ratio: stats.ratio(at(key)) };
  };
  const undone = (key: string, draw?: Int32Array) =>
    1 - stats.ratio(at(key), draw) / stats.ratio(at("clean"), draw);
  const patched = VARIANTS.map((variant) => {
    const interval = bootstrapInterval((draw) => undone(variant, draw), draws);
    return [variant, { ...band(variant), undone: undone(variant), interval }];
  });
  const share = ({ name }: { name: string }) => stats.ratio(at(`${name} v`)) / stats.ratio(at(`${name} c`));
  return {
    causalShare: Object.fromEntries(heads.map((node) => [node.name, share(node)])),
    clean: band("clean"),
    patched: Object.fromEntries(patched) as Causal["patched"],
  };
}
