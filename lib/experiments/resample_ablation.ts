/**
 * Figure 7: how much does the model need each head of one layer? The head's result is replaced, at every position, by its result
 * on another prompt (the prompts turned by one), and the mean loss of each prompt is compared with the clean run's.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { run } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Model } from "../transformer/model.ts";
import { headName } from "../transformer/nodes.ts";
import { assumptions, Bands, type MeasureOptions, type Result } from "./experiment.ts";
import { inParts } from "./part_progress.ts";
import { cutPrompts } from "./prompt_feeds.ts";
import type { LossRow } from "./rows.ts";
import { shiftedPrompts } from "./shifted_prompts.ts";

/** -log P(next token), in nats: [batch, pos]. */
function loss(forward: Forward, next: Tensor): Tensor {
  return forward.logProbabilities().pick("d_vocab", next).neg();
}

/** @param options layer: default the writer's. */
export async function resampleAblation(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions & { layer?: number } = {},
): Promise<Result<LossRow>> {
  const { layer = model.writersLayer } = options;
  const length = prompts.length - 1; // the last token has no next one
  const next = model.tokens("next");
  const clean = model.forward();
  const other = model.forward({ tokens: model.tokens("other") });
  const hook = `blocks.${layer}.hook_attn_out`;
  const swapped = (head: number) =>
    model.forward({
      hooks: { [hook]: (out) => out.sub(clean.headResult(layer, head)).add(other.headResult(layer, head)) },
    });

  const feeds = {
    tokens: cutPrompts(prompts, 0, length),
    next: cutPrompts(prompts, 1, length),
    other: cutPrompts(shiftedPrompts(prompts), 0, length),
  };
  const heads = Array.from({ length: model.config.n_heads }, (_, head) => head);
  const bands = new Bands({ ...options, positions: options.positions ?? [0, length - 1] });
  const part = inParts(options, 1 + heads.length);
  // One head a run: with logits for every head at once, a batch would not fit.
  const { base } = await run(
    { base: loss(clean, next) },
    { tokens: feeds.tokens, next: feeds.next },
    part(0),
  );
  const rows: LossRow[] = [row("none", bands.series(base), prompts.count, bands)];
  for (const head of heads) {
    const { ablated } = await run({ ablated: loss(swapped(head), next) }, feeds, part(1 + head));
    const before = bands.series(base);
    const increase = bands.series(ablated).map((value, i) => value - before[i]);
    rows.push(row(headName(layer, head), increase, prompts.count, bands));
  }
  return {
    rows,
    assumptions: {
      ...assumptions(model, prompts, bands),
      resampled: "the head's result at all positions, from the next prompt",
    },
  };
}

function row(node: string, values: Float32Array, prompts: number, bands: Bands): LossRow {
  const width = values.length / prompts;
  const mean = (part: Float32Array) => part.reduce((a, b) => a + b, 0) / part.length;
  const means = Float32Array.from(
    { length: prompts },
    (_, b) => mean(values.subarray(b * width, (b + 1) * width)),
  );
  return { node, ...bands.of(means), mean: mean(means) };
}
