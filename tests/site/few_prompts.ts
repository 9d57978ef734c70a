/**
 * Pages that take long in a browser run on few prompts, and their rows are compared with those of Deno's
 * kernel on the same prompts; that these are the committed ones on all prompts, notebooks_test.ts shows. The
 * other pages run on all prompts, and give the committed rows.
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { Kernel } from "../../lib/jupyter/kernel.ts";
import { readNotebook } from "../../lib/jupyter/notebook.ts";
import { FEW, withFewPrompts } from "./browser/few_prompts.ts";

/** What these notebooks save on few prompts in Deno's kernel, one for all: name of a file → its rows. */
export async function fewPromptsRows(
  folder: string,
  names: readonly string[],
): Promise<Map<string, unknown>> {
  const work = await Deno.makeTempDir(), out = join(work, "out");
  try {
    await Deno.mkdir(out);
    const env = { CLEANUP_LENS_OUT: out, NO_COLOR: "1" };
    await using kernel = await Kernel.start({ cwd: folder, runtimeDir: work, env });
    for (const name of names) {
      for (
        const { cell_type, id, source } of withFewPrompts(await readNotebook(`${folder}/${name}.ipynb`)).cells
      ) {
        if (cell_type !== "code") continue;
        const { status, outputs } = await kernel.execute(source, { timeoutMs: 600_000 });
        const error = outputs.find(({ output_type }) => output_type === "error");
        assertEquals([status, error], ["ok", undefined], `${name}, cell ${id}, on ${FEW} prompts`);
      }
    }
    const files = (await Array.fromAsync(Deno.readDir(out))).filter(({ name }) => name.endsWith(".json"));
    const read = files.map(async ({ name }) =>
      [name, JSON.parse(await Deno.readTextFile(join(out, name)))] as const
    );
    return new Map(await Promise.all(read));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
