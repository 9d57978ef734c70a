// All notebooks run again, through the real kernel, and the rows that they write are those that are
// committed.
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";
import { runFigures } from "../lib/cli/figures.ts";
import { differences } from "./row_differences.ts";

const ROOT = join(import.meta.dirname!, "..");
const EXPECTED = join(ROOT, "data", "expected", "rows");

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

Deno.test("every notebook runs through the kernel again and gives the committed rows", async () => {
  const outDir = await Deno.makeTempDir();
  try {
    const notebooks = await runFigures({ notebooksDir: join(ROOT, "notebooks"), outDir });
    assertGreater(notebooks.length, 5);
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
