/** Figures 1 and 3, retention: what is on them, and what they refuse. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { RetentionRow } from "../../lib/experiments/rows.ts";
import { fig1 } from "../../lib/figures/fig1.ts";
import { fig1Retention, fig3c } from "../../lib/figures/retention_plot.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { locationRows } from "./made_up_rows.ts";
import { assertSound } from "./svg_checks.ts";

function rows(writer: string, runs: RetentionRow["run"][] = ["writer", "control"]): RetentionRow[] {
  return runs.flatMap((run) =>
    ["resid_mid1", "resid_post1", "resid_mid2", "resid_post2"].map((location, i): RetentionRow => {
      const median = 1 - (run === "writer" ? 0.3 : 0.1) * i;
      return {
        writer,
        location,
        run,
        median,
        low: median - 0.1 * i,
        high: median + 0.1 * i,
        ratio: median,
        n: 5100,
      };
    })
  );
}

Deno.test("fig1Retention() draws every head, the writer and its rotated output with bands", () => {
  const heads = ["L1H0", "L1H1", "L1H3"].flatMap((name) => rows(name, ["writer"]));
  const drawing = assertSound(toSvg(fig1Retention([...rows("L1H2"), ...heads], { writer: "L1H2" })));
  assertEquals([drawing.count("line"), drawing.count("area")], [5, 2]);
  for (const name of ["L1H0", "L1H1", "L1H2", "L1H3", "rotated"]) {
    assert(drawing.texts.some((box) => box.text === name), name);
  }
  assertStringIncludes(drawing.words, "5,100 positions, position 0 left out");
  const alone = assertSound(toSvg(fig1Retention(rows("L1H2", ["writer"]), { writer: "L1H2" })));
  assert(!alone.words.includes("rotated (any such vector)") && !alone.words.includes("the other heads"));
  assertThrows(() => fig1Retention(rows("L1H2"), { writer: "L9H9" }), Error, `no rows for the writer "L9H9"`);
});

Deno.test("fig3c() draws the whole model and the patched layers, each beside the rotated output", () => {
  const drawing = assertSound(toSvg(fig3c(rows("L1H2"), rows("L1H2"), { writer: "L1H2", layers: [2, 3] })));
  assertEquals([drawing.count("line"), drawing.count("area")], [4, 4]);
  assertStringIncludes(drawing.words, "Through the values of layers 2, 3 alone");
  assertThrows(() => fig3c(rows("L1H2"), [], { writer: "L1H2", layers: [2] }), Error, "got no rows");
});

Deno.test("fig1() cuts off lines that would flatten the writer's, and names them; small ones it leaves", () => {
  const made = locationRows(["L0H0", "L0H1", "L0H2"]);
  const far = made.map((row) => row.writer === "L0H1" ? { ...row, median: -9.5, low: -10, high: -9 } : row);
  const drawing = assertSound(toSvg(fig1(far, { writer: "L0H2" })));
  assertStringIncludes(drawing.words, "Cut off: L0H1 (to −9.5).");
  assert(!assertSound(toSvg(fig1(made, { writer: "L0H2" }))).words.includes("Cut off"));
});
