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
  /**
   * What stands in the writer's place besides, in the same run: rows after the others. None where the writer
   * is no head. Default [].
   */
  controls?: readonly Replacement[];
}

const OPTIONS: Record<keyof ResampleOptions, true> = {
  ...MEASURE_OPTIONS,
  layer: true,
  heads: true,
  by: true,
  controls: true,
};

const REPLACEMENTS: readonly Replacement[] = ["resampled", "zero", "mean"];

const SAID: Record<Replacement, string> = {
  resampled: "the head's result at all positions, from the next prompt",
  zero: "the head's result at all positions is zero",
  mean: "the head's result at all positions is its mean over the prompts, position by position",
};

/** -log P(next token), in nats: [batch, pos]. */
function loss(forward: Forward, next: Tensor): Tensor {
  return forward.logProbabilities().pick("d_vocab", next).neg();
}

/** Mean over prompts of each head's result, position by position: [pos, d_model]. */
async function meanResults(
  model: Model,
  prompts: Prompts,
  heads: readonly string[],
  options: RunOptions,
): Promise<Tensor[]> {
  const clean = model.forward();
  const sums = heads.map(() => new Float64Array(prompts.length * model.config.d_model));
  const outputs = { results: heads.map((head) => clean.node(head)) };
  for await (const { results } of stream(outputs, feed(prompts, model.config), options)) {
    results.results.forEach(({ data }, i) => {
      const sum = sums[i];
      for (let j = 0; j < data.length; j++) sum[j % sum.length] += data[j];
    });
  }
  const dims = [{ name: "pos", size: prompts.length }, { name: "d_model", size: model.config.d_model }];
  return sums.map((sum, i) => {
    const mean = Float32Array.from(sum, (x) => x / prompts.count);
    return param(`mean of ${heads[i]} by position`, mean, dims).prefix("pos", "pos");
  });
}

/**
 * Figure 7: by how much the loss of a prompt rises, in nats, when a head's result is replaced.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await resampleAblation(model, prompts, { heads: ["L1H5"] });
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
  const { layer = model.writersLayer, by = "resampled", controls = [] } = options;
  for (const each of [by, ...controls]) checkChoice("resampleAblation", "by", each, REPLACEMENTS);
  const all = Array.from({ length: model.config.n_heads }, (_, head) => headName(layer, head));
  const heads = (options.heads ?? all).map((name) => {
    const node = findNode(model.config, name);
    if (node.kind !== "head") throw new Error(`resampleAblation: got ${name}; expected heads`);
    return node;
  });
  const writer = controls.length > 0 ? findNode(model.config, model.cleanup.writer) : undefined;
  const replaced = [
    ...heads.map((head) => ({ head, by })),
    ...(writer?.kind === "head" ? controls.map((by) => ({ head: writer, by })) : []),
  ];
  const used = new Set(replaced.map(({ by }) => by));
  const length = prompts.length - 1; // the last token has no next one
  const next = model.tokens("next");
  const clean = model.forward();
  const other = model.forward({ tokens: model.tokens("other") });
  const feeds = { tokens: cutPrompts(prompts, 0, length), next: cutPrompts(prompts, 1, length) };
  const fedOther: Feeds = used.has("resampled")
    ? { other: cutPrompts(shiftedPrompts(prompts), 0, length) }
    : {};
  const bands = new Bands({ ...options, positions: options.positions ?? [0, length - 1] });
  const shortened = { ...prompts, tokens: feeds.tokens.data as Prompts["tokens"], length };
  const result = (forward: Forward, { layer, head }: typeof heads[number]) => forward.headResult(layer, head);
  const averaged = replaced.filter(({ by }) => by === "mean").map(({ head }) => head.name);
  const means = used.has("mean")
    ? await meanResults(model, shortened, averaged, { ...options, onProgress: undefined })
    : [];
  const put = ({ head, by }: typeof replaced[number]) =>
    by === "resampled" ? result(other, head) : by === "mean" ? means[averaged.indexOf(head.name)] : undefined;
  const losses = replaced.map((each) => {
    const { head } = each, instead = put(each);
    const hook = (out: Tensor) => {
      const rest = out.sub(result(clean, head));
      return instead ? rest.add(instead) : rest;
    };
    return loss(model.forward({ hooks: { [`blocks.${head.layer}.hook_attn_out`]: hook } }), next);
  });
  // All heads in one run share the clean run, the other prompts' and their layers before the head.
  const { base, ablated } = await run({ base: loss(clean, next), ablated: losses }, {
    ...feeds,
    ...fedOther,
  }, options);
  const before = bands.series(base);
  const rows: LossRow[] = [{ node: "none", by: "none", ...row(before, prompts.count, bands) }];
  for (const [i, { head, by }] of replaced.entries()) {
    const increase = bands.series(ablated[i]).map((value, t) => value - before[t]);
    rows.push({ node: head.name, by, ...row(increase, prompts.count, bands) });
  }
  return {
    rows,
    assumptions: {
      ...assumptions(model, prompts, bands, "as their mean in each prompt; bands over prompts"),
      resampled: [...used].map((by) => SAID[by]).join("; "),
    },
  };
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
