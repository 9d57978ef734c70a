/** The folder that a task writes to: made, or found to be usable, before the work begins and not after it. */
import { join } from "node:path";

/** @param files what will be written there @throws when the folder cannot be made, and when a file's place is taken by a folder */
export async function prepareFolder(path: string, files: readonly string[] = []): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
    for (const name of files) {
      const there = await Deno.stat(join(path, name)).catch(() => undefined);
      if (there?.isDirectory) throw new Error(`${name} is a folder there, where a file is to be written`);
    }
  } catch (error) {
    throw new Error(
      `cannot write to ${path}: ${
        (error as Error).message
      }. Give another folder with --out, or make room there.`,
      { cause: error },
    );
  }
}
