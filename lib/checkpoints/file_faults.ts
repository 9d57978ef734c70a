/**
 * Why a file cannot be read, in words a reader can act on; and whether there is one. Links are followed: a
 * model in Hugging Face's cache consists of them.
 */
import { readlink, stat } from "node:fs/promises";
import { inWords, isMissing } from "../platform/errors.ts";
import { quoted } from "./quoted.ts";

/** What is opened to be read has to be a file: a device has no end, and a pipe may have no writer. */
export const NO_FILE = "it is a folder, a pipe or a device, and a file was expected.";

/** The error of an attempt to read `path`, from what the system reported. */
export async function cannotRead(path: string, error: unknown, attempt = "read"): Promise<Error> {
  return new Error(`Cannot ${attempt} ${path}: ${await reasonOf(path, error)}`, { cause: error });
}

async function reasonOf(path: string, error: unknown): Promise<string> {
  if (isMissing(error)) {
    const target = await readlink(path).catch(() => undefined);
    return target === undefined
      ? "there is no such file."
      : `it is a link to ${quoted(target, 200)}, and there is no such file.`;
  }
  return inWords(error);
}

/**
 * `path` where a file is; undefined where there is nothing. @throws for what is there and cannot be read: a
 * folder, a pipe, a link to nowhere
 */
export async function ifThere(path: string): Promise<string | undefined> {
  let isFile: boolean;
  try {
    isFile = (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error) && await readlink(path).catch(() => undefined) === undefined) return undefined;
    throw await cannotRead(path, error);
  }
  if (!isFile) throw await cannotRead(path, new Error(NO_FILE));
  return path;
}
