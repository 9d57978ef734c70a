/**
 * Numbers that are not finite (NaN, ±∞) end a measurement: medians and bands would be of what is left, or of
 * nothing. The error names the hook point where they begin.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { run } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import { hookPoints } from "../transformer/hook_points.ts";

/** Scores of hidden keys are -∞ by design. */
const MAY_BE_INFINITE = /hook_attn_scores$/;

/**
 * The first hook point of the clean run, in the order of the forward pass, with a value that is not finite.
 */
export async function firstNotFinite(model: Model, prompts: Prompts): Promise<string | undefined> {
  const clean = model.forward();
  for (const name of hookPoints(model.config).keys()) {
    if (MAY_BE_INFINITE.test(name)) continue;
    const value = clean.hook(name);
    const over = value.names.filter((dim) => dim !== "batch");
    // ∞ · 0 is NaN
    const { zero } = await run({ zero: value.mul(0).sum(...over) }, feed(prompts, model.config));
    if (zero.data.some((x: number) => Number.isNaN(x))) return name;
  }
}

/** @throws always: `where` is what was measured when a number that is not finite came up */
export async function refuseNotFinite(model: Model, prompts: Prompts, where: string): Promise<never> {
  const name = await firstNotFinite(model, prompts);
  throw new Error(
    name
      ? `model ${model.name}: the values at ${name} are not all finite on ${prompts.source}. ` +
        `A weight before it may be damaged: nothing can be measured.`
      : `model ${model.name}: ${where} gives numbers that are not finite on ${prompts.source}, though the model as it is does not. ` +
        `Its values reach beyond float32 there: nothing can be measured.`,
  );
}
