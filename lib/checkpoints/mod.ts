/** What the layers above read of this one. */
export type { AdversarialPrompt, AdversarialPrompts } from "./adversarial.ts";
export type { Checkpoint } from "./checkpoint.ts";
export type { Cleanup } from "./cleanup.ts";
export { keyValueHeads, type ModelConfig } from "./config.ts";
export { dataFile, dataPath } from "./data_folder.ts";
export { type FolderLayout, openModelFolder } from "./model_folder.ts";
export { describeDownload, type DownloadProgress, type OnDownload } from "./hub/download.ts";
export { heldOutTexts } from "./prompts/held_out_texts.ts";
export { packPrompts } from "./prompts/packed_prompts.ts";
export { loadPromptSource, type PromptSource } from "./prompts/prompt_source.ts";
export { fetchPrompts, type FetchPromptsOptions, loadPrompts } from "./prompts/prompt_sets.ts";
export {
  checkPrompts,
  type PromptOptions,
  type Prompts,
  readPrompts,
  selectPrompts,
  shorten,
} from "./prompts/prompts.ts";
export {
  knownModels,
  openModel,
  type ResolvedModel,
  resolveModel,
  type ResolveOptions,
} from "./resolve_model.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
