/**
 * Writes a file completely or not at all: to a temporary file beside it, then renamed, which the file system does at once. The
 * temporary file is locked by the process that writes it, so the next one to write the same file can tell what a killed one left
 * behind, and removes it.
 */
import { basename, dirname } from "node:path";

/** @throws when the disk is full or the folder is not writable; nothing is left behind then. */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  await removeAbandoned(path);
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    for (let again = true;; again = false) {
      await writeLocked(temporary, bytes);
      try {
        return await Deno.rename(temporary, path);
      } catch (error) {
        // Another process took it for abandoned, in the moment before it was locked.
        if (!again || !(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new Error(`Cannot write ${path}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

async function writeLocked(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  await file.lock(true).catch(() => {}); // some file systems have no locks
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/** Removes temporary files of this path that no process holds. */
async function removeAbandoned(path: string): Promise<void> {
  const start = `${basename(path)}.`;
  const isTemporary = (name: string) =>
    name.startsWith(start) && /^[0-9a-f]{8}\.tmp$/.test(name.slice(start.length));
  try {
    for await (const { name } of Deno.readDir(dirname(path))) {
      if (!isTemporary(name)) continue;
      const left = `${dirname(path)}/${name}`;
      using file = await Deno.open(left, { write: true });
      if (await file.tryLock(true)) await Deno.remove(left);
    }
  } catch { /* it may not be read, or is gone: what matters is the file that is written */ }
}
