/** Loads a model, the embedded one by name or a folder, and the prompts that belong to it. */
import {
  dataPath,
  loadPromptSource,
  openModelFolder,
  type PromptOptions,
  type Prompts,
} from "../checkpoints/mod.ts";
import { layoutOf } from "./families/families.ts";
import { checkSources, type Family, type Layout, readWeights } from "./families/layout.ts";
import { Model } from "./model.ts";
import { ALL_STEPS, NO_STEPS, possibleSteps, type Processing, processWeights } from "./processing.ts";

export interface LoadOptions {
  /** Steps of weight processing to leave out, such as `{ foldValueBiases: false }`; or false for none at all. */
  processing?: Partial<Processing> | false;
}

/**
 * The embedded model by name, or a model folder: TransformerLens' layout, or that of a Hugging Face family (families/families.ts),
 * told apart by config.json.
 */
export async function loadModel(name = "tiny-gelu-4l", options: LoadOptions = {}): Promise<Model> {
  const folder = name === "tiny-gelu-4l" ? dataPath("models/tiny-gelu-4l") : name;
  let found: { family: Family; layout: Layout } | undefined;
  const { config, checkpoint, ...known } = await openModelFolder(folder, {
    layout(json, source) {
      const { family, layout } = found = layoutOf(json, source);
      return { config: layout.config, check: (checkpoint) => checkSources(family, layout, checkpoint) };
    },
  });
  try {
    const read = await readWeights(found!.family, found!.layout, checkpoint);
    const asked = options.processing === false ? NO_STEPS : { ...ALL_STEPS, ...options.processing };
    const processing = possibleSteps(config, asked);
    const weights = processWeights(read, config, processing);
    return new Model({ name, config, weights, processing, ...known });
  } finally {
    checkpoint.close();
  }
}

/** The prompts that belong to a model, named by prompts.json in its folder. @throws when it has none. */
export async function promptsFor(
  model: Model,
  options: Omit<PromptOptions, "config"> = {},
): Promise<Prompts> {
  if (model.promptSource) {
    return await loadPromptSource(model.promptSource, { ...options, config: model.config });
  }
  throw new Error(
    `model ${model.name} has no prompts.json: which prompts belong to it is not known. ` +
      `Load some with loadPrompts("….safetensors"), or make some with model.prompts([…texts]).`,
  );
}
