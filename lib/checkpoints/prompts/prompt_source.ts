/**
 * prompts.json: which prompts belong to a model, named beside its weights so that no code names them.
 *
 * Format, one of: `{ "builtin": "held-out" }`, a set that the project carries or knows where to fetch; `{
 * "file": "prompts.safetensors" }`, a file beside prompts.json.
 */
import { readJsonObject } from "../json_file.ts";
import { quoted } from "../quoted.ts";
import { type FetchPromptsOptions, loadPrompts } from "./prompt_sets.ts";
import type { Prompts } from "./prompts.ts";

/** What prompts.json names: a set that the project carries, or a file. */
export type PromptSource = { builtin: string } | { file: string };

const EXPECTED = `{"builtin": "held-out"} or {"file": "….safetensors"}`;

/** Checks a parsed prompts.json. `folder`: where its file lies. @throws naming what is not as expected. */
export function parsePromptSource(
  json: Record<string, unknown>,
  folder: string,
  source = "prompts.json",
): PromptSource {
  const [key, ...more] = Object.keys(json);
  const value = json[key];
  if (more.length > 0 || typeof value !== "string" || value === "") {
    throw new Error(`${source}: got ${quoted(json)}; expected ${EXPECTED}.`);
  }
  if (key === "builtin") return { builtin: value };
  if (key !== "file") throw new Error(`${source}: got ${quoted(key)}; expected ${EXPECTED}.`);
  if (!value.endsWith(".safetensors") || /[/\\]/.test(value)) {
    throw new Error(
      `${source}: "file" has ${quoted(value)}; the name of a .safetensors file beside it was expected.`,
    );
  }
  return { file: `${folder}/${value}` };
}

export async function readPromptSource(folder: string): Promise<PromptSource> {
  const path = `${folder}/prompts.json`;
  return parsePromptSource(await readJsonObject(path), folder, path);
}

/** The prompts that a source names. */
export function loadPromptSource(source: PromptSource, options: FetchPromptsOptions = {}): Promise<Prompts> {
  return loadPrompts("builtin" in source ? source.builtin : source.file, options);
}
