/**
 * Figure 4: prompts on which direct logit attribution (DLA) of the writer misleads. The writer's DLA is
 * large, yet it stays the same when the head reads unrelated text: it does not depend on the prompt, so it
 * cannot tell the answers apart.
 *
 * Resampling, as in the authors' code: at the last position the head's normalised input (ln1.hook_normalized:
 * Q, K and V) is replaced by that of a run on unrelated text of the same length; only this head's DLA is
 * read, with the clean run's final scale.
 */
import { attentionOf } from "../checkpoints/blocks.ts";
import { type AdversarialPrompt, type Prompts, shorten } from "../checkpoints/mod.ts";
import { attributionVector, directLogitAttribution } from "../metrics/attribution.ts";
import { headDots } from "../metrics/projection.ts";
import { quantiles } from "../stats/quantiles.ts";
import { run } from "../tensor/run.ts";
import { iota, type Tensor, where } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Hook } from "../transformer/hook_points.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode, headName } from "../transformer/nodes.ts";
import { assumptions, Bands, type MeasureOptions } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import { repeatPrompt } from "./prompt_feeds.ts";
import type { PromptRow } from "./rows.ts";

export interface Answers {
  correct: number;
  incorrect: number;
  logitDifference: number;
  /** DLA of every head, [layer][head]. */
  heads: number[][];
}

/** DLA direction between two fixed tokens: [d_model]. */
export function between(forward: Forward, correct: number, incorrect: number): Tensor {
  const W_U = forward.weight("unembed.W_U");
  return W_U.select("d_vocab", correct).sub(W_U.select("d_vocab", incorrect));
}

/** The token that an answer is. @throws for an answer of none or several, which it shows */
export function oneToken({ tokenizer }: Model, text: string): number {
  const ids = tokenizer!.encode(text);
  if (ids.length === 1) return ids[0];
  const pieces = ids.map((id) => JSON.stringify(tokenizer!.decodeToken(id))).join(", ");
  throw new Error(
    `answer ${JSON.stringify(text)}: got ${ids.length} tokens${pieces && ` (${pieces})`}; ` +
      `expected one (mind the space in front)`,
  );
}

/** The clean run on one prompt: the answers, and what every head's DLA says. */
export async function answersTo(model: Model, prompt: AdversarialPrompt, tokens: Prompts): Promise<Answers> {
  const last = tokens.length - 1;
  const clean = model.forward();
  const { logits } = await run({ logits: clean.logits.select("pos", last) }, feed(tokens, model.config));
  const order = [...logits.data.keys()].sort((a, b) => logits.data[b] - logits.data[a]);
  const correct = prompt.correct === undefined ? order[0] : oneToken(model, prompt.correct);
  const incorrect = prompt.incorrect === undefined ? order[1] : oneToken(model, prompt.incorrect);
  const vector = attributionVector(clean, between(clean, correct, incorrect).expand("batch").expand("pos"));
  const layers = Array.from({ length: model.config.n_layers }, (_, layer) => layer);
  const outputs = Object.fromEntries(
    layers.map((layer) => [`${layer}`, headDots(clean, layer, vector).select("pos", last)]),
  );
  const heads = await run(outputs, feed(tokens, model.config));
  return {
    correct,
    incorrect,
    logitDifference: logits.data[correct] - logits.data[incorrect],
    heads: layers.map((layer) => [...heads[layer].data]),
  };
}

/**
 * The run in which, at the last position, every head of `layer` reads what it would read at the end of
 * unrelated text.
 */
function resampled(model: Model, clean: Forward, layer: number, last: number): Forward {
  const other = model.forward({ tokens: model.tokens("unrelated") });
  const { norm, block } = attentionOf(model.config, layer);
  const inputs = ["q", "k", "v"].map((x) => `${block}.hook_${x}_input`); // where nothing normalises them
  const swap: Hook = (own, { name }) => where(iota("pos", "pos"), "Less", last, own, other.hook(name));
  const names = norm ? [`${norm}.hook_normalized`] : inputs;
  return model.forward({
    tokens: clean.tokens,
    hooks: Object.fromEntries(names.map((name) => [name, swap])),
  });
}

