/**
 * What the project carries with it: the folder `data/`, found from this file, so that the working directory
 * does not matter.
 *
 * Where the code itself came over HTTP (from a package registry), a file of `data/` is fetched from beside it
 * when it is first wanted, and kept in Hugging Face's folder for files that programs make.
 */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CARRIED } from "./carried.ts";
import { fileSize } from "./hub/cache.ts";
import { hubSettings } from "./hub/settings.ts";
import { writeWhole } from "./write_whole.ts";

const DATA = new URL("../../data/", import.meta.url);

/** Path of a file or folder in `data/`, or of its copy. */
export function dataPath(relative: string): string {
  return DATA.protocol === "file:" ? fileURLToPath(new URL(relative, DATA)) : copyOf(DATA, relative);
}

/**
 * As {@linkcode dataPath}; the file is there, fetched where it has to be. @throws when it cannot be fetched
 */
export async function dataFile(relative: string): Promise<string> {
  const path = dataPath(relative);
  if (DATA.protocol !== "file:" && CARRIED.includes(relative)) await fetchOnce(new URL(relative, DATA), path);
  return path;
}

/** As {@linkcode dataFile}, with all that the library reads of a folder. */
export async function dataFolder(relative: string): Promise<string> {
  await Promise.all(CARRIED.filter((name) => name.startsWith(`${relative}/`)).map(dataFile));
  return dataPath(relative);
}

/** Versions of a package have addresses of their own, so that a copy never grows old. */
function copyOf({ host, pathname }: URL, relative: string): string {
  const version = `${host}${pathname}`.replace(/[^\w.@-]+/g, "-").replace(/-$/, "");
  return join(dirname(hubSettings().cache), "assets", "cleanup-lens", version, relative);
}

async function fetchOnce(url: URL, path: string): Promise<void> {
  if (await fileSize(path) !== undefined) return;
  let answer: string | Uint8Array;
  try {
    const response = await fetch(url);
    answer = response.ok ? new Uint8Array(await response.arrayBuffer()) : `HTTP ${response.status}`;
  } catch (error) {
    answer = (error as Error).message;
  }
  if (typeof answer === "string") {
    throw new Error(
      `Cannot fetch ${url} (${answer}), a file that belongs to this library. Try again, or install it from npm: ` +
        "there the package holds it.",
    );
  }
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, answer);
}
