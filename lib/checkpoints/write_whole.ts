/**
 * Writes a file completely or not at all: to a temporary file beside it, then renamed, which the file system
 * does at once. It is on the disk before it gets its name, or a loss of power could leave the name with
 * nothing in it; that costs some 5 ms. The temporary file is locked by the process that writes it, so the
 * next one to write the same file can tell what a killed one left behind, and removes it.
 */
import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { inWords, isMissing } from "../platform/errors.ts";
import { OpenFile, syncFolder } from "../platform/file.ts";
import { type Lock, tryLock } from "../platform/lock.ts";

/** @throws when the disk is full or the folder is not writable; nothing is left behind then. */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  await removeAbandoned(path);
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    for (let again = true;; again = false) {
      await using _lock = await lockIfPossible(temporary);
      {
        using file = await OpenFile.toWrite(temporary);
        await file.write(bytes, 0);
        await file.sync();
      }
      try {
        await rename(temporary, path);
        return await syncFolder(dirname(path));
      } catch (error) {
        // Another process took it for abandoned, in the moment before it was locked.
        if (!again || !isMissing(error)) throw error;
      }
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new Error(`Cannot write ${path}: ${inWords(error)}`, { cause: error });
  }
}

/** Some file systems have no locks; and where no file can be made, writing says so. */
async function lockIfPossible(path: string): Promise<Lock | undefined> {
  return await tryLock(path).catch(() => undefined);
}

/** Removes temporary files of this path that no process holds. */
async function removeAbandoned(path: string): Promise<void> {
  const start = `${basename(path)}.`;
  const isTemporary = (name: string) =>
    name.startsWith(start) && /^[0-9a-f]{8}\.tmp$/.test(name.slice(start.length));
  try {
    for (const name of await readdir(dirname(path))) {
      if (!isTemporary(name)) continue;
      const left = join(dirname(path), name);
      await using lock = await tryLock(left);
      if (lock) await rm(left, { force: true });
    }
  } catch { /* it may not be read, or is gone: what matters is the file that is written */ }
}
