/**
 * A model folder: config.json, the weights, and where present tokenizer.json and what is known of the model
 * (cleanup.json, adversarial.json, prompts.json). Opened and checked as a whole, so that contradictions show
 * before anything is computed.
 */
import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { type AdversarialPrompts, readAdversarial } from "./adversarial.ts";
import { type Checkpoint, checkpointOf, openCheckpoint } from "./checkpoint.ts";
import { type Cleanup, readCleanup } from "./cleanup.ts";
import { type ModelConfig, parseModelConfig } from "./config.ts";
import { ifThere } from "./file_faults.ts";
import { type GgufModel, openGguf } from "./gguf/gguf_model.ts";
import { readJsonObject } from "./json_file.ts";
import { type PromptSource, readPromptSource } from "./prompts/prompt_source.ts";
import { checkStateDict } from "./state_dict.ts";
import { loadTokenizer, type Tokenizer, tokenizerOf } from "./tokenizer/tokenizer.ts";

export interface ModelFolder {
  config: ModelConfig;
  checkpoint: Checkpoint;
  tokenizer?: Tokenizer;
  cleanup?: Cleanup;
  adversarial?: AdversarialPrompts;
  /** The prompts that belong to the model. */
  promptSource?: PromptSource;
}

/** Where parts lie that are not in the folder itself. */
export interface ModelFolderOptions {
  /**
   * A GGUF file, which holds configuration, weights and tokenizer; default: the folder's only one where it
   * has no config.json.
   */
  ggufFile?: string;
  tokenizerFile?: string;
  /** adversarial.json and prompts.json are looked for beside it. */
  cleanupFile?: string;
  /** Another layout of config.json and weights than TransformerLens'. */
  layout?: (json: Record<string, unknown>, source: string) => FolderLayout;
}

/** What a folder's config.json says of the model, and how its weights are checked against that. */
export interface FolderLayout {
  config: ModelConfig;
  /** @throws when a weight is missing, of other dims, or unknown. */
  check(checkpoint: Checkpoint): void;
}

function transformerLens(json: Record<string, unknown>, source: string): FolderLayout {
  const config = parseModelConfig(json, source);
  return { config, check: (checkpoint) => checkStateDict(config, checkpoint) };
}

/** Opens a model folder. The caller closes `checkpoint` after reading the weights. */
export async function openModelFolder(
  folder: string,
  options: ModelFolderOptions = {},
): Promise<ModelFolder> {
  const ggufFile = options.ggufFile ?? await onlyGguf(folder);
  const gguf = ggufFile === undefined ? undefined : await openGguf(ggufFile);
  try {
    return await openParts(folder, options, gguf);
  } catch (error) {
    gguf?.file.close();
    throw error;
  }
}

async function openParts(
  folder: string,
  options: ModelFolderOptions,
  gguf?: GgufModel,
): Promise<ModelFolder> {
  const source = gguf?.file.path ?? `${folder}/config.json`;
  const json = gguf?.config ?? await readJsonObject(source);
  const { config: stated, check } = (options.layout ?? transformerLens)(json, source);
  const tokenizerFile = options.tokenizerFile ?? await ifThere(`${folder}/tokenizer.json`);
  const tokenizer = tokenizerFile !== undefined
    ? await readTokenizer(tokenizerFile, json)
    : gguf?.tokenizer &&
      tokenizerOf(gguf.tokenizer.json, source, { config: json, settings: gguf.tokenizer.settings });
  const config = { ...stated, default_prepend_bos: tokenizer?.bosFirst ?? stated.default_prepend_bos };
  const cleanupFile = options.cleanupFile ?? await ifThere(`${folder}/cleanup.json`);
  const cleanup = cleanupFile === undefined ? undefined : await readCleanup(cleanupFile, config);
  const beside = options.cleanupFile?.replace(/[/\\][^/\\]*$/, "") ?? folder;
  const adversarialFile = await ifThere(`${beside}/adversarial.json`);
  const adversarial = adversarialFile === undefined ? undefined : await readAdversarial(adversarialFile);
  const promptSource = await ifThere(`${beside}/prompts.json`) ? await readPromptSource(beside) : undefined;
  // Prompts lie in a .safetensors file too, and are not to be taken for the weights.
  const prompts = promptSource && "file" in promptSource ? [basename(promptSource.file)] : [];
  const checkpoint = gguf ? checkpointOf(gguf.file) : await openCheckpoint(folder, prompts);
  try {
    check(checkpoint);
  } catch (error) {
    checkpoint.close();
    throw error;
  }
  return {
    config,
    checkpoint,
    ...(tokenizer ? { tokenizer } : {}),
    ...(cleanup ? { cleanup } : {}),
    ...(adversarial ? { adversarial } : {}),
    ...(promptSource ? { promptSource } : {}),
  };
}

/** A tokenizer.json with what tokenizer_config.json beside it and the model's config.json say of BOS. */
async function readTokenizer(path: string, config: Record<string, unknown>): Promise<Tokenizer> {
  const beside = await ifThere(path.replace(/[^/\\]*$/, "tokenizer_config.json"));
  const settings = beside === undefined ? undefined : await readJsonObject(beside);
  return await loadTokenizer(path, { config, ...(settings ? { settings } : {}) });
}

/** The only GGUF file of a folder that has no config.json. */
async function onlyGguf(folder: string): Promise<string | undefined> {
  if (await ifThere(`${folder}/config.json`) !== undefined) return undefined;
  const found: string[] = [];
  try {
    for (const name of await readdir(folder)) {
      if (/\.gguf$/i.test(name)) found.push(`${folder}/${name}`);
    }
  } catch { /* said where config.json is read */ }
  if (found.length < 2) return found[0];
  throw new Error(`${folder} holds ${found.length} GGUF files: give the path of the one that is meant.`);
}
