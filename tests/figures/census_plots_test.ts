// The plots of a census on made-up rows: what is drawn, and that nothing is cut off or overlaps.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CensusResult } from "../../lib/experiments/census/census.ts";
import type { ContractionRow, CosineRow } from "../../lib/experiments/census/rows.ts";
import type { Estimate } from "../../lib/experiments/rows.ts";
import {
  contractionPlot,
  cosinePlot,
  earlyPlot,
  modelsPlot,
  selfRepairPlot,
} from "../../lib/figures/census_plots.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { assertSound } from "./svg_checks.ts";

const at = (value: number): Estimate => ({ value, interval: [value - 0.05, value + 0.05] });
const layers = (count: number): ContractionRow[] =>
  Array.from({ length: count }, (_, layer) =>
    (["head", "mlp"] as const).map((kind): ContractionRow => ({
      layer,
      kind,
      node: kind === "head" ? "heads" : `MLP${layer}`,
      random: at(0.2 + 0.7 * layer / count),
      own: at(0.1 + 0.7 * layer / count),
      wide: layer === 0,
    }))).flat();
const sublayers = (count: number): CosineRow[] =>
  Array.from({ length: 2 * count }, (_, i): CosineRow => ({
    layer: i >> 1,
    sublayer: i % 2 ? "mlp" : "attn",
    cosine: at(0.1 - 0.3 * i / count),
    control: at(-0.1 * i / count),
    beyond: at(-0.1),
    opposed: 0.5,
    share: 0.1,
    first: 0.9,
  }));
const shared = ["L0H1", "L0H2", "all"];
const result = (name: string, count: number): CensusResult =>
  ({
    model: { name, layers: count },
    contraction: layers(count),
    cosines: sublayers(count),
    early: shared.map((node) => ({ node, takenBack: at(0.8), control: at(0.5) })),
    selfRepair: shared.map((node) => ({ node, share: { total: at(0.4) }, control: at(0.5) })),
  }) as unknown as CensusResult;

for (const count of [2, 4, 30]) {
  Deno.test(`the plots of a model of ${count} layers: nothing is cut off or overlaps`, () => {
    const model = result("a model", count);
    const figures = [
      contractionPlot(model.contraction)!,
      cosinePlot(model.cosines),
      earlyPlot(model)!,
      selfRepairPlot(model)!,
      modelsPlot([model, result("another", 4)], ({ model }) => model.name)!,
    ];
    for (const figure of figures) assertSound(toSvg(figure));
  });
}

Deno.test("contractionPlot() leaves out layers that cannot be read, and says how many", () => {
  const svg = toSvg(contractionPlot(layers(4))!);
  assertStringIncludes(svg, "2 not drawn");
  assert(!toSvg(contractionPlot(layers(4).map((row) => ({ ...row, wide: false })))!).includes("not drawn"));
  assertEquals(contractionPlot(layers(4).map((row) => ({ ...row, wide: true }))), undefined);
});

Deno.test("a base model has no plots of attribution, and a single model none of models side by side", () => {
  assertEquals(earlyPlot({ early: [] }), undefined);
  assertEquals(selfRepairPlot({ selfRepair: [] }), undefined);
  assertEquals(modelsPlot([result("alone", 4)], ({ model }) => model.name), undefined);
});
