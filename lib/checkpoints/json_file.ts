/**
 * Small JSON files that a model folder carries (config.json, cleanup.json, tokenizer.json), read with clear
 * errors.
 */
import { readFile, stat } from "node:fs/promises";
import { quoted, shown } from "./quoted.ts";
import { errorReason, refuseLfsPointer } from "./random_access_file.ts";

/** Larger than any tokenizer.json; a file beyond this is something else. */
const maxBytes = 64 * 1024 * 1024;

/** The object in a JSON file. @throws when the file is missing, too large, not JSON, or not an object. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it has ${size} bytes, more than the limit of ${maxBytes}.`);
    text = await readFile(path, "utf8");
    refuseLfsPointer(text);
  } catch (error) {
    throw new Error(`Cannot read ${path}: ${errorReason(error)}`, { cause: error });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON: ${shown((error as Error).message, 200)}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(
      `${path} must hold a JSON object, it holds ${Array.isArray(value) ? "a list" : quoted(value)}.`,
    );
  }
  return value as Record<string, unknown>;
}
