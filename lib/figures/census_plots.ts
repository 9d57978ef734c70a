/**
 * The plots of a census: of one model over its layers, each effect beside its control; and of several
 * models over relative depth.
 */
import type { CensusResult } from "../experiments/census/census.ts";
import type { ContractionRow, CosineRow } from "../experiments/census/rows.ts";
import type { Estimate } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { depthPlot, type DepthPoint } from "./depth_plot.ts";
import { sentences } from "./drawable.ts";
import { intervalPlot, intervalPoint } from "./interval_plot.ts";
import { type PlotElement, seriesStyle, type Style, styles } from "./theme.ts";

const point = (x: number, { value, interval: [low, high] }: Estimate): DepthPoint => ({
  x,
  y: value,
  low,
  high,
});
const OWN = styles.clean, CONTROL = styles.patched;
const legend = (own: string, control: string): Key[] => [
  { label: own, style: OWN, kind: "line-dot" },
  { label: control, style: CONTROL, kind: "line-dot" },
];

/**
 * What is left of what is written in each layer, beside the same rotated. `undefined` when no layer can
 * be read.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { census } from "../experiments/census/census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(contractionPlot(result.contraction)?.tagName);
 * ```
 */
export function contractionPlot(rows: readonly ContractionRow[]): PlotElement | undefined {
  const drawn = rows.filter(({ wide, kind }) => !wide && kind !== "embed");
  if (drawn.length === 0) return undefined;
  const left = rows.filter(({ wide }) => wide).length;
  const panels = (["head", "mlp"] as const).flatMap((kind) => {
    const of = drawn.filter((row) => row.kind === kind);
    if (of.length === 0) return [];
    const series = [
      { style: CONTROL, points: of.map((row) => point(row.layer, row.random)) },
      { style: OWN, points: of.map((row) => point(row.layer, row.own)) },
    ];
    const yLabel = "left at the end of the stream (median)";
    return [{
      title: kind === "head" ? "Written by heads" : "Written by MLPs",
      plot: depthPlot({ series, xLabel: "layer in which it is written", yLabel, height: 190 }),
    }];
  });
  return compose({
    title: "Contraction · What is left of what is written in each layer, and of the same rotated",
    legend: legend("what the layer’s nodes write", "the same, rotated (any such vector)"),
    panels,
    caption: sentences(
      "Retention: 1 = all of it, 0 = nothing along it. 95 % intervals over prompts.",
      left > 0 ? `${left} not drawn: what its absence changes elsewhere is larger than the output.` : "",
    ),
  });
}

/**
 * Cosine of each sublayer's output with the stream, beside that of its output on another text.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { census } from "../experiments/census/census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(cosinePlot(result.cosines).tagName);
 * ```
 */
export function cosinePlot(rows: readonly CosineRow[]): PlotElement {
  const panels = (["attn", "mlp"] as const).flatMap((sublayer) => {
    const of = rows.filter((row) => row.sublayer === sublayer);
    if (of.length === 0) return [];
    const series = [
      { style: CONTROL, points: of.map((row) => point(row.layer, row.control)) },
      { style: OWN, points: of.map((row) => point(row.layer, row.cosine)) },
    ];
    const yLabel = "cosine with the stream (mean)";
    return [{
      title: sublayer === "attn" ? "Attention" : "MLPs",
      plot: depthPlot({ series, xLabel: "layer", yLabel, height: 190 }),
    }];
  });
  return compose({
    title: "Does a sublayer write something new, or against the stream?",
    subtitle: "Near 0: new. Below 0: it takes away. Above 0: it strengthens. Position 0 left out.",
    legend: legend("on the text", "what it adds on another text, with this stream"),
    panels,
    caption: "95 % intervals over prompts.",
  });
}

/**
 * What happens to the direct effect of nodes: an amount beside its control, with intervals. `undefined`
 * without rows.
 */
