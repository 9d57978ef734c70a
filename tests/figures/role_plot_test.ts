/** The figure on a node's role: what is on it. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RoleResult } from "../../lib/experiments/role/role.ts";
import type { Estimate } from "../../lib/experiments/rows.ts";
import { rolePlot } from "../../lib/figures/role_plot.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { assertSound } from "./svg_checks.ts";

const about = (value: number): Estimate => ({ value, interval: [0.8 * value, 1.3 * value] });
const BINS = Array.from({ length: 8 }, (_, i) => [1 + 32 * i, 32 + 32 * i]);
const CLASSES = ["white space", "digit", "beginning of a word", "part of a word", "symbols"];

/** Made-up numbers of realistic size. */
const made: RoleResult = {
  writer: "L0H2",
  vocabulary: [],
  chance: [],
  attention: BINS.flatMap(([from, to], i) =>
    (["first", "own", "previous", "others"] as const).map((target, t) => ({
      from,
      to,
      target,
      weight: about([0.9 - 0.08 * i, 0.01, 0.02, 0.07 + 0.08 * i][t]),
      uniform: 2 / (from + to),
    }))
  ),
  variance: (["position", "token", "previous", "prompt", "all"] as const).map((factor, i) => ({
    factor,
    alone: about(0.9 / (i + 1)),
    last: about(0.6 / (i + 1)),
    shuffledAlone: 0.1,
    shuffledLast: 0.02,
  })),
  edges: Array.from({ length: 8 }, (_, h) =>
    (["Q", "K", "V"] as const).map((input) => ({
      reader: `L2H${h}`,
      input,
      layer: 2,
      loss: about(0.001 * (h + 1)),
      control: about(0.0005),
      more: about(0.0005 * h),
    }))).flat(),
  without: [
    ...BINS.map(([from, to]) => ["position", `${from}–${to}`] as const),
    ...CLASSES.map((c) => ["class", c] as const),
  ]
    .flatMap(([by, group], i) =>
      (["removed", "resampled", "rotated"] as const).map((run) => ({
        by,
        group,
        run,
        loss: about(0.02 * (i + 1)),
        n: 9,
      }))
    ),
  assumptions: {},
};

Deno.test("rolePlot() draws attention, variance, edges and losses, each with its control", () => {
  const drawing = assertSound(toSvg(rolePlot(made)));
  assertEquals([drawing.count("line"), drawing.count("area")], [5, 4]);
  assertEquals(drawing.count("dot"), 5 * 8 + 2 * 5 + 2 * 14 + 3 * (8 + 5));
  for (
    const word of [
      "the 14 largest of 24 edges",
      "K of L2H7",
      "position 0",
      "uniform",
      "symbols",
      "token before",
    ]
  ) {
    assertStringIncludes(drawing.words, word);
  }
  assert(!drawing.words.includes("K of L2H0"), "the smallest edges are left out");
});

Deno.test("rolePlot() of an MLP, without edges and without loss, draws what there is", () => {
  const drawing = assertSound(toSvg(rolePlot({ ...made, attention: [], edges: [], without: [] })));
  assertEquals([drawing.count("line"), drawing.count("dot")], [0, 10]);
  assert(!drawing.words.includes("path patching"));
});
