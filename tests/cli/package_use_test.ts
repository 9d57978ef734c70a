// What a user does with the installed package: a scan in an empty home folder, and a program of their own for
// a model of their own, in memory and read from its file, which a strict compiler accepts and which runs in
// Node and Deno (with CLEANUP_LENS_ALL=1 in Bun, too).
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { writeTinyFolder } from "../tiny_folders.ts";
import { execute, executeWith, isThere, project, tarball } from "./package/install.ts";

const NPM = Deno.build.os !== "windows" && await isThere("npm") && await isThere("node");
if (!NPM) console.log("package_use_test: npm and node are not there, or may not be run.");

/** TypeScript is the user's own; Node's types are those of what the declarations name. */
const BESIDE = ["typescript@6.0.3", "@types/node@24"];
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    skipLibCheck: false,
    module: "nodenext",
    target: "es2023",
    types: ["node"],
    outDir: "made",
    rootDir: ".",
  },
  files: ["own_model.ts"],
};

Deno.test({
  name:
    "the installed package: npx scans in an empty home folder; a strict program for a model of one's own runs",
  ignore: !NPM,
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
    try {
      const app = await project(join(folder, "app"));
      const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
      const installed = await execute(app, "npm", "install", ...flags, await tarball(folder), ...BESIDE);
      if (!installed.success && /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED/.test(installed.text)) {
        console.log("package_use_test: the npm registry cannot be reached; the package is not installed.");
        return;
      }
      assert(installed.success, installed.text);

      await t.step("npx cleanup-lens scan, in an empty home folder", async () => {
        const home = join(folder, "home");
        await Deno.mkdir(home);
        const npm = join(folder, "npm");
        const variables = { HOME: home, npm_config_cache: npm, npm_config_offline: "true" };
        const small = ["--max-tokens", "2048", "--length", "64", "--examine", "1", "--rotations", "2"];
        const command = ["--no-install", "cleanup-lens", "scan", "tiny-gelu-4l", ...small, "--out", "out"];
        const { success, text } = await executeWith(variables, app, "npx", ...command);
        assert(success, text);
        assertStringIncludes(text, "Open out/report.html");
        const { writers } = JSON.parse(await Deno.readTextFile(join(app, "out", "report.json")));
        assertEquals(writers.length, 1);
      });

      await t.step("a program of one's own: strict, declarations included", async () => {
        const source = join(import.meta.dirname!, "package", "own_model.ts.txt");
        await Deno.copyFile(source, join(app, "own_model.ts"));
        await Deno.writeTextFile(join(app, "tsconfig.json"), JSON.stringify(TSCONFIG));
        const { success, text } = await execute(app, "node", "node_modules/typescript/bin/tsc", "-p", ".");
        assert(success, text);
      });

      await writeTinyFolder(join(app, "own"), "llama", "BF16");
      const runtimes: [string, string[]][] = [
        ["Node", ["node", "--no-warnings"]],
        ["Deno", [Deno.execPath(), "run", "--allow-all"]],
      ];
      if (Deno.env.get("CLEANUP_LENS_ALL") === "1") runtimes.push(["Bun", ["npx", "--yes", "bun@latest"]]);
      for (const [name, [command, ...options]] of runtimes) {
        await t.step(`it runs in ${name}`, async () => {
          const { success, out, text } = await execute(app, command, ...options, "made/own_model.js");
          assert(success, text);
          assertEquals(out, "in the file true true\ntrue batch,pos,d_model true 2\n");
        });
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
