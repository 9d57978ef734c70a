/**
 * Names that the library exports as types alone: cells may import them, and a program has nothing under them.
 */
import { readFile } from "node:fs/promises";

const FILES = ["lib/mod.ts", "lib/library.ts", "lib/figures/mod.ts"];

/** The names in the text of a module that exports others' names. */
export function typeNames(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  return [...code.matchAll(/export\s+(type\s+)?\{([^}]*)\}/g)].flatMap(([, all, list]) =>
    list.split(",").map((each) => each.trim()).filter((each) => each && (all || each.startsWith("type ")))
      .map((each) => each.replace(/^type\s+/, "").replace(/^.*\sas\s+/, ""))
  );
}

export async function libraryTypes(root: string): Promise<string[]> {
  const sources = await Promise.all(FILES.map((file) => readFile(`${root}/${file}`, "utf8")));
  return [...new Set(sources.flatMap(typeNames))].sort();
}
