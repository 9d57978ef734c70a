/** In place of node:fs/promises: see fs.ts. */
import { bytesAt, namesIn, statOf, type Stats } from "./fs.ts";

export async function readFile(path: string, encoding?: "utf8"): Promise<string | Uint8Array> {
  const bytes = await bytesAt(path);
  return encoding ? new TextDecoder().decode(bytes) : bytes;
}

// deno-lint-ignore require-await
export async function stat(path: string): Promise<Stats> {
  return statOf(path);
}

// deno-lint-ignore require-await
export async function readdir(path: string, options?: { withFileTypes: boolean }): Promise<unknown[]> {
  const names = namesIn(path);
  return options?.withFileTypes ? names.map((name) => ({ name, ...statOf(`${path}/${name}`) })) : names;
}

// deno-lint-ignore require-await
async function refused(): Promise<never> {
  throw new Error("A page writes no files.");
}
export {
  refused as copyFile,
  refused as link,
  refused as mkdir,
  refused as readlink,
  refused as rename,
  refused as rm,
  refused as symlink,
  refused as writeFile,
};
