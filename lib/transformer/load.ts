/** Loads a model: the embedded one by name, or a folder. */
import { dataPath, openModelFolder } from "../checkpoints/mod.ts";
import { Model } from "./model.ts";
import { ALL_STEPS, NO_STEPS, type Processing, processWeights } from "./processing.ts";
import { readWeights } from "./weights.ts";

export interface LoadOptions {
  /** Steps of weight processing to leave out, such as `{ foldValueBiases: false }`; or false for none at all. */
  processing?: Partial<Processing> | false;
}

export async function loadModel(name = "tiny-gelu-4l", options: LoadOptions = {}): Promise<Model> {
  const folder = name === "tiny-gelu-4l" ? dataPath("models/tiny-gelu-4l") : name;
  const { config, checkpoint, tokenizer, cleanup } = await openModelFolder(folder);
  try {
    const read = await readWeights(checkpoint, config);
    const none = Object.fromEntries(
      Object.keys(ALL_STEPS).map((step) => [step, false]),
    ) as unknown as Processing;
    const processing = options.processing === false ? none : { ...ALL_STEPS, ...options.processing };
    const weights = processWeights(read, config, processing);
    return new Model({ name, config, weights, processing, tokenizer, cleanup });
  } finally {
    checkpoint.close();
  }
}
