/**
 * Small JSON files that a model folder carries (config.json, cleanup.json, tokenizer.json), read with clear
 * errors.
 */
import { readFile, stat } from "node:fs/promises";
import { quoted, shown } from "./quoted.ts";
import { cannotRead, NO_FILE } from "./file_faults.ts";
import { refuseLfsPointer } from "./random_access_file.ts";

/** Larger than any tokenizer.json; a file beyond this is something else. */
const maxBytes = 64 * 1024 * 1024;
/** How text in UTF-16 begins, which some editors on Windows save. */
const UTF16 = [[0xFF, 0xFE], [0xFE, 0xFF]];

/** The object in a JSON file. @throws when the file is missing, too large, not JSON, or not an object. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    const info = await stat(path), { size } = info;
    if (!info.isFile()) throw new Error(NO_FILE);
    if (size > maxBytes) throw new Error(`it has ${size} bytes, more than the limit of ${maxBytes}.`);
    const bytes = await readFile(path);
    if (size === 0) throw new Error("it is empty. Was it copied or downloaded whole?");
    if (UTF16.some(([a, b]) => bytes[0] === a && bytes[1] === b)) {
      throw new Error("it is text in UTF-16; save it as UTF-8.");
    }
    text = new TextDecoder().decode(bytes); // without a byte order mark
    refuseLfsPointer(text);
  } catch (error) {
    throw await cannotRead(path, error);
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
