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
import { copyFile, link, mkdir, readdir, readFile, readlink, rm, stat, symlink } from "node:fs/promises";
import { isMissing, isThere } from "../../platform/errors.ts";
import { type Lock, tryLock } from "../../platform/lock.ts";
import { isCommit, type Repo } from "./client.ts";
import { cannotRead } from "../file_faults.ts";
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
    const path = `${this.folder}/refs/${revision}`;
    try {
      const commit = (await readFile(path, "utf8")).trim();
      return isCommit(commit) ? commit : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw await cannotRead(path, error);
    }
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || await this.readRef(revision) === commit) return;
    const path = `${this.folder}/refs/${revision}`;
    await mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await writeWhole(path, commit);
  }

  /**
   * Names of the files at the top of a snapshot whose bytes are there; none when there is no such snapshot.
   */
  async snapshotFiles(commit: string): Promise<string[]> {
    const names: string[] = [];
    try {
      for (const name of await readdir(this.snapshot(commit))) {
        if (await fileSize(`${this.snapshot(commit)}/${name}`) !== undefined) names.push(name);
      }
    } catch (error) {
      if (!isMissing(error)) throw await cannotRead(this.snapshot(commit), error);
    }
    return names;
  }

  /** The hash of a file in a snapshot: the name of the blob that it is a link to. Undefined for a copy. */
  async hashOf(path: string): Promise<string | undefined> {
    const isHash = (name: string) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name);
    try {
      const target = (await readlink(path)).replace(/^.*[/\\]/, "");
      return isHash(target) ? target : undefined;
    } catch { /* no symbolic link */ }
    const { ino, dev } = await stat(path);
    if (ino === 0) return undefined; // a file system that numbers none
    for (const name of await readdir(`${this.folder}/blobs`)) {
      if (!isHash(name)) continue;
      const blob = await stat(this.blob(name)).catch(() => undefined);
      if (blob?.ino === ino && blob.dev === dev) return name;
    }
    return undefined;
  }

  /**
   * Puts a blob into a snapshot. As a relative symbolic link where that is allowed; a hard link otherwise
   * (Deno permits symbolic links only to processes that may write everywhere; Windows only to developers), or
   * a copy on file systems without either.
   */
  async link(hash: string, commit: string, path: string): Promise<string> {
    const place = `${this.snapshot(commit)}/${path}`;
    await mkdir(place.slice(0, place.lastIndexOf("/")), { recursive: true });
    const up = "../".repeat(2 + path.split("/").length - 1);
    const ways = [
      () => symlink(`${up}blobs/${hash}`, place),
      () => link(this.blob(hash), place),
      () => copyFile(this.blob(hash), place),
    ];
    await rm(place).catch(() => {}); // a link whose blob was deleted
    for (const [i, way] of ways.entries()) {
      try {
        await way();
        break;
      } catch (error) {
        if (isThere(error)) break; // another process was faster
        if (i === ways.length - 1) throw error;
      }
    }
    return place;
  }

  /**
   * Runs `work` while no other process (of this program or of Python's huggingface_hub) downloads the same
   * blob. `waiting` is called once when there is one.
   */
  async withLock<T>(
    hash: string,
    { waiting, signal }: { waiting?: () => void; signal?: AbortSignal },
    work: () => Promise<T>,
  ): Promise<T> {
    await mkdir(this.#locks, { recursive: true });
    const path = `${this.#locks}/${hash}.lock`;
    let told = false, lock: Lock | undefined;
    while (!(lock = await tryLock(path))) {
      if (!told) waiting?.();
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 100));
      signal?.throwIfAborted();
    }
    await using _ = lock;
    return await work();
  }
}

/** Size of a file (links followed), undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw await cannotRead(path, error);
  }
}
