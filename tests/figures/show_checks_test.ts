// The check cell of a notebook: what it says besides the table.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Expected, showChecks } from "../../lib/mod.ts";

const expected: Expected = {
  model: "m",
  by: "hand",
  figures: {
    f: {
      source: "by hand",
      tolerance: { absolute: 0.1, relative: 0, reason: "a test" },
      keys: ["node"],
      rows: [{ node: "L0H0", mean: 1, n: 150 }],
    },
  },
};

/** What is printed, with the table, which is shown and not printed, left out. */
async function said(figure: string, rows: object[]): Promise<string> {
  const log = console.log, lines: unknown[] = [];
  console.log = (line) => void lines.push(line);
  try {
    await showChecks(figure, rows, expected);
  } finally {
    console.log = log;
  }
  return lines.filter((line) => typeof line === "string").join("\n");
}

Deno.test("showChecks(): over other prompts it says so; over the same, and of what is not known, it does not", async () => {
  const few = await said("f", [{ node: "L0H0", mean: 1.5, n: 60 }]);
  assertStringIncludes(
    few,
    "Expected is over n = 150, measured over n = 60: of other prompts other values are right.",
  );
  const all = await said("f", [{ node: "L0H0", mean: 1.05, n: 150 }]);
  assertStringIncludes(all, "2 of 2 values agree");
  assert(!all.includes("other prompts"), all);
  assert(!(await said("f", [{ node: "L0H0", mean: 1.5, n: 150 }])).includes("other prompts"));
  assertEquals(await said("g", []), "No values of g are known for m: nothing to compare with.");
});