function sharePlot(
  title: string,
  subtitle: string,
  yLabel: string,
  rows: readonly { node: string; own: Estimate; control: Estimate }[],
): PlotElement | undefined {
  if (rows.length === 0) return undefined;
  const bars = (of: "own" | "control") => rows.map((row) => intervalPoint(row.node, row[of]));
  return compose({
    title,
    subtitle,
    legend: [
      { label: "the node’s", style: OWN, kind: "interval" },
      { label: "the same, rotated (control)", style: CONTROL, kind: "interval" },
    ],
    panels: [{
      plot: intervalPlot({
        names: rows.map(({ node }) => node),
        series: [{ style: OWN, points: bars("own") }, { style: CONTROL, points: bars("control") }],
        yLabel,
      }),
    }],
  });
}

/**
 * Share of early heads' DLA that later nodes take back.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { census } from "../experiments/census/census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(earlyPlot(result)?.tagName);
 * ```
 */
export function earlyPlot({ early }: Pick<CensusResult, "early">): PlotElement | undefined {
  return sharePlot(
    "Early heads · How much of their direct logit attribution is taken back?",
    "The heads of the first third of the layers with the largest DLA; 1 = all of it.",
    "share of the DLA (slope over tokens, 95 % interval over prompts)",
    early.map(({ node, takenBack, control }) => ({ node, own: takenBack, control })),
  );
}

/**
 * Share of nodes' direct effect that the rest of the model makes up for.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { census } from "../experiments/census/census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(selfRepairPlot(result)?.tagName);
 * ```
 */
export function selfRepairPlot({ selfRepair }: Pick<CensusResult, "selfRepair">): PlotElement | undefined {
  return sharePlot(
    "Self-repair · How much of a node’s direct effect is made up for?",
    "The node writes what it writes on another text; 1 = the right token’s logit loses nothing.",
    "share of the exchanged direct effect (slope over tokens, 95 % interval)",
    selfRepair.map(({ node, share, control }) => ({ node, own: share.total, control })),
  );
}

const relative = (layer: number, layers: number) => layers > 1 ? layer / (layers - 1) : 0;

/**
 * Several models over relative depth: what is left of random vectors, and cosines with the stream.
 * `undefined` for a single model.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { census } from "../experiments/census/census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * const twice = [result, result]; // in place of two models
 * console.log(modelsPlot(twice, ({ model }) => model.name)?.tagName);
 * ```
 */
export function modelsPlot(
  results: readonly CensusResult[],
  label: (result: CensusResult) => string,
): PlotElement | undefined {
  if (results.length < 2) return undefined;
  const style = (i: number): Style => seriesStyle(i);
  const xLabel = "relative depth (0: first layer, 1: last)";
  const lines = (of: (result: CensusResult) => DepthPoint[]) =>
    results.map((result, i) => ({ style: style(i), points: of(result) })).filter(({ points }) =>
      points.length > 0
    );
  const at = ({ model: { layers } }: CensusResult, layer: number, y: number) => ({
    x: relative(layer, layers),
    y,
  });
  const random = lines((r) =>
    r.contraction.flatMap(({ kind, layer, random, wide }) =>
      kind === "head" && !wide ? [at(r, layer, random.value)] : []
    )
  );
  const cosines = (sublayer: CosineRow["sublayer"]) =>
    lines((r) =>
      r.cosines.flatMap((row) => row.sublayer === sublayer ? [at(r, row.layer, row.cosine.value)] : [])
    );
  const panels = [
    {
      title: "Left at the end of a random vector (heads’ outputs, rotated)",
      series: random,
      yLabel: "median retention",
    },
    { title: "Attention · cosine with the stream", series: cosines("attn"), yLabel: "mean" },
    { title: "MLPs · cosine with the stream", series: cosines("mlp"), yLabel: "mean" },
  ].filter(({ series }) => series.length > 0);
  return compose({
    title: "The models side by side, over their depth",
    legend: results.map((result, i) => ({
      label: label(result),
      style: style(i),
      kind: "line-dot" as const,
    })),
    panels: panels.map(({ title, series, yLabel }) => ({
      title,
      plot: depthPlot({ series, xLabel, yLabel, height: 180 }),
    })),
  });
}
