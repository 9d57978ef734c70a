/**
 * Figure 5: the writer's direct logit attribution (DLA) against that of its cleaners, one dot a (prompt,
 * position).
 *
 * Left: the cleaners' V-composition output with the writer, what they write because they read the writer.
 * Right: their total output. Both with the least-squares line. With a baseline, two panels more: r and slope
 * of the left panel for every early head, since a layer that writes back a part of whatever it reads cancels
 * them all.
 */
import * as Plot from "@observablehq/plot";
import type { Estimate, FitRow, PairRow } from "../experiments/rows.ts";
import { Random } from "../stats/random.ts";
import { compose } from "./compose.ts";
import { checkFigure, drawable, sentences } from "./drawable.ts";
import { intervalPlot, intervalPoint } from "./interval_plot.ts";
import {
  axisRange,
  figureWidth,
  formatNumber,
  ink,
  plot,
  type PlotElement,
  styles,
  yTitle,
} from "./theme.ts";

/** How Figure 5 is drawn. */
export interface Fig5Options {
  /** Name of the writer for the axes, such as "L0H2". Default: that of the fits. */
  writer?: string;
  /** The fit of "composition" for other heads as well: a row a head. Default: none. */
  baseline?: readonly FitRow[];
  /**
   * Most dots that are drawn in a panel; of more rows, a seeded choice. The fits always use all. Default
   * 3000.
   */
  dots?: number;
  /** Seed of the choice. Default 1. */
  seed?: number;
  /** Default "Figure 5 · DLA of (writer) against its cleaners". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig5Options, true> = {
  writer: true,
  baseline: true,
  dots: true,
  seed: true,
  title: true,
  width: true,
};

const panels = [
  { field: "composition", title: "V-composition output", style: styles.clean },
  { field: "total", title: "total output", style: styles.patched },
] as const;

/**
 * Figure 5: DLA of the writer beside that of what the cleaners make of it, and beside the cleaners' total.
 * @param fits of `composition` and `total` on `writer`, with intervals over prompts: see fitsOverPrompts
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { compositionAttribution } from "../experiments/composition_attribution.ts";
 * import { fitsOverPrompts } from "../experiments/composition_fits.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const { rows } = await compositionAttribution(model, prompts);
 * const figure = fig5(rows, fitsOverPrompts(rows, model.cleanup.writer), { dots: 100 });
 * console.log(figure.tagName);
 * ```
 */
export function fig5(
  rows: readonly PairRow[],
  fits: readonly FitRow[],
  options: Fig5Options = {},
): PlotElement {
  checkFigure("fig5", rows, options, OPTIONS);
  const { writer = fits[0]?.node, baseline = [], dots = 3000, seed = 1, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["writer", "composition", "total"],
    "Figure 5",
    (row) => `prompt ${row.prompt}, position ${row.position}`,
  );
  const counted = kept.filter((row) => row.position > 0); // as in the fits: identical points hide each other
  const drawn = choose(counted, dots, seed);
  const fitOf = (field: FitRow["of"]) => {
    const found = fits.find((fit) => fit.of === field);
    if (found) return found;
    throw new Error(
      `Drawing Figure 5 failed: got no fit of "${field}". Expected those of fitsOverPrompts(rows).`,
    );
  };
  const x = axisRange(drawn.map((row) => row.writer));
  return compose({
    title: options.title ?? `Figure 5 · DLA of ${writer} against the DLA of its cleaners`,
    columns: 2,
    panels: [
      ...panels.map(({ field, title, style }, i) => ({
        title: `${"ab"[i]} · ${title}`,
        subtitle: `r ${withInterval(fitOf(field).r)}, slope ${withInterval(fitOf(field).slope)}`,
        plot: plot({
          width: width / 2,
          height: width / 2 + 12,
          marginLeft: 44,
          marginRight: 12,
          marginTop: 26,
          marginBottom: 38,
          x: { domain: x, label: null },
          y: { domain: axisRange(drawn.map((row) => row[field])), label: null },
          marks: [
            Plot.ruleX([0], { stroke: ink.rule }),
            Plot.ruleY([0], { stroke: ink.rule }),
            Plot.axisX({
              label: `DLA of ${writer} (logits)`,
              labelAnchor: "center",
              labelArrow: "none",
              ticks: 5,
              tickSize: 4,
            }),
            Plot.axisY({ label: null, ticks: 6, tickSize: 4 }),
            yTitle(`DLA of the cleaners’ ${title} (logits)`, 44),
            Plot.dot(drawn, {
              x: "writer",
              y: field,
              r: 1.6,
              fill: style.color,
              fillOpacity: drawn.length > 600 ? 0.22 : 0.5,
            }),
            Plot.lineY(line(fitOf(field), x), {
              x: "x",
              y: "y",
              stroke: ink.text,
              strokeWidth: 1.6,
              clip: true,
            }),
          ],
        }),
      })),
      ...baselinePanels(baseline, writer, width),
    ],
    caption: sentences(
      `Lines: least squares over the ${
        fitOf("composition").n.toLocaleString("en")
      } pairs that are not at position 0. In brackets: 95 % intervals, bootstrap over prompts. Intercepts: ${
        panels.map(({ field }, i) => `${"ab"[i]} ${withInterval(fitOf(field).intercept)}`).join(", ")
      }.`,
      baseline.length > 0
        ? `c, d: the same fit for the V-composition of the same cleaners with each head; bars: 95 % intervals; square: ${writer}.`
        : "",
      "The vertical axes differ.",
      drawn.length < counted.length
        ? `Drawn are ${drawn.length.toLocaleString("en")} pairs chosen at random (seed ${seed}).`
        : "",
      note,
    ),
    width,
  });
}

/** "−0.72 [−0.75, −0.70]" */
const withInterval = ({ value, interval }: Estimate) =>
  `${formatNumber(value)} [${interval.map((x) => formatNumber(x)).join(", ")}]`;

const line = ({ slope, intercept }: FitRow, ends: readonly number[]) =>
  ends.map((x) => ({ x, y: slope.value * x + intercept.value }));

/** c and d: r and slope of every head of the baseline, the writer's as a square. */
function baselinePanels(baseline: readonly FitRow[], writer: string, width: number) {
  if (baseline.length === 0) return [];
  return (["r", "slope"] as const).map((field, i) => {
    const points = baseline.map((row) => intervalPoint(row.node, row[field]));
    const square = { ...styles.clean, symbol: "square" as const };
    return {
      title: `${"cd"[i]} · ${field} of every early head`,
      plot: intervalPlot({
        names: points.map(({ name }) => name),
        series: [
          { style: styles.other, points: points.filter(({ name }) => name !== writer) },
          { style: square, points: points.filter(({ name }) => name === writer) },
        ],
        overlaid: true,
        yLabel: `${field}, V-composition on the head’s DLA`,
        width: width / 2,
      }),
    };
  });
}

/** At most `most` rows, a seeded choice in their own order. */
export function choose<Row>(rows: Row[], most: number, seed: number): Row[] {
  if (rows.length <= most) return rows;
  const chosen = new Random(seed).permutation(rows.length).slice(0, most).sort((a, b) => a - b);
  return Array.from(chosen, (i) => rows[i]);
}
