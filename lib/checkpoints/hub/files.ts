/**
 * The files of a repository at a revision, from the cache when they are there, from the Hub otherwise.
 *
 * A branch is looked up anew each time there is a connection; without one, what it was last is used. A commit
 * that is in the cache needs no connection at all.
 */
import { RepoCache } from "./cache.ts";
import { checkCached } from "./cached_files.ts";
import { type HubClient, type HubFile, isCommit, type Repo } from "./client.ts";
import { HubRefusal, HubUnreachable } from "./errors.ts";
import { downloadFile, type OnDownload } from "./download.ts";

export interface Wanted {
  /** Whether these names, at the top of a snapshot on disk, are all that is needed. */
  isComplete(names: string[]): boolean;
  /**
   * Whether a complete snapshot may still lack a file that the repository has: then it is asked, where there
   * is a connection.
   */
  mayLack?(names: string[]): boolean;
  /** Those of these names that are used: their bytes are checked. */
  used(names: string[]): string[];
  /**
   * Which of the repository's files to fetch, in this order: what a complete snapshot may lack comes first,
   * so that a run that was killed leaves none that seems complete. Throws when something that is needed is
   * not among them.
   */
  choose(files: HubFile[]): HubFile[];
}

export interface FetchedFiles {
  /** The snapshot folder that holds the files. */
  folder: string;
  commit: string;
}

/** Neither the cache nor the Hub has the files. */
export class NotAvailable extends Error {}

export async function fetchFiles(
  client: HubClient,
  repo: Repo,
  revision: string,
  wanted: Wanted,
  onProgress?: OnDownload,
): Promise<FetchedFiles> {
  const { settings: { cache: cacheFolder, offline } } = client;
  const cache = new RepoCache(cacheFolder, repo);
  const cached = await cache.readRef(revision);
  const isThere = async (commit: string) => wanted.isComplete(await cache.snapshotFiles(commit));
  const checked = async (commit: string) => {
    await checkCached(cache, commit, wanted.used(await cache.snapshotFiles(commit)));
    return { folder: cache.snapshot(commit), commit };
  };
  const warm = cached !== undefined && await isThere(cached) ? cached : undefined;
  if (warm && (offline || isCommit(revision))) return await checked(warm);
  if (offline) throw new NotAvailable("HF_HUB_OFFLINE is set.");
  try {
    const commit = await client.commit(repo, revision);
    const names = await cache.snapshotFiles(commit);
    const complete = wanted.isComplete(names);
    if (!complete || wanted.mayLack?.(names)) {
      for (const file of wanted.choose(await client.files(repo, commit))) {
        await downloadFile(client, cache, commit, file, onProgress);
      }
    }
    await cache.writeRef(revision, commit);
    return complete ? await checked(commit) : { folder: cache.snapshot(commit), commit };
  } catch (error) {
    const down = error instanceof HubUnreachable || (error instanceof HubRefusal && error.status >= 500);
    if (down && warm) return await checked(warm);
    if (error instanceof HubUnreachable) throw new NotAvailable(error.message, { cause: error });
    throw error;
  }
}
