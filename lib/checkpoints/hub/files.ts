/**
 * The files of a repository at a revision, from the cache when they are there, from the Hub otherwise.
 *
 * A branch is looked up anew each time there is a connection; without one, what it was last is used. A commit that is in the
 * cache needs no connection at all.
 */
import { RepoCache } from "./cache.ts";
import { type HubClient, type HubFile, HubRefusal, HubUnreachable, isCommit, type Repo } from "./client.ts";
import { downloadFile, type OnDownload } from "./download.ts";

export interface Wanted {
  /** Whether these names, at the top of a snapshot on disk, are all that is needed. */
  isComplete(names: string[]): boolean;
  /** Which of the repository's files to fetch. Throws when something that is needed is not among them. */
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
  const warm = cached !== undefined && await isThere(cached)
    ? { folder: cache.snapshot(cached), commit: cached }
    : undefined;
  if (warm && (offline || isCommit(revision))) return warm;
  if (offline) throw new NotAvailable("HF_HUB_OFFLINE is set.");
  try {
    const commit = await client.commit(repo, revision);
    if (!await isThere(commit)) {
      for (const file of wanted.choose(await client.files(repo, commit))) {
        await downloadFile(client, cache, commit, file, onProgress);
      }
    }
    await cache.writeRef(revision, commit);
    return { folder: cache.snapshot(commit), commit };
  } catch (error) {
    const down = error instanceof HubUnreachable || (error instanceof HubRefusal && error.status >= 500);
    if (down && warm) return warm;
    if (error instanceof HubUnreachable) throw new NotAvailable(error.message, { cause: error });
    throw error;
  }
}
