/** The embedded model's held-out prompts as texts, for models that have no prompts of their own. */
import { dataFile } from "../data_folder.ts";
import { loadTokenizer } from "../tokenizer/tokenizer.ts";
import { readPrompts } from "./prompts.ts";

/** One text a prompt, without BOS. */
export async function heldOutTexts(): Promise<string[]> {
  const [{ tokens, count, length }, { bosId, decode }] = await Promise.all([
    readPrompts("held-out"),
    loadTokenizer(await dataFile("models/tiny-gelu-4l/tokenizer.json")),
  ]);
  return Array.from({ length: count }, (_, i) => {
    return decode(tokens.subarray(i * length, (i + 1) * length).filter((id) => id !== bosId));
  });
}
