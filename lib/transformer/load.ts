/** Loads a model by its name or folder, and the prompts that belong to it. */
import { documents } from "../checkpoints/prompts/documents.ts";
import {
  heldOutTexts,
  loadPromptSource,
  openModel,
  packPrompts,
  type PromptOptions,
  type Prompts,
  type ResolveOptions,
  shorten,
} from "../checkpoints/mod.ts";
import { checkGiven, checkOptionNames } from "../checkpoints/option_names.ts";
import type { Device } from "../tensor/device.ts";
import { openDevice } from "../tensor/session.ts";
import { usualDevice } from "../tensor/usual_device.ts";
import { layoutOf } from "./families/families.ts";
import { checkSources, type Family, type Layout, readWeights } from "./families/layout.ts";
import { placedWeights } from "./families/placed.ts";
import { expressions } from "./expression_algebra.ts";
import { Model } from "./model.ts";
import {
  ALL_STEPS,
  NO_STEPS,
  possibleSteps,
  processed,
  type Processing,
  processWeights,
} from "./processing.ts";
import { Parameters } from "./weights.ts";
import { type WeightsIn, whereWeightsLive } from "./where_weights_live.ts";

/** How a model is found and processed. */
export interface LoadOptions extends ResolveOptions {
  /**
   * Steps of weight processing to leave out, such as `{ foldValueBiases: false }`; or false for none at all.
   */
  processing?: Partial<Processing> | false;
  /**
   * Where the model's runs compute: "cpu" (default), "webgpu" for a graphics card, or another device
   * that ONNX Runtime lists. Weights are sent there once, with the first run that reads them.
   */
  device?: Device;
  /** Where weights live: in memory, or in their file. Default: by their size (where_weights_live.ts). */
  weights?: WeightsIn;
  /** Hears of what a reader of the results should know. Default: a line on standard error. */
  onNote?: (note: string) => void;
}

const OPTIONS: Record<keyof LoadOptions, true> = {
  processing: true,
  device: true,
  weights: true,
  onNote: true,
  settings: true,
  onProgress: true,
  timeoutMs: true,
  pauseMs: true,
  signal: true,
};

/**
 * A model by name: "tiny-gelu-4l" (embedded), "gelu-4l", a repository of the Hub, or a folder (see
 * `resolveModel`). In TransformerLens' layout or that of a Hugging Face family (families/families.ts), told
 * apart by config.json.
 *
 * @example
 * ```ts
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(model.config.n_layers); // 4
 * ```
 */
export async function loadModel(
  name = "tiny-gelu-4l",
  given: LoadOptions = {},
): Promise<Model> {
  checkOptionNames("loadModel", given, OPTIONS);
  const { processing: asked, weights: where, onNote = console.warn, device = usualDevice(), ...options } =
    given;
  if (device && device !== "cpu") await openDevice(device); // before anything is fetched
  let found: { family: Family; layout: Layout } | undefined;
  const { config, checkpoint, ...known } = await openModel(name, {
    ...options,
    layout(json, source) {
      const { family, layout } = found = layoutOf(json, source);
      return { config: layout.config, check: (checkpoint) => checkSources(family, layout, checkpoint) };
    },
  });
  try {
    const { family, layout } = found!;
    const processing = possibleSteps(config, asked === false ? NO_STEPS : { ...ALL_STEPS, ...asked });
    const weights = whereWeightsLive(checkpoint, where, device) === "file"
      ? new Parameters(
        processed(await placedWeights(family, layout, checkpoint, onNote), config, processing, expressions),
      )
      : processWeights(await readWeights(family, layout, checkpoint, onNote), config, processing);
    return new Model({ ...known, config, weights, processing, ...(device && { device }) });
  } finally {
    checkpoint.close();
  }
}

/** Which prompts: how many, how long, from which texts. */
export interface PromptsForOptions extends Omit<PromptOptions, "config"> {
  /** A file of texts in place of the model's own prompts: .txt, .jsonl with a field "text", or .parquet. */
  texts?: string;
}

/**
 * The prompts that belong to a model, named by prompts.json in its folder. Where it has none: the text of the
 * embedded model's prompts, tokenised anew, which is ordinary prose and code. `count`: at most so many.
 * @throws for a model with neither prompts.json nor a tokenizer, and for texts that fill no prompt
 *
 * @example
 * ```ts
 * const model = await loadModel("tiny-gelu-4l");
 * const { count, length } = await promptsFor(model, { count: 8, length: 64 });
 * console.log(count, length); // 8 prompts of 64 tokens
 * ```
 */
export async function promptsFor(
  model: Model,
  { texts, ...options }: PromptsForOptions = {},
): Promise<Prompts> {
  checkGiven("promptsFor", "model", model, 'a model, such as await loadModel("tiny-gelu-4l")');
  checkOptionNames("promptsFor", options, { count: true, length: true, texts: true });
  const { config, tokenizer, promptSource } = model;
  const atMost = (all: Prompts) =>
    shorten(all, { ...options, count: Math.min(options.count ?? all.count, all.count) });
  if (texts !== undefined) {
    const { length } = options;
    return atMost(await packPrompts(documents(texts), { config, tokenizer, length, source: texts }));
  }
  if (promptSource) return atMost(await loadPromptSource(promptSource, { config }));
  if (tokenizer) {
    const source = `${model.name} has no prompts.json: the embedded model's held-out text`;
    const length = Math.min(256, config.n_ctx); // as long as the texts are
    return atMost(await packPrompts(await heldOutTexts(), { config, tokenizer, source, length }));
  }
  throw new Error(
    `model ${model.name} has no prompts.json and no tokenizer.json: there are no prompts for it. ` +
      `Load some with loadPrompts("….safetensors"), or put a tokenizer.json beside its weights.`,
  );
}
