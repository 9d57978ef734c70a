/** The prompts of `deno task scan`: a file of one's own, or those that belong to the model. */
import { loadPrompts, type Prompts, shorten } from "../checkpoints/mod.ts";
import { DOCUMENT_FILES, documents } from "../checkpoints/prompts/documents.ts";
import { packPrompts } from "../checkpoints/prompts/packed_prompts.ts";
import { promptsFor } from "../transformer/load.ts";
import type { Model } from "../transformer/model.ts";
import { called } from "./called.ts";
import { type ProgressTarget, readProgress } from "./progress.ts";

export interface ScanPromptOptions {
  /** A .txt, .jsonl, .parquet or .safetensors file; default: the prompts that belong to the model. */
  file?: string;
  /** Tokens in all, at most. */
  maxTokens?: number;
  /** Tokens of a prompt. */
  length?: number;
  /** Where it is said how much of a large file is read. */
  target?: ProgressTarget;
  /** Ends the reading of a file. */
  signal?: AbortSignal;
}

/** Some prompts are always measured, however long they are: longer ones cost more and say the same. */
const LONGEST = 128;

/** @throws when the model has no prompts of its own and none are given, and for a file that holds none */
export async function scanPrompts(model: Model, options: ScanPromptOptions): Promise<Prompts> {
  const { file, maxTokens, length, target, signal } = options;
  if (file !== undefined && DOCUMENT_FILES.some((ending) => file.toLowerCase().endsWith(ending))) {
    const { config, tokenizer } = model;
    const progress = readProgress(file, target);
    try {
      return await packPrompts(documents(file, { onRead: progress.report, ...(signal && { signal }) }), {
        config,
        source: file,
        longest: LONGEST,
        ...(tokenizer && { tokenizer }),
        ...(length !== undefined && { length }),
        ...(maxTokens !== undefined && { maxTokens }),
      });
    } finally {
      progress.finish();
    }
  }
  const { config } = model;
  let prompts: Prompts;
  if (file?.toLowerCase().endsWith(".safetensors")) {
    prompts = await loadPrompts(file, { ...(length === undefined && { config }) });
  } else if (file !== undefined) {
    throw new Error(`${file}: prompts are read from ${DOCUMENT_FILES.join(", ")} or .safetensors files.`);
  } else if (model.promptSource) prompts = await promptsFor(model);
  else {
    throw new Error(
      `${model.name} comes with no prompts. Give some text with --prompts, such as a book as plain text or a .jsonl file of ` +
        `{"text": "…"} lines:\n  ${called("scan")} ${model.name} --prompts texts.jsonl`,
    );
  }
  if (length !== undefined) prompts = shorten(prompts, { length });
  if (maxTokens === undefined) return prompts;
  const count = Math.min(prompts.count, Math.floor(maxTokens / prompts.length));
  if (count === 0) {
    throw new Error(
      `${prompts.source}: one prompt has ${prompts.length} tokens, more than the ${maxTokens} asked for. ` +
        `Give a larger --max-tokens or a smaller --length.`,
    );
  }
  return shorten(prompts, { count });
}
