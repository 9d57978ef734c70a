/**
 * Figure 9: does direct logit attribution (DLA) of a head predict what the model loses without it? For every head on each
 * adversarial prompt: DLA, and the fall of the logit difference when the head's result at the last position is resampled from
 * unrelated text. Unlike DLA, the fall counts all that later nodes do with the head's output.
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
import { repeatPrompt } from "./prompt_feeds.ts";
import type { AblationRow } from "./rows.ts";

export async function promptAblation(
  model: Model,
  adversarial: readonly AdversarialPrompt[],
  unrelated: Prompts,
  options: MeasureOptions & { samples?: number } = {},
): Promise<Result<AblationRow>> {
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
    const outputs: Record<string, Tensor> = {};
    for (let layer = 0; layer < n_layers; layer++) {
      for (let head = 0; head < n_heads; head++) {
        const swap = (out: Tensor) => {
          const swapped = out.sub(clean.headResult(layer, head)).add(other.headResult(layer, head));
          return where(iota("pos", "pos"), "Less", last, out, swapped);
        };
        const patched = model.forward({ hooks: { [`blocks.${layer}.hook_attn_out`]: swap } });
        outputs[headName(layer, head)] = along(patched);
      }
    }
    const feeds = {
      tokens: repeatPrompt(tokens, samples.count),
      unrelated: feed(shorten(samples, { length: tokens.length }), model.config).tokens,
    };
    const values = await run(outputs, feeds, part(index));
    // b_U and a final LayerNorm's bias are the same in both runs, so the clean value is taken the same way.
    const { base } = await run({ base: along(clean) }, feed(tokens, model.config));
    answers.heads.forEach((heads, layer) =>
      heads.forEach((dla, head) => {
        const node = headName(layer, head);
        const [median] = quantiles(Float64Array.from(values[node].data), [0.5]);
        rows.push({ prompt: prompt.text, node, dla, effect: base.data[0] - median });
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
