/**
 * The folder into which one notebook writes while it runs, out/.partial-…: locked by the process that made
 * it, so that a later run can tell what a killed one left behind, and remove it with its kernel.
 */
import { endOrphan } from "../jupyter/orphan.ts";

/** Of a notebook's folder. */
const PARTIAL = ".partial-";
/** A folder without a lock that is older was left by a process that was killed between the two. */
const UNLOCKED_MS = 60_000;

export interface PartialFolder {
  path: string;
  /** Removes it. */
  [Symbol.asyncDispose](): Promise<void>;
}

export async function makePartialFolder(outDir: string, prefix = PARTIAL): Promise<PartialFolder> {
  const path = await Deno.makeTempDir({ dir: outDir, prefix });
  const lockFile = `${path}.lock`;
  let lock: Deno.FsFile | undefined;
  const remove = async () => {
    lock?.close();
    await Deno.remove(path, { recursive: true }).catch(() => {}); // what else failed is the error to report
    await Deno.remove(lockFile).catch(() => {});
  };
  try {
    lock = await Deno.open(lockFile, { write: true, create: true });
    await lock.lock(true);
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: remove };
}

/** Ends kernels and removes folders of runs that were killed. Returns how many folders there were. */
export async function removeLeftovers(outDir: string, prefix = PARTIAL): Promise<number> {
  let removed = 0;
  for await (const { name, isDirectory } of Deno.readDir(outDir)) {
    if (!name.startsWith(prefix)) continue;
    const path = `${outDir}/${isDirectory ? name : name.replace(/\.lock$/, "")}`;
    if (!isDirectory && await exists(path)) continue; // it is removed with its folder
    if (!await isAbandoned(path)) continue;
    if (isDirectory) {
      for await (const file of Deno.readDir(path)) {
        if (/^kernel-.*\.json$/.test(file.name)) await endOrphan(`${path}/${file.name}`);
      }
      removed++;
    }
    await Deno.remove(path, { recursive: true }).catch(() => {});
    await Deno.remove(`${path}.lock`).catch(() => {});
  }
  return removed;
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using lock = await Deno.open(`${path}.lock`, { write: true });
    return await lock.tryLock(true);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const found = await Deno.stat(path).catch(() => undefined); // removed meanwhile, with its lock
    return found?.mtime != null && Date.now() - found.mtime.getTime() > UNLOCKED_MS;
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
