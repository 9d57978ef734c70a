/**
 * Downloads one file of the Hub into the cache. @huggingface/hub has a function of this purpose, but it
 * starts anew after a break, checks neither size nor hash, and two processes write into one file; so the
 * transfer itself is done here:
 *
 * - a lock lets one process download, others wait and find the file;
 * - `<hash>.incomplete` is continued by a range request, after a break within this call and in later
 *   processes;
 * - size and hash (SHA-256, or git's SHA-1 for small files) are checked before the file gets its name.
 */
import { createHash } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { inWords } from "../../platform/errors.ts";
import { OpenFile, syncFolder } from "../../platform/file.ts";
import { bodyOf, HubTooSlow } from "./body.ts";
import { fileSize, type RepoCache } from "./cache.ts";
import type { HubClient, HubFile } from "./client.ts";
import { HubRefusal, HubUnreachable } from "./errors.ts";

/** How far a download is. */
export interface DownloadProgress {
  /** Name of the file. */
  file: string;
  /** Bytes that are on disk, of `total`. */
  loaded: number;
  /** Its size in bytes. */
  total: number;
  /** Of this session, without what was already there. 0 until a first piece has come. */
  bytesPerSecond: number;
}

/** Told how far a download is. */
export type OnDownload = (progress: DownloadProgress) => void;

/** A download gives up after so many breaks in a row without a single new byte. */
const maxBreaks = 5;
const reportEveryMs = 100;

/** Fetches `file` of a commit unless its blob is in the cache, and returns its path in the snapshot. */
export async function downloadFile(
  client: HubClient,
  cache: RepoCache,
  commit: string,
  file: HubFile,
  onProgress?: OnDownload,
): Promise<string> {
  const place = `${cache.snapshot(commit)}/${file.path}`;
  if (await fileSize(place) === file.size) return place;
  const blob = cache.blob(file.hash);
  await mkdir(`${cache.folder}/blobs`, { recursive: true });
  await cache.withLock(file.hash, { signal: client.signal }, async () => {
    if (await fileSize(blob) === file.size) return;
    const url = client.fileUrl(cache.repo, commit, file.path);
    await fetchVerified(client, url, file, `${blob}.incomplete`, onProgress);
    await rename(`${blob}.incomplete`, blob);
    await syncFolder(`${cache.folder}/blobs`);
  });
  return await cache.link(file.hash, commit, file.path);
}

async function fetchVerified(
  client: HubClient,
  url: string,
  file: HubFile,
  incomplete: string,
  onProgress?: OnDownload,
): Promise<void> {
  const resumed = (await fileSize(incomplete) ?? 0) > 0;
  await fetchAll(client, url, file, incomplete, onProgress);
  let hash = await hashFile(incomplete, file);
  // what an earlier process left may be at fault: once more from the beginning
  if (hash !== file.hash && resumed) {
    await rm(incomplete);
    await fetchAll(client, url, file, incomplete, onProgress);
    hash = await hashFile(incomplete, file);
  }
  if (hash === file.hash) return;
  await rm(incomplete);
  throw new Error(
    `The download of ${url} is not the file that the Hub lists: its hash is ${hash}, ${file.hash} was expected. ` +
      "It was deleted. Try again; a proxy that changes files can be the cause.",
  );
}

/** Continues `incomplete` to its full size. */
async function fetchAll(
  client: HubClient,
  url: string,
  file: HubFile,
  incomplete: string,
  onProgress?: OnDownload,
): Promise<void> {
  using output = await OpenFile.toWrite(incomplete);
  let loaded = (await output.stat()).size;
  if (loaded > file.size) loaded = 0;
  await output.truncate(loaded);
  const report = progressReporter(file, loaded, onProgress);
  let breaks = 0;
  let furthest = loaded; // a server without ranges starts from 0 each time: that alone is no progress
  while (loaded < file.size) {
    try {
      for await (const piece of pieces(client, url, loaded, file)) {
        if (piece === "restart") {
          await output.truncate(loaded = 0);
          continue;
        }
        if (loaded + piece.length > file.size) {
          throw new Error(`${url} has more than the ${file.size} bytes it should have.`);
        }
        await append(output, loaded, piece, incomplete);
        loaded += piece.length;
        report(loaded);
      }
    } catch (error) {
      if (!(error instanceof HubUnreachable)) throw error;
      if (loaded > furthest && !(error instanceof HubTooSlow)) [breaks, furthest] = [0, loaded];
      if (++breaks >= maxBreaks) {
        const state = `${loaded} of ${file.size} bytes are kept and will be continued next time`;
        throw new HubUnreachable(
          `The download of ${file.path} broke off ${breaks} times: ${error.message} (${state}).`,
        );
      }
      await client.pause(breaks);
      continue;
    }
    if (loaded > furthest) [breaks, furthest] = [0, loaded];
    else if (loaded < file.size && ++breaks >= maxBreaks) {
      throw new HubUnreachable(`${url} ends after ${loaded} of ${file.size} bytes.`);
    }
  }
  await output.sync(); // once it has its name, it is not looked into again
  report(loaded, true);
}

