/**
 * In place of node:fs: the site's own files, read-only, by the functions that the library uses. Paths are
 * those of the project, from "/". What is read at once (fonts' widths) is fetched before anything runs.
 */
import { assetBytes, files } from "./assets.ts";

/** As the system has it: what tells a missing file from other faults. */
class FileError extends Error {
  constructor(readonly code: string, path: string) {
    super(`${code}: ${path} is not among this page's files`);
  }
}

const isFolder = (path: string) => Object.keys(files).some((name) => name.startsWith(`${path}/`));

function sizeOf(path: string): number {
  if (!Object.hasOwn(files, path)) throw new FileError(isFolder(path) ? "EISDIR" : "ENOENT", path);
  return files[path].bytes;
}

export interface Stats {
  size: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

export function statOf(path: string): Stats {
  const folder = !Object.hasOwn(files, path) && isFolder(path);
  return { size: folder ? 0 : sizeOf(path), isFile: () => !folder, isDirectory: () => folder };
}

export function namesIn(folder: string): string[] {
  if (!isFolder(folder)) throw new FileError("ENOENT", folder);
  const inside = Object.keys(files).filter((name) => name.startsWith(`${folder}/`));
  return [...new Set(inside.map((name) => name.slice(folder.length + 1).split("/")[0]))];
}

export async function bytesAt(path: string): Promise<Uint8Array<ArrayBuffer>> {
  sizeOf(path);
  return await assetBytes(path);
}

const AT_ONCE = "/packages/";
const ready = new Map<string, Uint8Array>();

/** Fetches what is read at once. */
export async function preload(): Promise<void> {
  const paths = Object.keys(files).filter((path) => path.startsWith(AT_ONCE));
  await Promise.all(paths.map(async (path) => ready.set(path, await assetBytes(path))));
}

export function readFileSync(path: string): Uint8Array {
  const bytes = ready.get(path);
  if (!bytes) throw new FileError("ENOENT", path);
  return bytes;
}
