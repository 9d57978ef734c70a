// The structure of the project: first that each rule can fail, on made-up sources, then that the project
// keeps it.
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";
import { readNotebook } from "../lib/jupyter/notebook.ts";
import {
  cycleViolations,
  directionViolations,
  foldViolations,
  gatewayViolations,
  importsOf,
  lengthViolations,
  MAX_COLUMNS,
  MAX_LINES,
  MAY_IMPORT,
  notebookImportViolations,
  type Sources,
  TOP_LEVEL,
  topLevelViolations,
} from "./structure.ts";

const ROOT = join(import.meta.dirname!, "..");

async function sourcesUnder(folder: string): Promise<Sources> {
  const sources: Sources = new Map();
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) { for (const [inner, text] of await sourcesUnder(path)) sources.set(inner, text); }
    else if (/\.(ts|tsx|js|mjs)$/.test(entry.name)) {
      sources.set(path, await Deno.readTextFile(join(ROOT, path)));
    }
  }
  return sources;
}

async function notebookCode(): Promise<Sources> {
  const cells: Sources = new Map();
  for await (const { name } of Deno.readDir(join(ROOT, "notebooks"))) {
    if (!name.endsWith(".ipynb")) continue;
    const notebook = await readNotebook(join(ROOT, "notebooks", name));
    const code = notebook.cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.source);
    cells.set(`notebooks/${name}`, code.join("\n"));
  }
  return cells;
}

const made = (files: Record<string, string>): Sources => new Map(Object.entries(files));

Deno.test("importsOf() finds every form of import, and none in comments or in plain words", () => {
  assertEquals(
    importsOf(`
/**
 * import { no } from "./in_doc_comment.ts";
 */
// import { no } from "./in_line_comment.ts";
import { a } from "./a.ts";
import type { B } from './b.ts';
import {
  c,
  type D,
} from "./c.ts";
import * as d from "d";
import e, { f } from "./e.ts";
import "./side_effect.ts";
export { g } from "./g.ts";
export * from "./h.ts";
const i = await import("./i.ts");
const text = "we import rows from data";
export const from = 3;
`),
    ["./a.ts", "./b.ts", "./c.ts", "d", "./e.ts", "./side_effect.ts", "./g.ts", "./h.ts", "./i.ts"],
  );
});

Deno.test("directionViolations() reports an import that goes up, leaves lib, or names a version", () => {
  const violations = (path: string, specifier: string) =>
    directionViolations(made({ [path]: `import { x } from "${specifier}";` }));
  assertEquals(violations("lib/metrics/a.ts", "../tensor/b.ts"), []);
  assertEquals(violations("lib/metrics/a.ts", "./b.ts"), []);
  assertEquals(violations("lib/figures/a.ts", "../jupyter/display.ts"), []);
  assertEquals(violations("lib/cli/a.ts", "../mod.ts"), []);
  for (
    const [path, specifier] of [
      ["lib/tensor/a.ts", "../metrics/b.ts"],
      ["lib/stats/a.ts", "../tensor/b.ts"],
      ["lib/jupyter/a.ts", "../stats/b.ts"],
      ["lib/experiments/a.ts", "../figures/b.ts"],
      ["lib/figures/a.ts", "../cli/b.ts"],
      ["lib/figures/a.ts", "../mod.ts"],
      ["lib/mod.ts", "./cli/figures.ts"],
      ["lib/figures/a.ts", "../../tests/assert.ts"],
      ["lib/figures/a.ts", "npm:d3-color@3.1.0"],
      ["lib/novelty/a.ts", "../stats/b.ts"],
    ]
  ) assertGreater(violations(path, specifier).length, 0, `${path} → ${specifier}`);
  for (const folder of ["tensor", "metrics", "transformer", "checkpoints", "stats"]) {
    assertEquals(violations(`lib/${folder}/a.ts`, "../jupyter/display.ts").length, 1, folder);
  }
});

Deno.test("MAY_IMPORT itself has no way back", () => {
  const reaches = (from: string, to: string): boolean =>
    MAY_IMPORT[from].some((next) => next === to || reaches(next, to));
  for (const folder of Object.keys(MAY_IMPORT)) assert(!reaches(folder, folder), folder);
});

Deno.test("cycleViolations() reports a cycle of files, of any length, and no diamond", () => {
  const cycle = made({
    "lib/tensor/a.ts": `import "./b.ts"`,
    "lib/tensor/b.ts": `import type { C } from "./c.ts"`,
    "lib/tensor/c.ts": `export * from "./a.ts"`,
  });
  assertEquals(cycleViolations(cycle), [
    "lib/tensor/a.ts → lib/tensor/b.ts → lib/tensor/c.ts → lib/tensor/a.ts",
  ]);
  assertEquals(cycleViolations(made({ "lib/tensor/a.ts": `import "./a.ts"` })).length, 1);
  const diamond = made({
    "lib/tensor/a.ts": `import "./b.ts"; import "./c.ts"`,
    "lib/tensor/b.ts": `import "./d.ts"`,
    "lib/tensor/c.ts": `import "./d.ts"`,
    "lib/tensor/d.ts": "",
  });
  assertEquals(cycleViolations(diamond), []);
});

