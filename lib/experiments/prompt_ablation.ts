/**
 * Figure 9: does direct logit attribution (DLA) of a head predict what the model loses without it? For every
 * head on each adversarial prompt: DLA, and the fall of the logit difference when the head's result at the
 * last position is resampled from unrelated text, or set to zero. Unlike DLA, the fall counts all that later
 * nodes do with the head's output. Resampling leaves what the head writes on any text; zero takes that away
 * too.
 */
import { type AdversarialPrompt, type Prompts, shorten } from "../checkpoints/mod.ts";
import { readDifference } from "../metrics/attribution.ts";
import { quantiles } from "../stats/quantiles.ts";
import { run } from "../tensor/run.ts";
import { iota, type Tensor, where } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { feed, type Model } from "../transformer/model.ts";
import { headName } from "../transformer/nodes.ts";
import { answersTo, between } from "./adversarial.ts";
import { assumptions, Bands, type MeasureOptions, type Result } from "./experiment.ts";
import { inParts } from "./part_progress.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import { repeatPrompt } from "./prompt_feeds.ts";
import type { AblationRow } from "./rows.ts";

/**
 * Figure 9: DLA of each head on adversarial prompts beside the effect of resampling or removing it, in
 * logits.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await promptAblation(model, model.adversarial.prompts.slice(0, 1), prompts);
 * const [{ node, dla, effect }] = rows;
 * console.log(node, dla, effect);
 * ```
 */
export async function promptAblation(
  model: Model,
  adversarial: readonly AdversarialPrompt[],
  unrelated: Prompts,
  options: MeasureOptions & { samples?: number } = {},
): Promise<Result<AblationRow>> {
  checkArguments("promptAblation", { model, adversarial, unrelated });
  checkOptions("promptAblation", options, { ...MEASURE_OPTIONS, samples: true });
  const { n_layers, n_heads } = model.config;
  const samples = shorten(unrelated, { count: Math.min(options.samples ?? 100, unrelated.count) });
  const rows: AblationRow[] = [];
  const part = inParts(options, adversarial.length);
  for (const [index, prompt] of adversarial.entries()) {
    const tokens = model.prompts([prompt.text]);
    const last = tokens.length - 1;
    const answers = await answersTo(model, prompt, tokens);
    const clean = model.forward();
    const other = model.forward({ tokens: model.tokens("unrelated") });
    const direction = between(clean, answers.correct, answers.incorrect);
    const along = (forward: Forward) =>
      readDifference(forward, direction.expand("batch").expand("pos")).select("pos", last);
    const outputs: Record<string, Tensor> = {}, zeroes: Record<string, Tensor> = {};
    for (let layer = 0; layer < n_layers; layer++) {
      for (let head = 0; head < n_heads; head++) {
        const without = (put?: Tensor) =>
          model.forward({
            hooks: {
              [`blocks.${layer}.hook_attn_out`]: (out) => {
                const rest = out.sub(clean.headResult(layer, head));
                return where(iota("pos", "pos"), "Less", last, out, put ? rest.add(put) : rest);
              },
            },
          });
        outputs[headName(layer, head)] = along(without(other.headResult(layer, head)));
        zeroes[headName(layer, head)] = along(without());
      }
    }
    const feeds = {
      tokens: repeatPrompt(tokens, samples.count),
      unrelated: feed(shorten(samples, { length: tokens.length }), model.config).tokens,
    };
    const values = await run(outputs, feeds, part(index));
    // b_U and a final LayerNorm's bias are the same in both runs, so the clean value is taken the same way.
    const { base } = await run({ base: along(clean) }, feed(tokens, model.config));
    const zeroed = await run(zeroes, feed(tokens, model.config));
    answers.heads.forEach((heads, layer) =>
      heads.forEach((dla, head) => {
        const node = headName(layer, head);
        const [median] = quantiles(Float64Array.from(values[node].data), [0.5]);
        const [effect, zero] = [median, zeroed[node].data[0]].map((left) => base.data[0] - left);
        rows.push({ prompt: prompt.text, node, dla, effect, zeroed: zero });
      })
    );
  }
  const { positions: _, ...rest } = assumptions(model, samples, new Bands(options));
  return {
    rows,
    assumptions: {
      ...rest,
      resampled: "the head's result at the last position; median over unrelated texts",
    },
  };
}