async function append(output: OpenFile, at: number, piece: Uint8Array, path: string): Promise<void> {
  try {
    await output.write(piece, at);
  } catch (error) {
    throw new Error(`Cannot write ${path}: ${inWords(error)}`, { cause: error });
  }
}

/**
 * The bytes from `from` on, as they come. "restart": the server sends the file from its beginning instead.
 */
async function* pieces(
  client: HubClient,
  url: string,
  from: number,
  file: HubFile,
): AsyncGenerator<Uint8Array | "restart"> {
  const stalled = new AbortController();
  let response: Response;
  try {
    // Unpacked: a server that compresses on the way would count other bytes than the file has.
    const headers = { "Accept-Encoding": "identity", ...(from > 0 ? { Range: `bytes=${from}-` } : {}) };
    response = await client.request(url, { headers, signal: stalled.signal });
  } catch (error) {
    if (!(error instanceof HubRefusal && error.status === 416)) throw error;
    yield "restart";
    return;
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("Content-Range") ?? "");
  const continues = response.status === 206 && range !== null && Number(range[1]) === from;
  if (from > 0 && !continues) yield "restart";
  if (from > 0 && !continues && response.status === 206) {
    await response.body?.cancel();
    throw new HubUnreachable(`${url} answers bytes ${range?.[1]} when ${from} were asked for`);
  }
  if (continues && range[2] !== "*" && Number(range[2]) !== file.size) {
    await response.body?.cancel();
    throw new Error(`${url} has ${range[2]} bytes, the Hub lists ${file.size}.`);
  }
  yield* bodyOf(response, client, stalled);
}

function progressReporter(file: HubFile, start: number, onProgress?: OnDownload) {
  const began = performance.now();
  let next = 0;
  return (loaded: number, last = false) => {
    const now = performance.now();
    if (!onProgress || (now < next && !last)) return;
    next = now + reportEveryMs;
    const bytesPerSecond = Math.max(0, loaded - start) / Math.max(1e-3, (now - began) / 1000);
    onProgress({ file: file.path, loaded, total: file.size, bytesPerSecond });
  };
}

/**
 * SHA-256 of a large file; of a small one the SHA-1 that git gives it: over "blob <size>\0" and the bytes.
 */
export async function hashFile(
  path: string,
  { hash, size }: Pick<HubFile, "hash" | "size">,
): Promise<string> {
  const digest = createHash(hash.length === 64 ? "sha256" : "sha1");
  if (hash.length === 40) digest.update(`blob ${size}\0`);
  using file = await OpenFile.toRead(path);
  const buffer = new Uint8Array(1 << 20);
  for (let at = 0;;) {
    const count = await file.read(buffer, at);
    if (count === 0) return digest.digest("hex");
    digest.update(buffer.subarray(0, count));
    at += count;
  }
}

/** One line of text on a download: "model_final.pth 120.3 of 250.2 MB, 8.1 MB/s, 16 s left". */
export function describeDownload({ file, loaded, total, bytesPerSecond }: DownloadProgress): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  const left = bytesPerSecond > 0 ? `, ${Math.ceil((total - loaded) / bytesPerSecond)} s left` : "";
  const rate = bytesPerSecond > 0 ? `, ${megabytes(bytesPerSecond)} MB/s` : "";
  return `${file} ${megabytes(loaded)} of ${megabytes(total)} MB${rate}${loaded < total ? left : ""}`;
}
