/**
 * Whether files in the cache are what they were when they were fetched: a disk, a copy or another program may
 * have changed them, and the name of a blob is its hash.
 *
 * Checked each time a model is opened from the cache, for files of up to 512 MiB (a second or two); of larger
 * ones the size alone is looked at, in the download. Files that stand in the snapshot as copies, without a
 * blob, have no hash to be held against.
 */
import { stat } from "node:fs/promises";
import type { RepoCache } from "./cache.ts";
import { hashFile } from "./download.ts";

const MOST_BYTES = 1 << 29;

/** @throws for the first of these files of a snapshot whose bytes are not those of its hash */
export async function checkCached(cache: RepoCache, commit: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = `${cache.snapshot(commit)}/${name}`;
    const { size } = await stat(path);
    if (size > MOST_BYTES) continue;
    const hash = await cache.hashOf(path);
    if (hash === undefined) continue;
    const found = await hashFile(path, { hash, size });
    if (found === hash) continue;
    throw new Error(
      `${path} is not the file that was fetched: its hash is ${found}, ${hash} was expected. ` +
        `Delete it and ${cache.blob(hash)}, and run this again.`,
    );
  }
}
