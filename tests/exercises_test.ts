// The exercises, as they are committed: hints, solutions, grades. notebooks_test.ts solves them.
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";
import { readNotebook } from "../lib/jupyter/notebook.ts";
import { exercisesOf, shownBy } from "./exercises.ts";

const NOTEBOOKS = join(import.meta.dirname!, "..", "notebooks");

/** The notebooks of a workshop. */
const GRADED = /^(00_|fig|check_|cleaners|reuse|role|findings)/;

const names = (await Array.fromAsync(Deno.readDir(NOTEBOOKS)))
  .map(({ name }) => name).filter((name) => name.endsWith(".ipynb")).sort();

Deno.test('untouched exercises are "not attempted", and a hint comes before each solution', async () => {
  for (const name of names) {
    const notebook = await readNotebook(join(NOTEBOOKS, name));
    for (const k of exercisesOf(notebook)) {
      const verdict = shownBy(notebook, `check-${k}`);
      assert(verdict.startsWith(`Exercise ${k}: not attempted.`), `${name}: ${verdict}`);
      const at = (id: string) => notebook.cells.findIndex((cell) => cell.id === `${id}-${k}`);
      assert(notebook.cells[at("exercise")].source.includes("<summary>Hint</summary>"), `${name}, ${k}`);
      assert(at("exercise") < at("answer") && at("answer") < at("check") && at("check") < at("solution"));
    }
  }
});

Deno.test("every notebook of a figure, and the first, has two exercises or more, counted from 1", async () => {
  let found = 0;
  for (const name of names.filter((name) => !name.startsWith("check_"))) {
    const exercises = exercisesOf(await readNotebook(join(NOTEBOOKS, name)));
    assertGreater(exercises.length, 1, name);
    assertEquals(exercises, exercises.map((_, i) => `${i + 1}`), name);
    found++;
  }
  assertGreater(found, 11);
});

Deno.test("exercises are graded, from easy to hard, in the text and for programs that read notebooks", async () => {
  const levels = ["easy", "medium", "hard"];
  for (const name of names.filter((name) => GRADED.test(name))) {
    const { cells } = await readNotebook(join(NOTEBOOKS, name));
    const find = (id: string) => cells.find((cell) => cell.id === id)!;
    let before = 0;
    for (const k of exercisesOf({ cells })) {
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
  for (const name of names.filter((name) => GRADED.test(name))) {
    const { cells } = await readNotebook(join(NOTEBOOKS, name));
    assertEquals(cells.slice(-2).map(({ id }) => id), ["open-question", "limits"], name);
    assertEquals(cells.at(-2)!.metadata.tags, ["open-question"], name);
  }
});
