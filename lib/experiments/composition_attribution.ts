/**
 * Figure 5: how direct logit attribution of the writer relates to that of the cleaners. If the cleaners erase
 * what the writer wrote, DLA of the part of their output that comes from the writer (V-composition) is the
 * negative of the writer's.
 *
 * Default, as in the post's text: attention-weighted V-composition, difference of the top two logits, all
 * positions. The authors' repository draws another form: see `REPOSITORY_FORM`.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import {
  attributionVector,
  directLogitAttribution,
  topTwoDirection,
  unembedding,
} from "../metrics/attribution.ts";
import { compositionZ, compositionZWithoutAttention, writtenByHeads } from "../metrics/v_composition.ts";
import { regress } from "../stats/regression.ts";
import { run } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode } from "../transformer/nodes.ts";
import { assumptions, Bands, type MeasureOptions } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import { cutPrompts } from "./prompt_feeds.ts";
import type { Fit, PairRow } from "./rows.ts";

/** Of Figure 5. */
export interface CompositionOptions extends MeasureOptions {
  /** Default: that of cleanup.json. */
  writer?: string;
  /** Heads. Default: the heads among the model's cleaners. */
  cleaners?: readonly string[];
  /**
   * What DLA is taken of: the difference of the top two logits, or the logit of the token that comes next in
   * the text.
   */
  target?: "top two" | "next token";
  /**
   * Whether V-composition is weighted with the cleaners' attention pattern, or each position reads only
   * itself.
   */
  attentionWeighted?: boolean;
}

const OPTIONS: Record<keyof CompositionOptions, true> = {
  ...MEASURE_OPTIONS,
  writer: true,
  cleaners: true,
  target: true,
  attentionWeighted: true,
};

/**
 * The form of the image in the authors' repository: 10 prompts, positions 32 to 1022, next token, no
 * attention weights.
 */
export const REPOSITORY_FORM: Pick<CompositionOptions, "target" | "attentionWeighted"> = {
  target: "next token",
  attentionWeighted: false,
};

/**
 * The heads among the cleaners of cleanup.json: what an MLP writes because of the writer is no linear part of
 * its output.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(cleanerHeads(model)); // heads among the cleaners of cleanup.json
 * ```
 */
export function cleanerHeads(model: Model): string[] {
  const heads = model.cleanup.cleaners.filter((name) => findNode(model.config, name).kind === "head");
  if (heads.length > 0) return heads;
  throw new Error(
    `V-composition: got cleaners ${
      model.cleanup.cleaners.join(", ")
    } from cleanup.json; expected a head among them`,
  );
}

/**
 * What the cleaners write in all, and what of it comes from the writer by V-composition: [batch, pos,
 * d_model] each.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * const { total, composition } = cleanerOutputs(clean, clean.node("L1H5"), cleanerHeads(model));
 * console.log(total.names, composition.names); // batch, pos, d_model each
 * ```
 */
export function cleanerOutputs(
  forward: Forward,
  writer: Tensor,
  cleaners: readonly string[],
  attentionWeighted = true,
): { total: Tensor; composition: Tensor } {
  const byLayer = new Map<number, number[]>();
  for (const name of cleaners) {
    const node = findNode(forward.config, name);
    if (node.kind !== "head") throw new Error(`V-composition: got cleaner ${name}; expected heads only`);
    byLayer.set(node.layer, [...(byLayer.get(node.layer) ?? []), node.head]);
  }
  const compose = attentionWeighted ? compositionZ : compositionZWithoutAttention;
  const [totals, parts] = [[] as Tensor[], [] as Tensor[]];
  for (const [layer, heads] of byLayer) {
    totals.push(writtenByHeads(forward, layer, forward.hook(`blocks.${layer}.attn.hook_z`), heads));
    parts.push(writtenByHeads(forward, layer, compose(forward, layer, writer), heads));
  }
  const sum = (tensors: Tensor[]) => tensors.reduce((a, b) => a.add(b));
  return { total: sum(totals), composition: sum(parts) };
}

/**
 * Figure 5: one row for each prompt and position, and the fits of both on the writer's DLA.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { fit } = await compositionAttribution(model, prompts);
 * console.log(fit.r, fit.slope); // below 0: the cleaners cancel the writer's DLA
 * ```
 */
export async function compositionAttribution(
  model: Model,
  prompts: Prompts,
  options: CompositionOptions = {},
): Promise<{ rows: PairRow[]; fit: Fit; totalFit: Fit; assumptions: Record<string, string> }> {
  checkArguments("compositionAttribution", { model, prompts });
  checkOptions("compositionAttribution", options, OPTIONS);
  const { writer: name = model.cleanup.writer, cleaners = cleanerHeads(model) } = options;
  const { target = "top two", attentionWeighted = true } = options;
  const nextToken = target === "next token";
  const length = nextToken ? prompts.length - 1 : prompts.length; // the last position has no next token
  const clean = model.forward();
  const writer = clean.node(name);
  const direction = nextToken ? unembedding(clean, model.tokens("next")) : topTwoDirection(clean);
  const vector = attributionVector(clean, direction);
  const { total, composition } = cleanerOutputs(clean, writer, cleaners, attentionWeighted);
  const dla = (c: Tensor) => directLogitAttribution(c, vector);
  const outputs = { writer: dla(writer), composition: dla(composition), total: dla(total) };

  const fed = feed(prompts, model.config);
  const cut = (start: number) => cutPrompts(prompts, start, length);
  const values = await run(outputs, nextToken ? { tokens: cut(0), next: cut(1) } : fed, options);

  const bands = new Bands({ ...options, positions: options.positions ?? [0, length - 1] });
  const [from, to] = bands.positions!;
  const series = Object.fromEntries(Object.entries(values).map(([key, array]) => [key, bands.series(array)]));
  const width = to - from + 1;
  const rows = Array.from(series.writer, (value, i) => ({
    prompt: Math.floor(i / width),
    position: from + i % width,
    writer: value,
    composition: series.composition[i],
    total: series.total[i],
  }));
  return {
    rows,
    fit: regress(series.writer, series.composition),
    totalFit: regress(series.writer, series.total),
    assumptions: {
      ...assumptions(model, prompts, bands),
      target: nextToken ? "logit of the next token of the text" : "difference of the top two logits",
      composition: attentionWeighted
        ? "weighted with the clean attention pattern"
        : "without attention weights",
    },
  };
}
