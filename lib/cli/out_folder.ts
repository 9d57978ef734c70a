/** Where a command leaves its results unless it is told: in `out` of the project's folder, or of the current one where it runs as a package. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Path of a folder in `out`. It need not be there. */
export function outFolder(name: string): string {
  return join(projectFolder() ?? resolve("."), "out", name);
}

/** The checkout that this file belongs to. A package holds no notebooks, and code that came over HTTP has no folder. */
function projectFolder(): string | undefined {
  const root = new URL("../../", import.meta.url);
  return root.protocol === "file:" && existsSync(new URL("notebooks/", root))
    ? fileURLToPath(root)
    : undefined;
}
