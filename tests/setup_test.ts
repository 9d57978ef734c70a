// What one click runs (.devcontainer, .binder): the script on a machine of its own, as far as an empty home
// folder is one.
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { execute, isThere } from "./cli/package/install.ts";

const ROOT = join(import.meta.dirname!, "..");
const NPM = Deno.build.os !== "windows" && await isThere("npm");
if (!NPM) console.log("setup_test: npm is not there, or may not be run.");

Deno.test("both ways of one click run the same script, with the project's version of Deno", async () => {
  const read = (path: string) => Deno.readTextFile(join(ROOT, path));
  const { postCreateCommand } = JSON.parse(await read(".devcontainer/devcontainer.json"));
  assert(postCreateCommand.startsWith(".devcontainer/setup.sh"));
  assert((await read(".binder/postBuild")).endsWith("exec .devcontainer/setup.sh\n"));
  const [, version] = /deno@([\d.]+)/.exec(await read(".devcontainer/setup.sh"))!;
  assertEquals(version, /deno@([\d.]+)/.exec(await read("README.md"))![1]);
  assertEquals(version, /deno@([\d.]+)/.exec(await read(".ci/run"))![1]);
});

Deno.test({
  name: "the script leaves a kernel and every package in the cache",
  ignore: !NPM,
  fn: async () => {
    const home = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
    try {
      // the cache is this machine's own, so that nothing is fetched twice; npm puts Deno into the empty home
      // folder
      const { denoDir } = JSON.parse((await execute(ROOT, Deno.execPath(), "info", "--json")).text);
      const set = [
        `HOME=${home}`,
        `npm_config_prefix=${home}`,
        `PATH=${home}/bin:$PATH`,
        `DENO_DIR=${denoDir}`,
      ];
      const line = `env ${set.join(" ")} npm_config_cache=$HOME/.npm sh .devcontainer/setup.sh`;
      const { success, text } = await execute(ROOT, "npm", "exec", "--call", line);
      if (!success && /ENOTFOUND|EAI_AGAIN|ETIMEDOUT/.test(text)) return;
      assert(success, text);
      const folder = Deno.build.os === "darwin" ? "Library/Jupyter" : ".local/share/jupyter";
      const kernel = JSON.parse(await Deno.readTextFile(`${home}/${folder}/kernels/deno/kernel.json`));
      assertEquals(kernel.language, "typescript");
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});
