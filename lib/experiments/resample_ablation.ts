/**
 * Figure 7: how much does the model need each head of one layer? The head's result is replaced, at every
 * position, by its result on another prompt (the prompts turned by one), and the mean loss of each prompt is
 * compared with the clean run's.
 *
 * Two other replacements tell what that loss is of. Zero takes all away. The mean over prompts at the same
 * position keeps what the head writes on any text: what is lost is what it says about this one. Resampling
 * loses that as well, and says something about another text.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { type Feeds, run, type RunOptions, stream } from "../tensor/run.ts";
import { param, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode, headName } from "../transformer/nodes.ts";
import { assumptions, Bands, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkChoice, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import { inParts } from "./part_progress.ts";
import { cutPrompts } from "./prompt_feeds.ts";
import type { LossRow, Replacement } from "./rows.ts";
import { shiftedPrompts } from "./shifted_prompts.ts";

/** Of Figure 7. */
export interface ResampleOptions extends MeasureOptions {
  /** Whose heads are replaced, one after the other. Default: the writer's layer. */
  layer?: number;
  /** These heads, of one layer or several, in place of a layer's. */
  heads?: readonly string[];
  /** What stands in a head's place. Default "resampled". */
  by?: Replacement;
}

const OPTIONS: Record<keyof ResampleOptions, true> = {
  ...MEASURE_OPTIONS,
  layer: true,
  heads: true,
  by: true,
};

const SAID: Record<Replacement, string> = {
  resampled: "the head's result at all positions, from the next prompt",
  zero: "the head's result at all positions is zero",
  mean: "the head's result at all positions is its mean over the prompts, position by position",
};

/** -log P(next token), in nats: [batch, pos]. */
function loss(forward: Forward, next: Tensor): Tensor {
  return forward.logProbabilities().pick("d_vocab", next).neg();
}

/** Mean over prompts of a head's result, position by position: [pos, d_model]. */
async function meanResult(
  model: Model,
  prompts: Prompts,
  head: string,
  options: RunOptions,
): Promise<Tensor> {
  const { d_model } = model.config;
  const mean = new Float64Array(prompts.length * d_model);
  const outputs = { result: model.forward().node(head) };
  for await (const { results } of stream(outputs, feed(prompts, model.config), options)) {
    results.result.data.forEach((x: number, i: number) => mean[i % mean.length] += x / prompts.count);
  }
  const dims = [{ name: "pos", size: prompts.length }, { name: "d_model", size: d_model }];
  const table = param(`mean of ${head} by position`, Float32Array.from(mean), dims);
  return table.prefix("pos", "pos");
}

/**
 * Figure 7: by how much the loss of a prompt rises, in nats, when a head's result is replaced.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await resampleAblation(model, prompts, { heads: ["L1H6"] });
 * for (const { node, mean } of rows) console.log(node, mean); // "none" is the clean run's loss
 * ```
 */
export async function resampleAblation(
  model: Model,
  prompts: Prompts,
  options: ResampleOptions = {},
): Promise<Result<LossRow>> {
  checkArguments("resampleAblation", { model, prompts });
  checkOptions("resampleAblation", options, OPTIONS);
  const { layer = model.writersLayer, by = "resampled" } = options;
  checkChoice("resampleAblation", "by", by, ["resampled", "zero", "mean"]);
  const all = Array.from({ length: model.config.n_heads }, (_, head) => headName(layer, head));
  const heads = (options.heads ?? all).map((name) => {
    const node = findNode(model.config, name);
    if (node.kind !== "head") throw new Error(`resampleAblation: got ${name}; expected heads`);
    return node;
  });
  const length = prompts.length - 1; // the last token has no next one
  const next = model.tokens("next");
  const clean = model.forward();
  const other = model.forward({ tokens: model.tokens("other") });
  const feeds = { tokens: cutPrompts(prompts, 0, length), next: cutPrompts(prompts, 1, length) };
  const fedOther: Feeds = by === "resampled" ? { other: cutPrompts(shiftedPrompts(prompts), 0, length) } : {};
  const bands = new Bands({ ...options, positions: options.positions ?? [0, length - 1] });
  const part = inParts(options, 1 + heads.length);
  // One head a run: with logits for every head at once, a batch would not fit.
  const { base } = await run({ base: loss(clean, next) }, feeds, part(0));
  const rows: LossRow[] = [{ node: "none", by: "none", ...row(bands.series(base), prompts.count, bands) }];
  for (const [i, head] of heads.entries()) {
    const result = (forward: Forward) => forward.headResult(head.layer, head.head);
    const shortened = { ...prompts, tokens: feeds.tokens.data as Prompts["tokens"], length };
    const put = by === "resampled"
      ? result(other)
      : by === "mean"
      ? await meanResult(model, shortened, head.name, { ...options, onProgress: undefined })
      : undefined;
    const swapped = model.forward({
      hooks: {
        [`blocks.${head.layer}.hook_attn_out`]: (out) => {
          const rest = out.sub(result(clean));
          return put ? rest.add(put) : rest;
        },
      },
    });
    const { ablated } = await run({ ablated: loss(swapped, next) }, { ...feeds, ...fedOther }, part(1 + i));
    const before = bands.series(base);
    const increase = bands.series(ablated).map((value, i) => value - before[i]);
    rows.push({ node: head.name, by, ...row(increase, prompts.count, bands) });
  }
  return { rows, assumptions: { ...assumptions(model, prompts, bands), resampled: SAID[by] } };
}

function row(values: Float32Array, prompts: number, bands: Bands): Omit<LossRow, "node" | "by"> {
  const width = values.length / prompts;
  const mean = (part: Float32Array) => part.reduce((a, b) => a + b, 0) / part.length;
  const means = Float32Array.from(
    { length: prompts },
    (_, b) => mean(values.subarray(b * width, (b + 1) * width)),
  );
  return { ...bands.band(means), mean: mean(means) };
}
