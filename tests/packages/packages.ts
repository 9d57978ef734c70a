/**
 * `deno task packages [task …]`: runs tasks on small inputs and lists the npm packages that each has really
 * loaded. Those that come through danfojs-node alone (its own, and request, xlsx, mathjs …) are marked: only
 * data frames in notebooks load them.
 */
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { smallModel, writeModelFolder } from "../checkpoints/small_model.ts";
import { randomInt, randomSource } from "../reference/random.ts";
import { loadedPackages } from "./loaded.ts";
import { broughtBy } from "./lock.ts";

const root = new URL("../../", import.meta.url).pathname;
const cli = (name: string) => `${root}lib/cli/${name}.ts`;

/** Arguments of Deno, given a folder with model/, prompts.safetensors and notebook.ts. */
const given = ["model", "--prompts", "prompts.safetensors", "--out", "out"];
export const RUNS: Record<string, string[]> = {
  scan: [cli("scan"), ...given, "--examine", "1"],
  census: [cli("census"), ...given, "--examine", "1", "--early", "1", "--repair", "1"],
  attribution: [cli("attribution"), ...given, "--most", "1", "--rotations", "1"],
  verify: [cli("verify"), "tiny-gelu-4l", "--figures", "1", "--prompts", "1"],
  figures: [cli("figures"), "--help"],
  "a notebook with a data frame": [`--config=${root}deno.json`, "notebook.ts"],
};

const NOTEBOOK = `import { frame, loadModel } from "${new URL("../../lib/mod.ts", import.meta.url)}";
await loadModel("model");
await frame([{ a: 1 }]);`;

/** What the named runs have loaded. */
export async function packagesOf(names: readonly string[]): Promise<Record<string, string[]>> {
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
  try {
    const model = smallModel(7, { n_ctx: 16 });
    await writeModelFolder(`${folder}/model`, model);
    const random = randomSource(3);
    const data = Int32Array.from({ length: 24 * 16 }, () => randomInt(random, model.config.d_vocab));
    await writeSafetensors(`${folder}/prompts.safetensors`, {
      tokens: { dims: [24, 16], dtype: "I32", data },
    });
    await Deno.writeTextFile(`${folder}/notebook.ts`, NOTEBOOK);
    const found: Record<string, string[]> = {};
    for (const name of names) found[name] = await loadedPackages(RUNS[name], folder);
    return found;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const names = Deno.args.length > 0 ? Deno.args : Object.keys(RUNS);
  const unknown = names.find((name) => !Object.hasOwn(RUNS, name));
  if (unknown !== undefined) {
    console.error(`packages: there is no task "${unknown}"; there are ${Object.keys(RUNS).join(", ")}.`);
    Deno.exit(2);
  }
  const tables = broughtBy("danfojs-node");
  for (const [name, packages] of Object.entries(await packagesOf(names))) {
    console.log(`${name}: ${packages.length} packages`);
    for (const each of packages) {
      console.log(
        `  ${each}${tables.has(each.replace(/(?<=.)@.*$/, "")) ? "  (through danfojs-node alone)" : ""}`,
      );
    }
  }
}
