// The committed notebooks: executed, small, with their figures; their code type-checks and lints as the rest
// does. Deno 2.9.6 does neither for .ipynb, so the cells of a notebook are put together as one module.
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { type Notebook, parseNotebook, readNotebook } from "../lib/jupyter/notebook.ts";
import { cellsAsModule, MAX_BYTES, MAX_CELL_LINES, notebookViolations } from "./notebook_rules.ts";

const ROOT = join(import.meta.dirname!, "..");

const names = (await Array.fromAsync(Deno.readDir(join(ROOT, "notebooks"))))
  .map(({ name }) => name).filter((name) => name.endsWith(".ipynb")).sort();

/**
 * Runs this Deno on `args` with `input` as standard input; resolves to whether it succeeded, and all that it
 * wrote.
 */
async function deno(args: string[], input = ""): Promise<{ ok: boolean; text: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  return { ok: success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/**
 * Type-checks modules as if they lay in notebooks/: out/ is as deep, so "../lib/mod.ts" means the same file.
 */
async function check(modules: Record<string, string>): Promise<{ ok: boolean; text: string }> {
  await Deno.mkdir(join(ROOT, "out"), { recursive: true });
  const paths: string[] = [];
  try {
    for (const [name, code] of Object.entries(modules)) {
      const path = join(ROOT, "out", `.cells-${crypto.randomUUID().slice(0, 8)}-${name}.ts`);
      paths.push(path);
      await Deno.writeTextFile(path, code);
    }
    return await deno(["check", "--frozen", ...paths]);
  } finally {
    for (const path of paths) await Deno.remove(path);
  }
}

/** Variables that a later, exploring reader uses are not unused. */
/**
 * Without rules for published packages: an import that a later exercise uses as a value looks like a type
 * here.
 */
const lint = (code: string) =>
  deno(["lint", "--rules-exclude=no-unused-vars,verbatim-module-syntax", "-"], code);

function notebookOf(...cells: Record<string, unknown>[]): Notebook {
  const whole = cells.map((cell, i) => ({
    cell_type: "code",
    id: `c${i}`,
    metadata: {},
    execution_count: i + 1,
    outputs: [],
    source: "1",
    ...cell,
  }));
  return parseNotebook(
    JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells: whole }),
    "made up",
  );
}

Deno.test("notebookViolations() reports each thing that a committed notebook must not be", () => {
  const picture = { output_type: "display_data", data: { "image/png": "iVBORw0KGgo=" }, metadata: {} };
  const good = notebookOf({ outputs: [picture] }, { source: "x\n".repeat(MAX_CELL_LINES) });
  assertEquals(notebookViolations(good, MAX_BYTES - 1, true), []);

  const one = (notebook: Notebook, expected: string, bytes = 1000, hasFigure = false) => {
    const violations = notebookViolations(notebook, bytes, hasFigure);
    assertEquals(violations.length, 1, violations.join("; "));
    assertStringIncludes(violations[0], expected);
  };
  one(notebookOf({ source: "x\n".repeat(MAX_CELL_LINES + 1) }), "cell 1 has 15 lines");
  one(notebookOf({ source: " " }), "cell 1 is empty");
  one(notebookOf({}, { execution_count: null }), "cell 2 is not executed");
  one(notebookOf({ execution_count: 2 }, { execution_count: 1 }), "execution counts are 2,1");
  one(notebookOf({ execution_count: 5 }), "execution counts are 5");
  one(
    notebookOf({ outputs: [{ output_type: "error", ename: "TypeError", evalue: "", traceback: [] }] }),
    "cell 1 shows the error TypeError",
  );
  one(notebookOf({}), "no output holds an image/png", 1000, true);
  one(good, "the file has 300000 bytes", MAX_BYTES);
});

Deno.test("cellsAsModule() joins code cells and numbers them as the notebook does", () => {
  const notebook = notebookOf({ source: "const a = 1;" }, { source: "a" });
  notebook.cells.splice(1, 0, { cell_type: "markdown", id: "m", metadata: {}, source: "# Text" });
  assertEquals(cellsAsModule(notebook), "// cell 1\nconst a = 1;\n// cell 3\na\nexport {};\n");
});

Deno.test("the check and the lint of cells can fail", async () => {
  const wrongType = await check({ bad: "const a: number = 'text';\na;\nexport {};\n" });
  assert(!wrongType.ok);
  assertStringIncludes(wrongType.text, "TS2322");
  const bad = await lint("var a = 1;\na;\nexport {};\n");
  assert(!bad.ok);
  assertStringIncludes(bad.text, "no-var");
  const good = await lint("const a = 1;\nexport {};\n");
  assert(good.ok, good.text);
});

Deno.test("there are notebooks to check", () => {
  assertGreater(names.filter((name) => name.startsWith("fig")).length, 4);
  assert(names.includes("00_start_here.ipynb"));
});

Deno.test("all notebooks' cells type-check", async () => {
  const modules: Record<string, string> = {};
  for (const name of names) {
    modules[name.replace(".ipynb", "")] = cellsAsModule(await readNotebook(join(ROOT, "notebooks", name)));
  }
  const { ok, text } = await check(modules);
  assert(ok, text);
});

for (const name of names) {
  const path = join(ROOT, "notebooks", name);
  Deno.test(`${name} is executed, small, without errors, with short cells and its figure`, async () => {
    const { size } = await Deno.stat(path);
    assertEquals(notebookViolations(await readNotebook(path), size, name.startsWith("fig")), []);
  });
  Deno.test(`${name}: its cells are formatted`, async () => {
    // `deno fmt --check` of 2.9.6 refuses every notebook that names its kernel, also one that `deno fmt`
    // leaves as it is.
    const module = cellsAsModule(await readNotebook(path));
    const { text } = await deno(["fmt", "--ext=ts", "-"], module);
    assertEquals(module, text);
  });
  Deno.test(`${name}: its cells lint`, async () => {
    const { ok, text } = await lint(cellsAsModule(await readNotebook(path)));
    assert(ok, text);
  });
}
