// All notebooks run again, through the real kernel: the rows that they write are those that are committed,
// and each exercise's checker says "right" to the folded solution.
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { atOnce } from "../lib/cli/at_once.ts";
import { runFigures, selectNotebooks } from "../lib/cli/figures.ts";
import { executeNotebook } from "../lib/jupyter/execute.ts";
import { type Notebook, readNotebook } from "../lib/jupyter/notebook.ts";
import { exercisesOf, shownBy, solvedToo } from "./exercises.ts";
import { differences } from "./row_differences.ts";

const ROOT = join(import.meta.dirname!, "..");
const EXPECTED = join(ROOT, "data", "expected", "rows");
const NOTEBOOKS = join(ROOT, "notebooks");

/** No cell needs a tenth of this; it keeps a hanging cell from hanging CI. */
const CELL_TIMEOUT_MS = 600_000;

async function jsonFiles(directory: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return entries.map(({ name }) => name).filter((name) => name.endsWith(".json")).sort();
}

Deno.test("differences() finds none within the tolerance, absolute for small numbers, relative for large", () => {
  assertEquals(
    differences({ rows: [{ node: "L0H2", x: 0.5 }] }, { rows: [{ node: "L0H2", x: 0.5019 }] }, "f"),
    [],
  );
  assertEquals(differences([1000], [1001.9], "f"), []);
  assertEquals(differences([1, "a", null, true], [1, "a", null, true], "f"), []);
});

Deno.test("differences() says which row and key differ, and how", () => {
  const rows = [{ node: "L0H2", run: "clean", median: 1, n: 3 }, {
    node: "L2H2",
    run: "clean",
    median: -0.9,
    n: 3,
  }];
  const changed = structuredClone(rows);
  changed[1].median = -0.897;
  assertEquals(differences(changed, rows, "fig2.json"), [
    `fig2.json[1] {node: "L2H2", run: "clean"} median: got -0.897, expected -0.9 ± 0.002`,
  ]);
  assertEquals(differences([1005], [1000], "f"), ["f[0]: got 1005, expected 1000 ± 2"]);
  assertEquals(differences(rows.slice(1), rows, "f"), ["f: got 1 entries, expected 2"]);
  assertEquals(differences({ a: 1 }, { a: 1, b: 2 }, "f"), ["f b: missing, expected 2"]);
  assertEquals(differences({ a: 1, c: "x" }, { a: 1 }, "f"), [`f c: got "x", which is not expected`]);
  assertEquals(differences(["a"], ["b"], "f"), [`f[0]: got "a", expected "b"`]);
  assertEquals(differences([null], [0], "f"), ["f[0]: got null, expected 0"]);
  assertEquals(differences({}, [], "f"), ["f: got {}, expected []"]);
});

/** Has every answer, for who teaches. Columns are as wide as a formatter likes: one space will do. */
const GUIDE = (await Deno.readTextFile(join(NOTEBOOKS, "README.md"))).replace(/ +/g, " ");

/** The notebooks of a workshop. */
const IN_GUIDE = /^(00_|fig|check_)/;

/** What takes longest goes first, so that no notebook is left over at the end. */
const SLOW = [
  ...["findings", "reuse", "fig7_resampling", "role", "check_your_model", "fig3_patched"],
  "fig1_residual_stream",
];

/** Runs a notebook and solves each exercise as it comes. What its figures save goes to `outDir`. */
async function solved(name: string, outDir: string): Promise<Notebook> {
  const runtimeDir = await Deno.makeTempDir();
  try {
    return await executeNotebook(solvedToo(await readNotebook(join(NOTEBOOKS, `${name}.ipynb`))), {
      name,
      cwd: NOTEBOOKS,
      runtimeDir,
      env: { CLEANUP_LENS_OUT: outDir, NO_COLOR: "1" },
      timeoutMs: CELL_TIMEOUT_MS,
    });
  } finally {
    await Deno.remove(runtimeDir, { recursive: true });
  }
}

/** Resolves to the executed notebooks, or to why one failed. */
async function runThreeAtATime(
  names: readonly string[],
  outDir: string,
): Promise<Map<string, Notebook | Error>> {
  const done = new Map<string, Notebook | Error>();
  await atOnce([...SLOW, ...names.filter((name) => !SLOW.includes(name))], 3, async (name) => {
    done.set(name, await solved(name, outDir).catch((error: Error) => error));
  });
  return done;
}

Deno.test("every notebook runs through the kernel again: the rows are those committed, the solutions are right", async (t) => {
  const outDir = await Deno.makeTempDir();
  try {
    const names = await selectNotebooks(NOTEBOOKS, "all");
    const committed = (await Array.fromAsync(Deno.readDir(NOTEBOOKS))).map(({ name }) => name);
    assertEquals(names.length, committed.filter((name) => name.endsWith(".ipynb")).length);
    assertEquals(SLOW.filter((name) => !names.includes(name)), []);
    const executed = await runThreeAtATime(names, outDir);
    for (const name of names) {
      await t.step(name, () => {
        const notebook = executed.get(name)!;
        if (notebook instanceof Error) throw notebook;
        const answers: string[] = [];
        for (const k of exercisesOf(notebook)) {
          assertStringIncludes(shownBy(notebook, `check-${k}`), `Exercise ${k}: not attempted.`);
          const text = shownBy(notebook, `judged-${k}`), right = `Exercise ${k}: right`;
          assert(text.startsWith(right), text);
          answers.push(`| ${name} | ${k} | ${text.slice(`${right}, `.length, -1)} |`);
        }
        if (!IN_GUIDE.test(name)) return;
        assertEquals(answers.filter((row) => !GUIDE.includes(row)), [], "answers that the guide lacks");
      });
    }
    const expected = await jsonFiles(EXPECTED);
    assertGreater(expected.length, 4);
    assertEquals(await jsonFiles(outDir), expected);
    const found: string[] = [];
    for (const name of expected) {
      const [actual, committed] = await Promise.all(
        [join(outDir, name), join(EXPECTED, name)].map(async (path) =>
          JSON.parse(await Deno.readTextFile(path))
        ),
      );
      found.push(...differences(actual, committed, name));
    }
    assertEquals(found, []);
  } finally {
    await Deno.remove(outDir, { recursive: true });
  }
});

Deno.test("deno task figures runs a notebook of the project, and leaves it, its figures and rows in a folder", async () => {
  const outDir = await Deno.makeTempDir(), progress = { write: () => {}, isTerminal: false, columns: 80 };
  try {
    const names = await runFigures({ notebooksDir: NOTEBOOKS, outDir, names: ["fig10"], progress });
    assertEquals(names, ["fig10_single_prompts"]);
    const files = (await Array.fromAsync(Deno.readDir(outDir))).map(({ name }) => name);
    for (const name of ["fig10_single_prompts.ipynb", "fig10.json", "index.html"]) {
      assert(files.includes(name), `${name} is not among ${files}`);
    }
  } finally {
    await Deno.remove(outDir, { recursive: true });
  }
});
