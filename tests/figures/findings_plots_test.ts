// The figures of the account of what was found: what is drawn, and that nothing is cut off or overlaps.
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Claim } from "../../lib/experiments/findings/claim.ts";
import type { Estimate } from "../../lib/experiments/rows.ts";
import { claimsPlot, erasurePlot } from "../../lib/figures/findings_plots.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { assertSound } from "./svg_checks.ts";

const at = (value: number): Estimate => ({ value, interval: [value - 0.05, value + 0.05] });
const writer = (name: string, left: number, found: boolean) => ({
  writer: name,
  left: at(left),
  control: at(0.6),
  specific: at(0.6 - left),
  found,
  cleaners: [],
});
const node = (name: string, kind: "head" | "mlp", left: number) => ({ node: name, kind, left, control: 0.6 });

Deno.test("erasurePlot(): every node once, examined ones larger; what lies outside is counted", () => {
  const findings = {
    nodes: [
      node("L0H0", "head", 0.5),
      node("L0H1", "head", 0.1),
      node("MLP0", "mlp", 0.9),
      node("MLP1", "mlp", 7),
    ],
    count: 5,
    threshold: 0.15,
    writers: [
      writer("L0H1", 0.10, true),
      writer("L1H1", 0.11, true),
      writer("L1H2", 0.12, true),
      writer("L1H3", 0.5, false),
    ],
  };
  const drawing = assertSound(toSvg(erasurePlot([{ label: "one", findings }, { label: "two", findings }])));
  assertEquals(drawing.count("dot"), 2 * (1 + 1 + 4));
  for (const text of ["L0H1", "L1H1", "L1H2", "one: 3 of 5 nodes drawn."]) {
    assertStringIncludes(drawing.words, text);
  }
});

Deno.test("claimsPlot(): a panel for what is asked, with the number, its control and what that is", () => {
  const claim = (asked: string, node: string): Claim => ({
    question: "reuse",
    model: "a-model",
    node,
    asked,
    own: at(0.5),
    control: at(0.3),
    controlName: "rotated",
    unit: "share",
    verdict: "more",
    sentence: "",
    refutedIf: "",
  });
  const claims = [claim("erasing helps", "L1H0"), claim("erasing helps", "L1H1"), claim("is needed", "all")];
  const drawing = assertSound(toSvg(claimsPlot(claims)));
  assertEquals(drawing.count("dot"), 2 * 3);
  for (const text of ["a · erasing helps", "b · is needed", "control: rotated"]) {
    assertStringIncludes(drawing.words, text);
  }
});
