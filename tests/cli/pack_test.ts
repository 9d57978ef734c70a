// The packages: what is in the npm tarball, that it installs from an empty folder and measures Figures 1 to 3
// there, and that the same code runs when it comes over HTTP, as from JSR.
//
// With CLEANUP_LENS_ALL=1 also pnpm and Bun, which npx fetches, and Node 24; it takes some minutes.
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { mendedDeclaration, packageJson, packagesOf, textOfPackage } from "../../lib/cli/pack.ts";
import { execute, isThere, project, tarball } from "./package/install.ts";

const ROOT = join(import.meta.dirname!, "..", "..");
const ALL = Deno.env.get("CLEANUP_LENS_ALL") === "1";
const NPM = await isThere("npm") && await isThere("node");
if (!NPM) {
  console.log("pack_test: npm and node are not there, or may not be run; the package is not installed.");
}

/** Every value of Figures 1 to 3 that TransformerLens recorded for the embedded model. */
const AGREE = ["fig1: 288 of 288", "fig2: 160 of 160", "fig3a: 72 of 72", "fig3b: 152 of 152"]
  .map((line) => `${line} agree\n`).join("") + "drawn\n";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("packagesOf() finds what code imports, and not what an example in a comment does", () => {
  const js = `/**\n * import { no } from "@std/assert";\n */\nimport { a } from "@a/b/c.js";\nimport "./d.js";
import fs from "node:fs";\nexport { e } from "e";\nconst f = await import("f/g");\n`;
  assertEquals(packagesOf(js), ["@a/b", "e", "f"]);
});

Deno.test("mendedDeclaration(): specifiers name what is there, and a method is declared once", () => {
  const property = "    [Symbol.dispose]: () => void;\n", method = "    [Symbol.dispose](): void;\n";
  const code = (body: string) => `import { b } from "./b.ts";\nexport declare class A {\n${body}}\n`;
  const mended = (body: string) => code(body).replace("./b.ts", "./b.js");
  assertEquals(
    mendedDeclaration(code(property + "    close(): void;\n" + method)),
    mended("    close(): void;\n" + method),
  );
  assertEquals(mendedDeclaration(code(property)), mended(property));
});

Deno.test("textOfPackage() keeps links to the web, within the page and to what is packed; others are words", () => {
  const packed = (path: string) => ["lib/ERRORS.md", "LICENSE"].includes(path);
  const text = "[a](https://x.org/a) [b](#b) [c](ERRORS.md#c) [d](../LICENSE) [e](README.md) ![f](../f.png)";
  const wanted = "[a](https://x.org/a) [b](#b) [c](ERRORS.md#c) [d](../LICENSE) e f";
  assertEquals(textOfPackage(text, "lib/INSTALL.md", packed), wanted);
});

Deno.test("packageJson() takes exact versions, of what the code imports alone; danfojs is the user's to install", () => {
  const imports = {
    "onnxruntime-node": "npm:onnxruntime-node@1.30.0",
    "danfojs-node": "npm:danfojs-node@1.1.2",
    "@a/b": "npm:@a/b@2.0.0",
    "typescript": "npm:typescript@6.0.3",
  };
  const deno = { version: "1.2.3", license: "MIT", exports: { ".": "./lib/a.ts" }, imports };
  const json = packageJson(deno, new Set(["onnxruntime-node", "danfojs-node", "@a/b"]));
  assertEquals(json.dependencies, { "@a/b": "2.0.0", "@types/d3": "7.4.3", "onnxruntime-node": "1.30.0" });
  assertEquals(json.peerDependencies, { "danfojs-node": "1.1.2" });
  assertThrows(() => packageJson(deno, new Set(["e"])), Error, 'imports "e"');
  assertEquals(json.exports, { ".": { types: "./lib/a.d.ts", default: "./lib/a.js" } });
});

Deno.test("deno publish --dry-run passes, and leaves tests, notebooks and training out", async () => {
  const { success, text } = await execute(ROOT, Deno.execPath(), "publish", "--dry-run", "--allow-dirty");
  assert(success, text);
  assertStringIncludes(text, "data/models/tiny-gelu-4l/model.safetensors");
  for (const left of ["/tests/", "/notebooks/", "/data/training/", "/data/pictures/", "lib/cli/start.ts"]) {
    assert(!text.includes(left), `${left} is in the package:\n${text}`);
  }
});

