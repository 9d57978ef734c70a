// What counts as found, missed and false.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { score, wilson } from "./score.ts";
import type { Truth } from "./truth.ts";

const truth: Truth = {
  writers: ["a"],
  cleaners: { a: ["x", "y"] },
  along: ["b"],
  route: "values",
  left: 0,
  specific: 1,
};

Deno.test("score(): all right, with a node that passes the writer's output on", () => {
  const verdict = {
    writers: ["a", "b"],
    cleaners: { a: ["y", "x"], b: ["z"] },
    route: { a: "values", b: "norm" },
  } as const;
  assertEquals(score(truth, verdict), {
    found: true,
    cleaners: true,
    route: true,
    missed: 0,
    otherCleaners: 0,
    otherWriters: [],
  });
});

Deno.test("score(): another cleaner, a missed one, another route, another writer; a writer that is missed", () => {
  const verdict = {
    writers: ["a", "c"],
    cleaners: { a: ["x", "z"], c: [] },
    route: { a: "norm", c: "norm" },
  } as const;
  assertEquals(score(truth, verdict), {
    found: true,
    cleaners: false,
    route: false,
    missed: 1,
    otherCleaners: 1,
    otherWriters: ["c"],
  });
  const { found, cleaners, route, missed } = score(truth, { writers: [], cleaners: {}, route: {} });
  assertEquals([found, cleaners, route, missed], [false, false, false, 0]);
});

Deno.test("wilson() gives the intervals of SciPy's binomtest", () => {
  for (
    const [k, n, low, high] of [[0, 100, 0, 0.0369935], [100, 100, 0.9630065, 1], [
      8,
      10,
      0.4901625,
      0.9433178,
    ]]
  ) {
    assertAlmostEquals(wilson(k, n)[0], low, 1e-6);
    assertAlmostEquals(wilson(k, n)[1], high, 1e-6);
  }
});
