/** Figures 1 to 5: what is on them, and that nothing is cut, overlaps or is not a number. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fig1 } from "../../lib/figures/fig1.ts";
import { fig2 } from "../../lib/figures/fig2.ts";
import { fig3a, fig3b } from "../../lib/figures/fig3.ts";
import { fig4 } from "../../lib/figures/fig4.ts";
import { choose, fig5 } from "../../lib/figures/fig5.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { fitsOverPrompts } from "../../lib/experiments/composition_fits.ts";
import { locationNames, locationRows, nodeRows, pairRows, promptRows } from "./made_up_rows.ts";
import { assertSound } from "./svg_checks.ts";

const heads = Array.from({ length: 8 }, (_, h) => `L0H${h}`);

const fits = (rows: ReturnType<typeof pairRows>) => fitsOverPrompts(rows, "L0H2");

Deno.test("fig1() draws a line a writer, the writer twice, its band once, and names every line and location", () => {
  const drawing = assertSound(toSvg(fig1(locationRows(heads), { writer: "L0H2" })));
  assertEquals(drawing.count("line"), heads.length + 1);
  assertEquals(drawing.count("area"), 1);
  assertEquals(drawing.count("dot"), 2 * 9, "only the writer has dots, in both panels");
  for (const name of [...heads, ...locationNames(4)]) assertStringIncludes(drawing.words, name);
  assertStringIncludes(drawing.words, "projection ratio of resid onto L0H2 (median, 25–75 %)");
  assertStringIncludes(drawing.words, "Figure 1 · Residual stream projected onto each head’s output");
  assertStringIncludes(drawing.words, "307,200 positions");
});

Deno.test("fig1() names the writer and ten of 48 lines, and says so", () => {
  const writers = Array.from({ length: 48 }, (_, i) => `L${Math.floor(i / 12)}H${i % 12}`);
  const drawing = assertSound(toSvg(fig1(locationRows(writers, 12), { writer: "L0H2" })));
  assertEquals(drawing.count("line"), 49);
  assertEquals(writers.filter((name) => drawing.texts.some((box) => box.text === name)).length, 11);
  assertStringIncludes(drawing.words, "Named are L0H2 and the 10 lines that end highest and lowest.");
});

Deno.test("fig1() draws one writer, and one location", () => {
  assertSound(toSvg(fig1(locationRows(["L0H2"]), { writer: "L0H2" })));
  assertSound(
    toSvg(
      fig1(locationRows(["L0H2", "L0H3"]).filter((r) => r.location === "resid_mid0"), { writer: "L0H2" }),
    ),
  );
});

Deno.test("fig1() leaves a row without a finite value out and says which", () => {
  const rows = locationRows(heads);
  rows[4].median = NaN;
  const drawing = assertSound(toSvg(fig1(rows, { writer: "L0H2" })));
  assertStringIncludes(
    drawing.words,
    "1 of 72 rows has no finite value and is not drawn (resid_post1 onto L0H0).",
  );
});

Deno.test("figures refuse rows that they cannot draw, and say what is wrong", () => {
  assertThrows(() => fig1([], { writer: "L0H2" }), Error, "Drawing Figure 1 failed: got no rows");
  assertThrows(() => fig2([]), Error, "Drawing Figure 2 failed: got no rows");
  assertThrows(() => fig3a([]), Error, "Drawing Figure 3a failed: got no rows");
  assertThrows(() => fig3b([]), Error, "Drawing Figure 3b failed: got no rows");
  assertThrows(() => fig4([]), Error, "Drawing Figure 4 failed: got no rows");
  assertThrows(() => fig5([], fits(pairRows(3000))), Error, "Drawing Figure 5 failed: got no rows");
  assertThrows(() => fig5(pairRows(3000), [], {}), Error, 'got no fit of "composition"');
  assertThrows(() => fig1(locationRows(heads), { writer: "L9H9" }), Error, `no rows for the writer "L9H9"`);
  const empty = locationRows(heads).map((row) => ({ ...row, median: NaN }));
  assertThrows(() => fig1(empty, { writer: "L0H2" }), Error, "none of 72 rows has finite median, low, high");
  const two = [...nodeRows(), ...nodeRows().map((row) => ({ ...row, writer: "L0H5" }))];
  assertThrows(() => fig2(two), Error, "shows one writer, but the rows name L0H2, L0H5");
  assertThrows(() => fig4([...promptRows("a"), ...promptRows("b")]), Error, "panels a and b");
});

Deno.test("fig2() draws every node with its error bar, its number, the layers and the sum", () => {
  const rows = nodeRows();
  const drawing = assertSound(toSvg(fig2(rows)));
  assertEquals(drawing.count("dot"), rows.length);
  for (const row of rows) {
    assert(drawing.texts.some((box) => box.text === row.node), `${row.node} has no label`);
  }
  for (const label of ["input", "layer 0", "layer 3", "sum over", "−0.900", "other node"]) {
    assert(drawing.texts.some((box) => box.text === label), `"${label}" is missing`);
  }
  const bars = drawing.marks("rule").filter((mark) => mark.getAttribute("stroke-width") === "1.4");
  const lines = bars.reduce((sum, mark) => sum + mark.children.length, 0);
  assertEquals(lines, 3 * rows.length, "a bar and two caps for each row");
});

Deno.test("fig2() draws the nodes at their medians, in the order of the rows", () => {
  const rows = nodeRows();
  const drawing = assertSound(toSvg(fig2(rows)));
  const dots = drawing.marks("dot").flatMap((mark) => [...mark.children]).map((dot) =>
    dot.getAttribute("transform")!.match(/-?[\d.]+/g)!.map(Number)
  );
  const order = [...rows].sort((a, b) => a.median - b.median).map((row) => rows.indexOf(row));
  for (let i = 1; i < order.length; i++) {
    assert(dots[order[i - 1]][0] <= dots[order[i]][0], "x grows with the median");
  }
  for (let i = 1; i < dots.length; i++) {
    assert(dots[i - 1][1] < dots[i][1], "y follows the order of the rows");
  }
});

Deno.test("fig2() draws 157 nodes, one node, and no sum", () => {
  assertSound(toSvg(fig2(nodeRows(12, 12))));
  const drawing = assertSound(toSvg(fig2(nodeRows().filter((row) => row.node === "L1H0"))));
  assert(!drawing.words.includes("sum over the cleaners"));
});

Deno.test("fig3a() draws both runs with bands, dashes and a legend", () => {
  const rows = [...locationRows(["L0H2"]), ...locationRows(["L0H2"], 4, "patched", 9)];
  const drawing = assertSound(toSvg(fig3a(rows)));
  assertEquals(drawing.count("line"), 2);
  assertEquals(drawing.count("area"), 2);
  const dashes = drawing.marks("line").map((mark) => mark.getAttribute("stroke-dasharray"));
  assertEquals(dashes, [null, "6,4"], "the patched run is dashed");
  assertEquals(drawing.marks("legend entry").length, 2);
  assertStringIncludes(drawing.words, "patched run");
});

Deno.test("fig3b() draws clean and patched side by side and marks the cleaners", () => {
  const rows = [...nodeRows(), ...nodeRows(4, 8, "patched", 8)].filter((row) =>
    row.layer === 2 && row.kind === "head"
  );
  const drawing = assertSound(toSvg(fig3b(rows)));
  assertEquals(drawing.count("dot"), 16);
  assertEquals(drawing.texts.filter((box) => /^L2H\d\*$/.test(box.text)).length, 6);
  assertEquals(drawing.texts.filter((box) => /^L2H\d$/.test(box.text)).length, 2);
});

Deno.test("fig3b() draws one run of 48 heads", () => {
  assertSound(toSvg(fig3b(nodeRows(6, 8).filter((row) => row.kind === "head"))));
});

Deno.test("fig4() draws each prompt with its answers, samples, bar and clean value, white space as symbols", () => {
  for (const panel of ["a", "b"] as const) {
    const rows = promptRows(panel);
    const drawing = assertSound(toSvg(fig4(rows)));
    assertEquals(
      drawing.count("dot"),
      rows.reduce((sum, row) => sum + row.samples.length, 0) + 2 * rows.length,
    );
    assertStringIncludes(drawing.words, "“␣west” over “␣east” by 1.00");
    assertStringIncludes(drawing.words, "class Ship:⏎⇥def");
    assertStringIncludes(drawing.words, "⏎ line break, ⇥ tab, ␣ space.");
    assertStringIncludes(drawing.words, "DLA of the logit difference (logits)");
    for (const lead of ["1.33", "1.67", "2.00"]) assertStringIncludes(drawing.words, `by ${lead}`);
    assertEquals(drawing.words.includes("L3H2"), panel === "b");
  }
});

Deno.test("fig4() draws both panels on one axis, and says so", () => {
  const rows = [...promptRows("a"), ...promptRows("b")];
  const ticks = (panel: "a" | "b") => {
    const drawing = assertSound(toSvg(fig4(rows, { panel })));
    assertStringIncludes(drawing.words, "Panels a and b have the same axis.");
    assertEquals(drawing.words.includes("L3H2"), panel === "b");
    assertEquals(drawing.words.includes("the head with the highest DLA besides the writer"), panel === "b");
    return drawing.texts.map((box) => box.text).filter((text) => /^−?\d\.\d$/.test(text));
  };
  assertEquals(ticks("a"), ticks("b"));
  assert(!toSvg(fig4(promptRows("a"))).includes("same axis"));
  assertThrows(() => fig4(promptRows("a"), { panel: "b" }), Error, "got rows of the panels a");
});

Deno.test("fig4() shows the end of a very long prompt, breaks long words, and draws without samples", () => {
  const rows = promptRows("a", 0);
  rows[0].prompt = "All work and no play makes Jack a dull boy. ".repeat(40) + "The end of the";
  rows[1].prompt = "x".repeat(500);
  rows[2].prompt = "日本語 \u0007 العربية";
  rows[3].correct = " " + "supercalifragilisticexpialidocious".repeat(3);
  const drawing = assertSound(toSvg(fig4(rows)));
  assertStringIncludes(drawing.words, "The end of the”");
  assertStringIncludes(drawing.words, "“…");
  assertStringIncludes(drawing.words, "□ a character that the font lacks");
  assert(drawing.height < 700, `rows stay of a sane height, got ${drawing.height} in all`);
});

Deno.test("fig5() draws a choice of the pairs, both fits, and their numbers with intervals", () => {
  const rows = pairRows(5000);
  const fit = fits(rows);
  const drawing = assertSound(toSvg(fig5(rows, fit, { writer: "L0H2" })));
  assertEquals(drawing.count("dot"), 2 * 3000);
  assertStringIncludes(drawing.words, "Drawn are 3,000 pairs chosen at random (seed 1).");
  assertStringIncludes(drawing.words, "the 4,995 pairs that are not at position 0");
  const minus = (x: number) => x.toFixed(2).replace("-", "−");
  for (const { r, slope } of fit) {
    const text = (name: string, { value, interval }: typeof r) =>
      `${name} ${minus(value)} [${interval.map(minus).join(", ")}]`;
    assertStringIncludes(drawing.words, `${text("r", r)}, ${text("slope", slope)}`);
  }
  assertEquals(toSvg(fig5(rows, fit)), toSvg(fig5(rows, fit)), "the same rows give the same file");
});

Deno.test("fig5() with a baseline draws r and slope of every head, the writer's as a square", () => {
  const rows = pairRows(3000);
  const [own] = fits(rows);
  const baseline = Array.from({ length: 16 }, (_, i) => ({ ...own, node: `L${i >> 3}H${i % 8}` }));
  const drawing = assertSound(toSvg(fig5(rows, fits(rows), { baseline })));
  assertEquals(drawing.count("dot"), 2 * (3000 - 3) + 2 * 16, "the three pairs at position 0 are left out");
  assertStringIncludes(drawing.words, "c · r of every early head");
  assertStringIncludes(drawing.words, "square: L0H2");
});

Deno.test("fig5() draws all of few pairs", () => {
  const rows = pairRows(40).map((row, i) => ({ ...row, prompt: i % 4 }));
  const drawing = assertSound(toSvg(fig5(rows, fits(rows))));
  assertEquals(drawing.count("dot"), 78, "position 0 is left out");
  assert(!drawing.words.includes("chosen at random"));
});

Deno.test("choose() keeps order, repeats for a seed, and differs between seeds", () => {
  const rows = Array.from({ length: 100 }, (_, i) => i);
  const chosen = choose(rows, 10, 1);
  assertEquals(chosen.length, 10);
  assertEquals(chosen, [...chosen].sort((a, b) => a - b));
  assertEquals(chosen, choose(rows, 10, 1));
  assert(chosen.join() !== choose(rows, 10, 2).join());
  assertEquals(choose(rows, 100, 1), rows);
});
