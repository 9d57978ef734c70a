/**
 * What the project carries with it: the folder `data/`, found from this file, so that the working directory does not matter.
 */

/** Path of a file or folder in `data/`. */
export function dataPath(relative: string): string {
  const path = decodeURIComponent(new URL(`../../data/${relative}`, import.meta.url).pathname);
  return Deno.build.os === "windows" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path;
}
