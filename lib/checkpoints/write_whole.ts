/**
 * Writes a file completely or not at all: to a temporary file beside it, then renamed, which the file system does at once.
 */
import { rename, rm, writeFile } from "node:fs/promises";

/** @throws when the disk is full or the folder is not writable; nothing is left behind then. */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFile(temporary, data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary).catch(() => {});
    throw new Error(`Cannot write ${path}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}
