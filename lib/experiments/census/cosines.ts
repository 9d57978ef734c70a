/**
 * Cosine of every sublayer's output with the stream, beside that of its output on another text
 * (metrics/sublayers.ts).
 */
import { blocks } from "../../checkpoints/blocks.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { addedBy, cosine, streamBefore } from "../../metrics/sublayers.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { draws, estimate, meanOf } from "../estimates.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import type { CosineRow } from "./rows.ts";

/** Below this cosine a token counts as opposed. */
export const OPPOSED = -0.1;

/**
 * One row a sublayer, in the order of the forward pass. @throws for a single prompt, and for prompts of
 * one token
 */
export async function sublayerCosines(
  model: Model,
  prompts: Prompts,
  options: RunOptions & { seed: number },
): Promise<CosineRow[]> {
  const { seed, ...runOptions } = options;
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const branches = blocks(model.config).flatMap((block) => block.branches);
  const outputs: Record<string, Tensor> = {};
  branches.forEach((branch, i) => {
    const added = addedBy(clean, branch), stream = streamBefore(clean, branch);
    outputs[`own${i}`] = cosine(added, stream);
    outputs[`control${i}`] = cosine(addedBy(other, branch), stream);
    const squares = added.sumSquares("d_model").div(stream.sumSquares("d_model").atLeast(1e-30));
    outputs[`share${i}`] = squares.sqrt();
  });
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  const values = await run(outputs, feeds, runOptions);
  const { count, length } = prompts;
  const drawn = draws(count, seed);
  /** Of each prompt: the mean over positions from 1 on. */
  const byPrompt = (key: string, of = (x: number) => x) =>
    Float64Array.from({ length: count }, (_, b) => {
      let sum = 0;
      for (let t = 1; t < length; t++) sum += of(values[key].data[b * length + t]);
      return sum / (length - 1);
    });
  return branches.map(({ kind, layer }, i): CosineRow => {
    const own = byPrompt(`own${i}`), control = byPrompt(`control${i}`);
    const beyond = own.map((x, b) => x - control[b]);
    const first = Float64Array.from({ length: count }, (_, b) => values[`own${i}`].data[b * length]);
    return {
      layer,
      sublayer: kind,
      cosine: estimate((draw) => meanOf(own, draw), drawn),
      control: estimate((draw) => meanOf(control, draw), drawn),
      beyond: estimate((draw) => meanOf(beyond, draw), drawn),
      opposed: meanOf(byPrompt(`own${i}`, (x) => Number(x < OPPOSED))),
      share: meanOf(byPrompt(`share${i}`)),
      first: meanOf(first),
    };
  });
}
