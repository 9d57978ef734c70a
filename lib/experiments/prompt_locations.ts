/** Figure 10: PR of the residual stream onto the writer at the last position of each adversarial prompt. */
import { projectionRatio } from "../metrics/projection.ts";
import { run } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import type { AdversarialPrompt } from "../checkpoints/mod.ts";
import { checkArguments, checkOptions } from "./options.ts";
import type { Result } from "./experiment.ts";
import type { PromptLocationRow } from "./rows.ts";

/**
 * Figure 10: projection ratio of the stream onto the writer at the last position of each prompt.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { rows } = await promptLocations(model, [{ text: "I like tea and" }]);
 * console.log(rows.at(-1)); // { …, location: "resid_post3", ratio }
 * ```
 */
export async function promptLocations(
  model: Model,
  adversarial: readonly AdversarialPrompt[],
  options: { writer?: string } = {},
): Promise<Result<PromptLocationRow>> {
  checkArguments("promptLocations", { model, adversarial });
  checkOptions("promptLocations", options, { writer: true });
  const { writer = model.cleanup.writer } = options;
  const clean = model.forward();
  const rows: PromptLocationRow[] = [];
  for (const { text } of adversarial) {
    const tokens = model.prompts([text]);
    const outputs = Object.fromEntries(
      clean.residualStream().map(({ location, value }) => {
        return [location, projectionRatio(value, clean.node(writer)).select("pos", tokens.length - 1)];
      }),
    );
    const values = await run(outputs, feed(tokens, model.config));
    for (const [location, { data }] of Object.entries(values)) {
      rows.push({ prompt: text, writer, location, ratio: data[0] });
    }
  }
  return { rows, assumptions: { model: model.name, position: "the last of each prompt" } };
}
