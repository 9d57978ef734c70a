/**
 * The Hugging Face cache on disk, in the layout that Python's huggingface_hub uses:
 *
 * ```
 * models--owner--name/refs/main                        the commit that "main" was when it was last looked up
 * models--owner--name/snapshots/<commit>/config.json   → ../../blobs/<hash>
 * models--owner--name/blobs/<hash>                      the bytes
 * models--owner--name/blobs/<hash>.incomplete           a download that broke off
 * .locks/models--owner--name/<hash>.lock                held by the process that downloads
 * ```
 */
import { isCommit, type Repo } from "./client.ts";
import { writeWhole } from "../write_whole.ts";

export class RepoCache {
  /** …/models--owner--name */
  readonly folder: string;
  readonly #locks: string;

  constructor(readonly cache: string, readonly repo: Repo) {
    const name = [`${repo.type}s`, ...repo.name.split("/")].join("--");
    this.folder = `${cache}/${name}`;
    this.#locks = `${cache}/.locks/${name}`;
  }

  snapshot(commit: string): string {
    return `${this.folder}/snapshots/${commit}`;
  }

  blob(hash: string): string {
    return `${this.folder}/blobs/${hash}`;
  }

  /** The commit that a branch or tag was when it was last looked up. */
  async readRef(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    try {
      const commit = (await Deno.readTextFile(`${this.folder}/refs/${revision}`)).trim();
      return isCommit(commit) ? commit : undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || await this.readRef(revision) === commit) return;
    const path = `${this.folder}/refs/${revision}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await writeWhole(path, commit);
  }

  /** Names of the files at the top of a snapshot whose bytes are there; none when there is no such snapshot. */
  async snapshotFiles(commit: string): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(this.snapshot(commit))) {
        if (await fileSize(`${this.snapshot(commit)}/${name}`) !== undefined) names.push(name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return names;
  }

  /** The hash of a file in a snapshot: the name of the blob that it is a link to. Undefined for a copy. */
  async hashOf(path: string): Promise<string | undefined> {
    const isHash = (name: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name);
    try {
      const target = (await Deno.readLink(path)).replace(/^.*[/\\]/, "");
      return isHash(target) ? target : undefined;
    } catch { /* no symbolic link */ }
    const { ino, dev } = await Deno.stat(path);
    if (ino === null) return undefined;
    for await (const { name } of Deno.readDir(`${this.folder}/blobs`)) {
      if (!isHash(name)) continue;
      const blob = await Deno.stat(this.blob(name)).catch(() => undefined);
      if (blob?.ino === ino && blob.dev === dev) return name;
    }
    return undefined;
  }

  /**
   * Puts a blob into a snapshot. As a relative symbolic link where that is allowed; a hard link otherwise (Deno permits symbolic
   * links only to processes that may write everywhere; Windows only to developers), or a copy on file systems without either.
   */
  async link(hash: string, commit: string, path: string): Promise<string> {
    const place = `${this.snapshot(commit)}/${path}`;
    await Deno.mkdir(place.slice(0, place.lastIndexOf("/")), { recursive: true });
    const up = "../".repeat(2 + path.split("/").length - 1);
    const ways = [
      () => Deno.symlink(`${up}blobs/${hash}`, place),
      () => Deno.link(this.blob(hash), place),
      () => Deno.copyFile(this.blob(hash), place),
    ];
    await Deno.remove(place).catch(() => {}); // a link whose blob was deleted
    for (const [i, way] of ways.entries()) {
      try {
        await way();
        break;
      } catch (error) {
        if (error instanceof Deno.errors.AlreadyExists) break; // another process was faster
        if (i === ways.length - 1) throw error;
      }
    }
    return place;
  }

  /**
   * Runs `work` while no other process (of this program or of Python's huggingface_hub) downloads the same blob.
   * `waiting` is called once when there is one.
   */
  async withLock<T>(
    hash: string,
    { waiting, signal }: { waiting?: () => void; signal?: AbortSignal },
    work: () => Promise<T>,
  ): Promise<T> {
    await Deno.mkdir(this.#locks, { recursive: true });
    using file = await Deno.open(`${this.#locks}/${hash}.lock`, { write: true, create: true });
    let told = false;
    while (!await file.tryLock(true)) {
      if (!told) waiting?.();
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 100));
      signal?.throwIfAborted();
    }
    return await work(); // closing the file releases the lock, as does the end of the process
  }
}

/** Size of a file (links followed), undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile ? size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
