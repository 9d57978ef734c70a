// The figures of cleaners in detail on made-up rows: legible for few and for many, and base models leave
// out panels.
import { assert, assertStringIncludes, assertThrows } from "@std/assert";
import type {
  DirectionRow,
  LensRow,
  NeuronRow,
  PartsRow,
  PositionsRow,
} from "../../lib/experiments/cleaners/rows.ts";
import type { Estimate } from "../../lib/experiments/rows.ts";
import {
  cleanerLens,
  cleanerParts,
  cleanerPositions,
  cleanerSuppression,
} from "../../lib/figures/cleaners_plots.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { assertSound } from "./svg_checks.ts";

const at = (value: number): Estimate => ({ value, interval: [value - 0.05, value + 0.05] });
const beside = (response: number) => ({
  response: at(response),
  control: at(-0.05),
  specific: at(-0.05 - response),
});
const writer = "L0H2";
const names = (count: number) => Array.from({ length: count }, (_, i) => i % 3 === 2 ? `MLP${i}` : `L${i}H7`);
const wholes = (count: number): PartsRow[] =>
  names(count).map((node, i) => ({
    writer,
    node,
    kind: node.startsWith("L") ? "head" : "mlp",
    layer: i,
    ...beside(-0.1 * (i + 1) / count),
    parts: 16,
    ...(i % 2 === 0 && { half: 1 }),
    weakening: 1,
    ofWeakening: beside(-0.01),
  }));
const parts = (count: number): (NeuronRow | DirectionRow)[] =>
  names(count).flatMap((node) =>
    [0, 1, 2].map((k) => {
      const common = { writer, node, cosine: -0.5, ...beside(-0.02), share: 0.3 };
      return node.startsWith("L") ? { ...common, direction: k, sigma: 1 } : { ...common, neuron: 1532 + k };
    })
  );
const positions = (node: string): PositionsRow[] =>
  [1, 2, 4, 8].map((from) => ({ writer, node, from, to: 2 * from - 1, ...beside(-0.1 * from) }));
const lens = (said: boolean): LensRow[] =>
  ["resid_mid0", "resid_post0", "resid_mid1", "resid_post1"].flatMap((location, i) =>
    (["writer", "control"] as const).map((run) => ({
      writer,
      location,
      run,
      stream: at(1 - 0.2 * i),
      logits: at(said ? 1 - 0.3 * i : NaN),
      size: at(said ? 1 + 0.1 * i : NaN),
    }))
  );

for (const count of [1, 4, 10]) {
  Deno.test(`the figures of ${count} cleaners: nothing is cut off or overlaps`, () => {
    const rows = names(count).map((node) => ({
      writer,
      node,
      opposed: at(0.1),
      control: at(0.02),
      beyond: at(0.08),
    }));
    const figures = [
      cleanerParts(wholes(count), parts(count)),
      cleanerPositions(names(Math.min(5, count)).flatMap(positions)),
      cleanerLens(lens(true)),
      cleanerSuppression(rows),
    ];
    for (const figure of figures) assertSound(toSvg(figure));
  });
}

Deno.test("cleanerParts() draws parts of those that surely take back more, and says of which", () => {
  const svg = toSvg(cleanerParts(wholes(4), parts(4)));
  assertStringIncludes(svg, "L0H7 σ0");
  assertStringIncludes(svg, "MLP2 n1532");
  assert(!svg.includes("L1H7 σ0"), "of L1H7 it is not sure");
  assertStringIncludes(svg, "L0H7, MLP2");
  const none = wholes(1).map(({ half: _, ...row }) => row);
  assert(!toSvg(cleanerParts(none, parts(1))).includes("Their largest parts"));
});

Deno.test("cleanerLens() of a base model has the stream's panel alone; no rows are refused", () => {
  assert(!toSvg(cleanerLens(lens(false))).includes("Of what it said"));
  assertStringIncludes(toSvg(cleanerLens(lens(true))), "Of what it said");
  assertThrows(() => cleanerSuppression([]), Error, "got no rows");
});
