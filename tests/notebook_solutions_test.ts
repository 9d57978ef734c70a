// The exercises: each notebook runs once more with the folded solutions written into the stub cells, and each
// checker says "right".
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { executeNotebook } from "../lib/jupyter/execute.ts";
import { type CodeCell, type Notebook, readNotebook } from "../lib/jupyter/notebook.ts";

const NOTEBOOKS = join(import.meta.dirname!, "..", "notebooks");

/** Has every answer, for who teaches. Columns are as wide as a formatter likes: one space will do. */
const GUIDE = (await Deno.readTextFile(join(NOTEBOOKS, "README.md"))).replace(/ +/g, " ");

/** The notebooks of a workshop. */
const IN_GUIDE = /^(00_|fig|check_)/;

const isCode = (cell: Notebook["cells"][number]): cell is CodeCell => cell.cell_type === "code";

/** The TypeScript block of the folded solution of exercise `k`. */
function solution(notebook: Notebook, k: string): string {
  const source = notebook.cells.find((cell) => cell.id === `solution-${k}`)?.source ?? "";
  const block = /<details><summary>Solution<\/summary>\s*```ts\n(.*?)```/s.exec(source)?.[1];
  assert(block, `exercise ${k} has no folded solution`);
  return block;
}

/** The notebook with the solutions in place of the stubs, and without the cells that draw. */
function solved(notebook: Notebook): { notebook: Notebook; exercises: string[] } {
  const exercises: string[] = [];
  const cells = notebook.cells.filter((cell) => !cell.id.startsWith("figure")).map((cell) => {
    const k = /^answer-(\w+)$/.exec(cell.id)?.[1];
    if (!isCode(cell) || k === undefined) return cell;
    exercises.push(k);
    return { ...cell, source: solution(notebook, k) };
  });
  return { notebook: { ...notebook, cells }, exercises };
}

/** What a checker cell showed. */
function verdict(notebook: Notebook, k: string): string {
  const cell = notebook.cells.find((cell) => cell.id === `check-${k}`);
  assert(cell && isCode(cell), `exercise ${k} has no checker`);
  return cell.outputs.map((output) => "data" in output ? String(output.data["text/plain"]) : "").join("");
}

const names = (await Array.fromAsync(Deno.readDir(NOTEBOOKS)))
  .map(({ name }) => name).filter((name) => name.endsWith(".ipynb")).sort();

for (const name of names) {
  const notebook = await readNotebook(join(NOTEBOOKS, name));
  const { notebook: withSolutions, exercises } = solved(notebook);
  if (exercises.length === 0) continue;

  Deno.test(`${name}: untouched exercises are "not attempted", and a hint comes before each solution`, () => {
    for (const k of exercises) {
      assert(verdict(notebook, k).startsWith(`Exercise ${k}: not attempted.`));
      const at = (id: string) => notebook.cells.findIndex((cell) => cell.id === `${id}-${k}`);
      assert(notebook.cells[at("exercise")].source.includes("<summary>Hint</summary>"));
      assert(at("exercise") < at("answer") && at("answer") < at("check") && at("check") < at("solution"));
    }
  });

  Deno.test(`${name}: its solutions are right`, async () => {
    const runtimeDir = await Deno.makeTempDir();
    try {
      const executed = await executeNotebook(withSolutions, { name, cwd: NOTEBOOKS, runtimeDir });
      for (const k of exercises) {
        const text = verdict(executed, k);
        assert(text.startsWith(`Exercise ${k}: right`), text);
        const said = text.slice(`Exercise ${k}: right, `.length, -1);
        if (IN_GUIDE.test(name)) {
          assertStringIncludes(GUIDE, `| ${name.slice(0, -".ipynb".length)} | ${k} | ${said} |`);
        }
      }
    } finally {
      await Deno.remove(runtimeDir, { recursive: true });
    }
  });
}

Deno.test("every notebook of a figure, and the first, has two exercises or more, counted from 1", async () => {
  let found = 0;
  for (const name of names.filter((name) => !name.startsWith("check_"))) {
    const { exercises } = solved(await readNotebook(join(NOTEBOOKS, name)));
    assertGreater(exercises.length, 1, name);
    assertEquals(exercises, exercises.map((_, i) => `${i + 1}`), name);
    found++;
  }
  assertGreater(found, 11);
});

Deno.test("exercises are graded, from easy to hard, in the text and for programs that read notebooks", async () => {
  const levels = ["easy", "medium", "hard"];
  for (const name of names.filter((name) => IN_GUIDE.test(name))) {
    const { cells } = await readNotebook(join(NOTEBOOKS, name));
    const find = (id: string) => cells.find((cell) => cell.id === id)!;
    let before = 0;
    for (const k of solved({ cells } as Notebook).exercises) {
      const { source, metadata } = find(`exercise-${k}`);
      const heading =
        /^### Exercise (\w+) · \S.*\n\n_(Easy|Medium|Hard), (\d+) minutes\. You learn [^_]+\._\n/.exec(
          source,
        );
      assert(heading, `${name}, exercise ${k}: no line with difficulty, minutes and what one learns`);
      const [, number, difficulty, minutes] = heading;
      assertEquals(number, k, name);
      assertEquals(metadata.tags, ["exercise-task"], name);
      assertEquals(metadata.cleanup_lens, {
        exercise: k,
        difficulty: difficulty.toLowerCase(),
        minutes: Number(minutes),
      }, name);
      const level = levels.indexOf(difficulty.toLowerCase());
      assert(level >= before, `${name}, exercise ${k} is easier than the one before`);
      before = level;
      for (const [part, tag] of [["answer", ""], ["check", "-check"], ["solution", "-solution"]]) {
        assertEquals(find(`${part}-${k}`).metadata.tags, [`exercise${tag}`], `${name}, ${part}-${k}`);
      }
    }
  }
});

Deno.test("every notebook ends with an open question and what it does not show", async () => {
  for (const name of names.filter((name) => IN_GUIDE.test(name))) {
    const { cells } = await readNotebook(join(NOTEBOOKS, name));
    assertEquals(cells.slice(-2).map(({ id }) => id), ["open-question", "limits"], name);
    assertEquals(cells.at(-2)!.metadata.tags, ["open-question"], name);
  }
});
