// MODEL = a folder of the user's own, of which nothing is known: every notebook runs to its end, twice in one
// kernel, with one folder of learned positions and one of rotary ones. So this also shows that all cells can
// run again.
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";
import { Kernel } from "../lib/jupyter/kernel.ts";
import { type Notebook, type Output, readNotebook } from "../lib/jupyter/notebook.ts";
import { isProgress } from "../lib/jupyter/progress.ts";
import { writeTinyFolder } from "./tiny_folders.ts";
import { codeCells } from "./notebook_rules.ts";

const NOTEBOOKS = join(import.meta.dirname!, "..", "notebooks");
const NAMES = (await Array.fromAsync(Deno.readDir(NOTEBOOKS)))
  .map(({ name }) => name).filter((name) => /^(00_|fig|check_|findings).*\.ipynb$/.test(name)).sort();

const MODEL = /^const MODEL = "tiny-gelu-4l";.*$/m;

const textOf = (outputs: readonly Output[]) =>
  outputs.map((output) =>
    output.output_type === "stream" ? output.text : "data" in output ? String(output.data["text/plain"]) : ""
  ).join("\n");

/** Runs every code cell. Resolves to what each cell showed; fails at the first cell that does. */
async function runAll(kernel: Kernel, notebook: Notebook, name: string, folder: string): Promise<string[]> {
  assert(codeCells(notebook).some(({ source }) => MODEL.test(source)), `${name} has no MODEL`);
  const shown: string[] = [];
  for (const { id, source } of codeCells(notebook)) {
    const own = source.replace(MODEL, `const MODEL = ${JSON.stringify(folder)};`);
    const { status, outputs } = await kernel.execute(own, { timeoutMs: 120_000 });
    const error = outputs.find((output) => output.output_type === "error");
    assertEquals([status, error], ["ok", undefined], `${name}, MODEL = ${folder}, cell ${id}`);
    shown.push(textOf(outputs.filter((output) => !isProgress(output))));
  }
  return shown;
}

Deno.test("every notebook runs to its end with MODEL = any folder, and says what is not known of it", async () => {
  const work = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
  try {
    await using kernel = await Kernel.start({ cwd: NOTEBOOKS, runtimeDir: work, env: { NO_COLOR: "1" } });
    for (const family of ["gpt2", "llama"]) {
      const folder = join(work, family);
      await writeTinyFolder(folder, family);
      for (const name of NAMES) {
        const all = (await runAll(kernel, await readNotebook(join(NOTEBOOKS, name)), name, folder)).join(
          "\n",
        );
        if (name.startsWith("fig")) {
          assert(all.includes("has no cleanup.json"), `${name} does not say that the writer is a guess`);
          assert(
            /No values of [^\n]* are known for/.test(all),
            `${name}: the check does not say that it has nothing`,
          );
        }
        assert(!all.includes("NaN"), `${name} with ${family} shows a NaN: ${all.match(/.*NaN.*/)?.[0]}`);
      }
    }
    assertGreater(NAMES.length, 12);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
