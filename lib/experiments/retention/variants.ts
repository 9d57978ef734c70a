/** What of a writer's output is taken out, and what stands beside it as a control. */
import type { Prompts } from "../../checkpoints/mod.ts";
import { atPositions, type RemovedPositions } from "../../metrics/retention.ts";
import { type Feeds, run, type RunOptions } from "../../tensor/run.ts";
import { param, type Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";

/**
 * - all: the writer's output.
 * - varying: its output minus the mean over all tokens that count, so that what is the same everywhere stays
 *   in.
 * - resampled: its output minus what it writes at the same position of another prompt, which takes its place.
 */
export type Removed = "all" | "varying" | "resampled";

/** The tensor w [batch, pos, d_model] whose removal is measured, before positions and strength are chosen. */
export type Output = (name: string) => Tensor;

/** `Removed` as a function of the writer's name, and what the run must be fed for it. */
export async function outputsToRemove(
  model: Model,
  clean: Forward,
  prompts: Prompts,
  names: readonly string[],
  removed: Removed,
  positions: RemovedPositions,
  options: RunOptions,
): Promise<{ output: Output; feeds: Feeds }> {
  if (removed === "resampled") {
    const other = model.forward({ tokens: model.tokens("other") });
    return {
      output: (name) => clean.node(name).sub(other.node(name)),
      feeds: { other: feed(shiftedPrompts(prompts), model.config).tokens },
    };
  }
  if (removed === "all") return { output: (name) => clean.node(name), feeds: {} };
  const sums = Object.fromEntries(
    names.map((name) => [name, atPositions(clean.node(name), positions).sum("pos")]),
  );
  const totals = await run(sums, feed(prompts, model.config), options);
  const { length, count } = prompts;
  const tokens = count * (positions === "all" ? length : positions === "first" ? 1 : length - 1);
  const means = new Map(names.map((name) => {
    const { d_model } = model.config;
    const mean = new Float32Array(d_model);
    totals[name].data.forEach((x: number, i: number) => mean[i % d_model] += x / tokens);
    return [name, param(`mean of ${name}`, mean, [{ name: "d_model", size: d_model }])];
  }));
  return { output: (name) => clean.node(name).sub(means.get(name)!), feeds: {} };
}

/**
 * A vector [batch, pos, d_model] as long as `w` along another node's output: the control for those who doubt
 * isotropy.
 */
export function asLong(other: Tensor, w: Tensor): Tensor {
  const ratio = w.sumSquares("d_model").div(other.sumSquares("d_model").atLeast(1e-30)).sqrt();
  return other.mul(ratio);
}
