/** What the layers above read of this one. */
export type { Checkpoint } from "./checkpoint.ts";
export type { Cleanup } from "./cleanup.ts";
export type { ModelConfig } from "./config.ts";
export { dataPath } from "./data_folder.ts";
export { openModelFolder } from "./model_folder.ts";
export { checkPrompts, loadPrompts, type Prompts, shorten } from "./prompts.ts";
export type { Tokenizer } from "./tokenizer.ts";
