/**
 * Finds prompts for Figure 4 in held-out text: beginnings of sentences or lines after which the writer's DLA
 * for the top two next tokens is largest, and stays so when its input is resampled.
 */
import {
  type AdversarialPrompt,
  type AdversarialPrompts,
  type Prompts,
  shorten,
} from "../checkpoints/mod.ts";
import {
  attributionVector,
  directLogitAttribution,
  topTwo,
  topTwoDirection,
} from "../metrics/attribution.ts";
import { run } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import { resampledAttribution } from "./adversarial.ts";
import type { MeasureOptions } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";

/** Where and how to look for adversarial prompts. */
export interface FindOptions extends MeasureOptions {
  /** Default: that of cleanup.json. */
  writer?: string;
  /** How many prompts to return. Default 4, as in the post. */
  count?: number;
  /** Lengths of the prompts in tokens, BOS included. Default 8, 11 and 14: the post's have 7 to 15. */
  lengths?: readonly number[];
  /** How far the resampled median may lie from the clean DLA, as a part of it. Default 0.1. */
  moved?: number;
  /**
   * How much of its DLA the other head with the highest one must lose when it is resampled, as a part of it.
   * Default 0: any head will do.
   */
  contrast?: number;
  /** Which texts may be returned. Default: all. */
  accept?: (text: string) => boolean;
  /** How many of the largest are resampled. Default 40. */
  candidates?: number;
}

const OPTIONS: Record<keyof FindOptions, true> = {
  ...MEASURE_OPTIONS,
  writer: true,
  count: true,
  lengths: true,
  moved: true,
  contrast: true,
  accept: true,
  candidates: true,
};

/**
 * The model's adversarial prompts from its adversarial.json; where it has none, those that are found among
 * `prompts`. Where none misleads, the beginnings with the writer's largest DLA. `source` says which of the
 * three they are.
 * @throws where no sentence or line of a fitting length begins in `prompts`
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { prompts: found, source } = await adversarialFor(model, prompts);
 * console.log(found[0].text, source);
 * ```
 */
export async function adversarialFor(model: Model, prompts: Prompts): Promise<AdversarialPrompts> {
  checkArguments("adversarialFor", { model, prompts });
  if (model.knownAdversarial) return model.knownAdversarial;
  const found = await findAdversarialPrompts(model, prompts);
  if (found.length > 0) return { prompts: found, source: `findAdversarialPrompts on ${prompts.source}` };
  const largest = await findAdversarialPrompts(model, prompts, { moved: Infinity });
  const source =
    `of ${prompts.source}, the beginnings with the largest DLA of ${model.cleanup.writer}: on none does a large one ` +
    `stay when its input is resampled, so these do not mislead as the post's do`;
  return { prompts: largest, source };
}

/**
 * Texts of `length` tokens, as `model.prompts` makes them (with BOS where the model has it), that begin where
 * a sentence or a line does.
 */
function beginnings(model: Model, prompts: Prompts, length: number): { text: string; row: number }[] {
  const tokenizer = model.tokenizer!;
  const bos = tokenizer.bosId, prependBos = model.config.default_prepend_bos;
  const own = prependBos ? length - 1 : length;
  const found: { text: string; row: number }[] = [];
  for (let row = 0; row < prompts.count; row++) {
    const ids = [...prompts.tokens.subarray(row * prompts.length, (row + 1) * prompts.length)];
    for (let start = 2; start + own <= ids.length; start++) {
      if (!/[.\n]\s*$/.test(tokenizer.decodeToken(ids[start - 1]))) continue;
      const window = ids.slice(start, start + own);
      if (bos !== undefined && window.includes(bos)) continue;
      const text = tokenizer.decode(window).trim();
      if (/^\S/.test(text) && tokenizer.encode(text, { prependBos }).length === length) {
        found.push({ text, row });
      }
    }
  }
  return found;
}

/**
 * Prompts on which DLA of the writer is large and stays when its input is replaced; the most misleading
 * first.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16 });
 * const options = { count: 1, lengths: [8], candidates: 2 };
 * const found = await findAdversarialPrompts(model, prompts, options);
 * console.log(found.map(({ text }) => text)); // none, or one
 * ```
 */
export async function findAdversarialPrompts(
  model: Model,
  prompts: Prompts,
  options: FindOptions = {},
): Promise<AdversarialPrompt[]> {
  checkArguments("findAdversarialPrompts", { model, prompts });
  checkOptions("findAdversarialPrompts", options, OPTIONS);
  const { count = 4, lengths = [8, 11, 14], moved = 0.1, contrast = 0, candidates = 40, ...more } = options;
  const { accept = () => true, writer: _, ...measuring } = more;
  const name = options.writer ?? model.cleanup.writer;
  const scored: { text: string; row: number; dla: number; first: number; second: number }[] = [];
  for (const length of lengths) {
    const texts = beginnings(model, prompts, length).filter(({ text }) => accept(text));
    if (texts.length === 0) continue;
    const clean = model.forward();
    const { first, second } = topTwo(clean);
    const dla = directLogitAttribution(clean.node(name), attributionVector(clean, topTwoDirection(clean)));
    const last = (t: typeof dla) => t.select("pos", length - 1);
    const outputs = { dla: last(dla), first: last(first), second: last(second) };
    const values = await run(outputs, feed(model.prompts(texts.map((t) => t.text)), model.config), options);
    texts.forEach(({ text, row }, i) => {
      const [first, second] = [values.first.data[i], values.second.data[i]];
      scored.push({ text, row, dla: values.dla.data[i], first, second });
    });
  }
  if (scored.length === 0) {
    throw new Error(`no sentence or line of ${lengths.join(", ")} tokens begins in ${prompts.source}`);
  }
  scored.sort((a, b) => b.dla - a.dla);

  const chosen: (typeof scored)[number][] = [];
  for (const candidate of scored.slice(0, candidates)) {
    if (chosen.length === count) break;
    const { row, first, second } = candidate;
    if (chosen.some((c) => c.row === row || c.first === first && c.second === second)) continue;
    const resampling = { ...measuring, onProgress: undefined, writer: name };
    const { rows: [writer, other] } = await resampledAttribution(
      model,
      [candidate],
      shorten(prompts, {}),
      resampling,
    );
    const stays = Math.abs(writer.median - writer.clean) <= moved * Math.abs(writer.clean);
    if (stays && (contrast === 0 || other.median <= (1 - contrast) * other.clean)) chosen.push(candidate);
  }
  return chosen.map(({ text }) => ({ text }));
}