Deno.test({
  name: "the npm tarball is the same twice, installs in an empty folder, and measures Figures 1 to 3 in Node",
  ignore: !NPM,
  fn: () =>
    inFolder(async (folder) => {
      const hash = async (path: string) =>
        createHash("sha256").update(await Deno.readFile(path)).digest("hex");
      const path = await tarball(folder);
      const first = await hash(path);
      assertEquals(await hash(await tarball(folder)), first);
      // `using`, which Node 20 has not, is spelt out, and specifiers name what is there
      for (
        const name of ["lib/checkpoints/hub/download.js", "lib/checkpoints/hub/download.d.ts", "lib/mod.d.ts"]
      ) {
        const code = await Deno.readTextFile(join(folder, "package", name));
        assert(!/^\s*(await )?using |\.ts["']/m.test(code), `${name}:\n${code}`);
      }
      const readme = await Deno.readTextFile(join(folder, "package", "README.md"));
      assertStringIncludes(readme, "(lib/ERRORS.md)");
      assert(!readme.includes("](notebooks/"), "a link of the README that leads nowhere in the package");
      const app = await project(join(folder, "app"));
      // without scripts: that of onnxruntime-node would fetch CUDA from elsewhere
      const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
      const installed = await execute(app, "npm", "install", ...flags, path);
      if (!installed.success && /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED/.test(installed.text)) {
        console.log("pack_test: the npm registry cannot be reached; the package is not installed.");
        return;
      }
      assert(installed.success, installed.text);
      const { success, text } = await execute(app, "node", "--no-warnings", "figures_1_to_3.mjs");
      assert(success, text);
      assertEquals(text, AGREE);
      const usage = await execute(
        app,
        "node",
        "node_modules/cleanup-lens/lib/cli/cleanup_lens.js",
        "scan",
        "--help",
      );
      assertMatch(usage.text, /^npx cleanup-lens scan MODEL/);
      const command = await execute(
        app,
        "node",
        "node_modules/cleanup-lens/lib/cli/cleanup_lens.js",
        "--version",
      );
      const { version } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
      assertEquals(command.text.trim(), version);
    }),
});

Deno.test("over HTTP, as from a registry, code and data are found, and data are fetched once", async () => {
  await inFolder(async (folder) => {
    const asked: string[] = [];
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      const path = new URL(request.url).pathname;
      asked.push(path);
      const body = await Deno.readFile(join(ROOT, path)).catch(() => undefined);
      const type = path.endsWith(".ts") ? { "Content-Type": "application/typescript" } : {};
      return body
        ? new Response(body, { headers: type as HeadersInit })
        : new Response(null, { status: 404 });
    });
    try {
      const base = `http://127.0.0.1:${server.addr.port}/lib`;
      const { imports } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
      await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ imports }));
      await Deno.writeTextFile(
        join(folder, "main.ts"),
        `import { loadModel, promptsFor, residualProjections } from "${base}/library.ts";
         import { fig1, toPng, toSvg } from "${base}/figures/mod.ts";
         const model = await loadModel("tiny-gelu-4l");
         const { rows } = await residualProjections(model, await promptsFor(model, { count: 2 }));
         console.log(rows.length, toPng(toSvg(fig1(rows, { writer: model.cleanup.writer }))).length > 1000);`,
      );
      const flags = ["run", "--no-lock", "--no-prompt", "--allow-all", "--no-check", "main.ts"];
      for (const time of ["first", "second"]) {
        asked.length = 0;
        const { success, text } = await execute(folder, Deno.execPath(), ...flags);
        assert(success, text);
        assertMatch(text, /^72 true$/m);
        const data = asked.filter((path) => path.startsWith("/data/"));
        assertEquals(data.length > 0, time === "first", data.join(" "));
      }
    } finally {
      await server.shutdown();
    }
  });
});

/** A way to install the tarball, and to run a program with it. */
const WAYS: [string, string[], string[]][] = [
  ["pnpm, and Node 24", ["npx", "--yes", "pnpm", "add", "--ignore-scripts"], [
    "npx",
    "--yes",
    "node@24",
    "--no-warnings",
  ]],
  ["Bun", ["npx", "--yes", "bun@latest", "add"], ["npx", "--yes", "bun@latest"]],
  ["npm, and Deno", ["npm", "install", "--ignore-scripts", "--no-audit"], [
    Deno.execPath(),
    "run",
    "--allow-all",
  ]],
];

for (const [name, install, run] of WAYS) {
  Deno.test({
    name: `the npm tarball installs in an empty folder and measures Figures 1 to 3: ${name}`,
    ignore: !ALL || !NPM,
    fn: () =>
      inFolder(async (folder) => {
        const path = await tarball(folder);
        const readme = await Deno.readTextFile(join(folder, "package", "README.md"));
        assertStringIncludes(readme, "(lib/ERRORS.md)");
        assert(!readme.includes("](notebooks/"), "a link of the README that leads nowhere in the package");
        const app = await project(join(folder, "app"));
        const installed = await execute(app, install[0], ...install.slice(1), path);
        assert(installed.success, installed.text);
        const { success, text } = await execute(app, run[0], ...run.slice(1), "figures_1_to_3.mjs");
        assert(success, text);
        assertEquals(text, AGREE);
      }),
  });
}
