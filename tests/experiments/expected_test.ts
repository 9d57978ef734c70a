import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  compare,
  type Expected,
  expectedRows,
  loadExpected,
  parseExpected,
  summary,
  worst,
} from "../../lib/experiments/expected.ts";

const made = () => ({
  model: "made up",
  computation: { by: "hand" },
  figures: {
    fig1: {
      source: "by hand",
      tolerance: { absolute: 0.1, relative: 0.01, reason: "made up" },
      keys: ["writer", "location"],
      rows: [
        { writer: "L0H0", location: "a", median: 1, low: 0, high: 2, wideLow: -1, n: 10 },
        { writer: "L0H0", location: "b", median: -20, n: 10 },
      ],
    },
  },
});
const expected: Expected = parseExpected(made(), "made up");

Deno.test("compare() gives one comparison a number, absolute and relative tolerance added, n exactly", () => {
  const rows = [
    { writer: "L0H0", location: "a", median: 1.1, low: 0.2, high: 2, n: 11 },
    { writer: "L0H0", location: "b", median: -20.29, low: 5, high: 5, n: 10 },
  ];
  const found = compare("fig1", rows, expected);
  assertEquals(found.map(({ what, field, verdict }) => `${what} ${field}: ${verdict}`), [
    "L0H0 a median: agrees", // 0.1 ≤ 0.1 + 0.01
    "L0H0 a low: differs", // 0.2 > 0.1
    "L0H0 a high: agrees",
    "L0H0 a n: differs",
    "L0H0 b median: agrees", // 0.29 ≤ 0.1 + 0.2
    "L0H0 b n: agrees",
  ]);
  assertEquals(found[1].expected, 0);
  assertEquals(found[1].difference, 0.2);
});

Deno.test("compare() calls missing what was not measured, and NaN", () => {
  const found = compare("fig1", [{ writer: "L0H0", location: "a", median: NaN }], expected);
  assertEquals(found.map(({ verdict }) => verdict), ["missing", "missing"]);
});

Deno.test("compare() takes low and high for the quantiles that they are", () => {
  const rows = [{ writer: "L0H0", location: "a", low: -1, high: 9 }];
  const wide = compare("fig1", rows, expected, { quantiles: [0.125, 0.875] });
  assertEquals(wide.map(({ field, verdict }) => [field, verdict]), [["wideLow", "agrees"]]);
  assertEquals(compare("fig1", rows, expected, { quantiles: [0.1, 0.9] }), []);
});

Deno.test("compare() of a figure that is not there suggests the nearest", () => {
  assertThrows(() => compare("fig2", [], expected), Error, 'Did you mean "fig1"?');
});

Deno.test("worst() puts what was not measured first, then the largest difference in tolerances", () => {
  const rows = [{ writer: "L0H0", location: "a", median: 1.05, low: 0.5, high: 2, n: 10 }];
  const order = worst(compare("fig1", rows, expected)).map(({ what, field }) => `${what} ${field}`);
  assertEquals(order.slice(0, 4).sort().slice(2), ["L0H0 b median", "L0H0 b n"]);
  assertEquals(order.slice(2, 4), ["L0H0 a low", "L0H0 a median"]);
  assertEquals(worst(compare("fig1", rows, expected), 1).length, 1);
});

Deno.test("summary() counts what agrees, what differs and what is missing, and hides nothing", () => {
  const rows = [{ writer: "L0H0", location: "a", median: 3, low: 0, high: 2, n: 10 }];
  const text = summary("fig1", compare("fig1", rows, expected), expected);
  assertStringIncludes(
    text,
    "3 of 6 values agree within 0.1 + 0.01 of the value; 1 DIFFER; 2 were not measured.",
  );
  assertStringIncludes(text, "by hand");
});

Deno.test("a model without expected values has nothing to compare with, and says so", async () => {
  for (const name of ["some/folder", "no-such-model"]) {
    const none = await loadExpected(name);
    const found = compare("fig1", [{ writer: "L0H0" }], none);
    assertEquals(found, []);
    assertStringIncludes(summary("fig1", found, none), "Nothing to compare with");
    assertEquals(expectedRows(none, "fig1"), []);
  }
});

Deno.test("parseExpected() refuses what is not as expected, by figure and row", () => {
  const cases: [(json: ReturnType<typeof made>) => void, string][] = [
    [(json) => json.figures.fig1.tolerance.absolute = -1, `fig1: "tolerance" must have`],
    [
      (json) => json.figures.fig1.tolerance.reason = undefined as unknown as string,
      `fig1: "tolerance" must have`,
    ],
    [(json) => json.figures.fig1.rows = [], `fig1: expected "keys" and at least one`],
    [
      (json) => delete (json.figures.fig1.rows[1] as Record<string, unknown>).location,
      `fig1: row 1 has no "location"`,
    ],
    [(json) => json.figures.fig1.rows[0].median = "1" as unknown as number, `fig1: row 0 has "median" "1"`],
    [(json) => json.model = undefined as unknown as string, `"model" and "computation.by"`],
    [
      (json) => json.figures = undefined as unknown as ReturnType<typeof made>["figures"],
      `"figures" must be`,
    ],
  ];
  for (const [change, message] of cases) {
    const json = made();
    change(json);
    assertThrows(() => parseExpected(json, "x.json"), Error, `x.json: ${message}`);
  }
});

Deno.test("loadExpected() of a file that is not there is an error, not an empty set", async () => {
  await assertRejects(() => loadExpected("/no/such/file.json"), Error, "/no/such/file.json");
});

for (const model of ["tiny-gelu-4l", "gelu-4l"]) {
  Deno.test(`data/expected/${model}.json is well formed, and has Figures 1 to 5`, async () => {
    const { figures } = await loadExpected(model);
    for (const figure of ["fig1", "fig2", "fig3a", "fig3b", "fig4", "fig5", "fig5, repository form"]) {
      assertGreater(figures[figure]?.rows.length ?? 0, 0, figure);
    }
    for (const [name, { keys, rows, tolerance }] of Object.entries(figures)) {
      const ids = new Set(rows.map((row) => keys.map((key) => row[key]).join(" ")));
      assertEquals(ids.size, rows.length, `${name} names a row twice`);
      // ranks are counted in places of a sorted list of tokens, everything else in ratios, logits or nats
      const most = rows.every((row) => "rank" in row) ? [3, 0.2] : [0.2, 0.05];
      assert(tolerance.absolute <= most[0] && tolerance.relative <= most[1], name);
    }
  });
}

Deno.test("gelu-4l's published values: the numbers that the post's text names", async () => {
  const published = await loadExpected("gelu-4l");
  const [sum] = expectedRows(published, "fig2", { node: "L2H2+…+L2H7" });
  assertEquals(sum.median, -0.903);
  assertEquals(expectedRows(published, "fig5", { of: "total" })[0].r, -0.159);
  const [before] = expectedRows(published, "fig1", { writer: "L0H2", location: "resid_post1" });
  assertEquals(before.median, 1.0195);
});