/** DLA of one head at the last position for each of many unrelated texts of the prompt's length. */
async function resample(
  model: Model,
  tokens: Prompts,
  answers: Answers,
  [layer, head]: readonly [number, number],
  unrelated: Prompts,
  options: MeasureOptions,
): Promise<number[]> {
  const [last, count] = [tokens.length - 1, unrelated.count];
  const clean = model.forward();
  const direction = between(clean, answers.correct, answers.incorrect).expand("batch").expand("pos");
  const vector = attributionVector(clean, direction).select("pos", last);
  const result = resampled(model, clean, layer, last).headResult(layer, head).select("pos", last);
  const feeds = {
    tokens: repeatPrompt(tokens, count),
    unrelated: feed(shorten(unrelated, { length: tokens.length }), model.config).tokens,
  };
  const { dla } = await run({ dla: directLogitAttribution(result, vector) }, feeds, options);
  return [...dla.data];
}

/**
 * Figure 4, both panels: DLA of the writer (a), and on each prompt of the other head with the highest DLA
 * (b), clean and with its input resampled from `unrelated` prompts (the post: 300; their first tokens are
 * used, as many as the prompt has).
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const [prompt] = model.adversarial.prompts;
 * const { rows } = await resampledAttribution(model, [prompt], prompts);
 * console.log(rows[0].node, rows[0].clean, rows[0].median); // DLA, and DLA of a resampled input
 * ```
 */
export async function resampledAttribution(
  model: Model,
  adversarial: readonly AdversarialPrompt[],
  unrelated: Prompts,
  options: MeasureOptions & { writer?: string; samples?: number } = {},
): Promise<{ rows: PromptRow[]; assumptions: Record<string, string> }> {
  checkArguments("resampledAttribution", { model, adversarial, unrelated });
  checkOptions("resampledAttribution", options, { ...MEASURE_OPTIONS, writer: true, samples: true });
  const name = options.writer ?? model.cleanup.writer;
  const writer = findNode(model.config, name);
  if (writer.kind !== "head") throw new Error(`Figure 4 resamples the input of a head; got writer ${name}`);
  const samples = shorten(unrelated, { count: Math.min(options.samples ?? 300, unrelated.count) });
  const bands = new Bands(options);
  const rows: PromptRow[] = [];
  for (const prompt of adversarial) {
    const tokens = model.prompts([prompt.text]);
    const answers = await answersTo(model, prompt, tokens);
    const top = answers.heads
      .flatMap((heads, layer) => heads.map((dla, head) => ({ layer, head, dla })))
      .filter(({ layer, head }) => headName(layer, head) !== name)
      .reduce((a, b) => b.dla > a.dla ? b : a);
    for (const [panel, { layer, head }] of [["a", writer], ["b", top]] as const) {
      const values = await resample(model, tokens, answers, [layer, head], samples, options);
      const [median, low, high] = quantiles(Float64Array.from(values), [0.5, ...bands.quantiles]);
      rows.push({
        prompt: prompt.text,
        correct: model.tokenizer!.decodeToken(answers.correct),
        incorrect: model.tokenizer!.decodeToken(answers.incorrect),
        node: headName(layer, head),
        panel,
        logitDifference: answers.logitDifference,
        clean: answers.heads[layer][head],
        samples: values,
        median,
        low,
        high,
      });
      options.onProgress?.({ done: rows.length, total: 2 * adversarial.length, seconds: 0 });
    }
  }
  const { positions: _, ...rest } = assumptions(model, samples, bands);
  return {
    rows,
    assumptions: { ...rest, resampled: "ln1.hook_normalized at the last position (Q, K and V)" },
  };
}
