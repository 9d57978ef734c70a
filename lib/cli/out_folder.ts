/**
 * The folder that a task writes to: which it is unless another is named, and made, or found to be usable,
 * before the work begins.
 */
import { existsSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { shown } from "../checkpoints/quoted.ts";
import { inWords } from "../platform/errors.ts";

/**
 * Path of a folder in `out`: that of the project, or of the current folder where this runs as a package. It
 * need not be there.
 */
export function outFolder(name: string): string {
  return join(projectFolder() ?? resolve("."), "out", name);
}

/**
 * The checkout that this file belongs to. A package holds no notebooks, and code that came over HTTP has no
 * folder.
 */
function projectFolder(): string | undefined {
  const root = new URL("../../", import.meta.url);
  return root.protocol === "file:" && existsSync(new URL("notebooks/", root))
    ? fileURLToPath(root)
    : undefined;
}

/**
 * @param files what will be written there @throws when the folder cannot be made, and when a file's place is
 * taken by a folder
 */
export async function prepareFolder(path: string, files: readonly string[] = []): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    for (const name of files) {
      const there = await stat(join(path, name)).catch(() => undefined);
      if (there?.isDirectory()) throw new Error(`${name} is a folder there, where a file is to be written.`);
    }
  } catch (error) {
    throw new Error(
      `cannot write to ${shown(path, 200)}: ${
        inWords(error)
      } Give another folder with --out, or make room there.`,
      { cause: error },
    );
  }
}