Deno.test("gatewayViolations() reports each outside world that is used outside its folder", () => {
  for (
    const [code, folder] of [
      [`import * as ort from "onnxruntime-node";`, "tensor"],
      [`import { Tensor } from "onnxruntime-node/backend";`, "tensor"],
      [`await Deno.jupyter.broadcast("display_data", {});`, "jupyter"],
      [`await Deno.readTextFile("x");`, "platform"],
      [`if (typeof Deno === "undefined") {}`, "platform"],
      [`new Deno.Command(x, { args: ["jupyter", "--kernel"] });`, "jupyter"],
      [`import { downloadFile } from "@huggingface/hub";`, "checkpoints"],
      [`const page = await fetch(url);`, "checkpoints"],
      [`import { DataFrame } from "danfojs-node";`, "figures"],
    ]
  ) {
    assertEquals(gatewayViolations(made({ [`lib/${folder}/a.ts`]: code })), [], code);
    assertGreater(gatewayViolations(made({ "lib/experiments/a.ts": code })).length, 0, code);
  }
  assertEquals(
    gatewayViolations(made({ "lib/stats/a.ts": "// Deno.jupyter is not used\nhub.prefetch(x)" })),
    [],
  );
});

Deno.test(`lengthViolations() reports a file of more than ${MAX_LINES} lines`, () => {
  assertEquals(lengthViolations(made({ "lib/a.ts": "x\n".repeat(MAX_LINES) })), []);
  assertEquals(lengthViolations(made({ "lib/a.ts": "x\n".repeat(MAX_LINES + 1) })).length, 1);
  const example = "/**\n * About.\n *\n * @example\n * ```ts\n * f();\n * ```\n */\n";
  assertEquals(lengthViolations(made({ "lib/a.ts": example + "x\n".repeat(MAX_LINES - 3) })), []);
  assertEquals(lengthViolations(made({ "lib/a.ts": example + "x\n".repeat(MAX_LINES - 2) })).length, 1);
});

Deno.test(`foldViolations() reports a comment beyond column ${MAX_COLUMNS}, and no code`, () => {
  const check = (line: string) => foldViolations(made({ "lib/a.ts": line })).length;
  const words = (columns: number, start: string) =>
    start + "é ".repeat(columns).slice(0, columns - start.length);
  for (const start of ["// ", " * ", "/** ", "  const x = 1; // ", "/* "]) {
    assertEquals(check(words(MAX_COLUMNS, start)), 0, start);
    assertEquals(check(words(MAX_COLUMNS + 1, start)), 1, start);
  }
  assertEquals(check(`const text = "${"x ".repeat(MAX_COLUMNS)}";`), 0); // the formatter's business
  assertEquals(check(`// https://host/${"x".repeat(MAX_COLUMNS)}`), 0); // there is nowhere to fold
});

Deno.test("notebookImportViolations() reports any import but that of lib/mod.ts", () => {
  const check = (code: string) => notebookImportViolations(made({ "notebooks/a.ipynb": code }));
  assertEquals(check(`import { run } from "../lib/mod.ts";`), []);
  assertEquals(check(`import { run } from "../lib/tensor/run.ts";`).length, 1);
  assertEquals(check(`const plot = await import("@observablehq/plot");`).length, 1);
});

Deno.test("topLevelViolations() reports what is too much and what is missing", () => {
  assertEquals(topLevelViolations([...TOP_LEVEL, ".git", ".ci", "out", "node_modules"]), []);
  assertEquals(topLevelViolations([...TOP_LEVEL, "scripts"]), ["scripts does not belong at the top"]);
  assertEquals(topLevelViolations(TOP_LEVEL.filter((name) => name !== "data")), [
    "data is missing at the top",
  ]);
});

Deno.test("the project: imports in lib/ go down, without cycles, through the gateways, in short files", async () => {
  const sources = await sourcesUnder("lib");
  assertGreater(sources.size, 30);
  assertEquals(directionViolations(sources), []);
  assertEquals(cycleViolations(sources), []);
  assertEquals(gatewayViolations(sources), []);
  assertEquals(lengthViolations(sources), []);
});

Deno.test("the project: comments fold at the formatter's width", async () => {
  const settings = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  assertEquals(settings.fmt.lineWidth, MAX_COLUMNS);
  for (const folder of ["lib", "tests"]) assertEquals(foldViolations(await sourcesUnder(folder)), []);
});

Deno.test("the project: notebooks import lib/mod.ts only, and nothing but notebooks, tests and lib/cli does", async () => {
  const cells = await notebookCode();
  assertGreater(cells.size, 5);
  assertEquals(notebookImportViolations(cells), []);
  for (const [path, code] of cells) assertGreater(importsOf(code).length, 0, `${path} imports nothing`);
});

Deno.test("the project: the top level holds exactly what the README says", async () => {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(ROOT)) names.push(name);
  assertEquals(topLevelViolations(names), []);
});
