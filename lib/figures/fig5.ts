/**
 * Figure 5: the writer's direct logit attribution (DLA) against that of its cleaners, one dot a (prompt, position).
 *
 * Left: the cleaners' V-composition output with the writer, what they write because they read the writer. Right: their
 * total output. Both with the least-squares line that was fitted to all pairs, and ±2 standard errors of the line.
 */
import * as Plot from "@observablehq/plot";
import type { Fit, PairRow } from "../experiments/rows.ts";
import { Random } from "../stats/random.ts";
import { compose } from "./compose.ts";
import { drawable, sentences } from "./drawable.ts";
import { figureWidth, formatNumber, ink, plot, type PlotElement, styles } from "./theme.ts";

export interface Fig5Options {
  /** Name of the writer for the axes, such as "L0H2". Default "writer". */
  writer?: string;
  /** Most dots that are drawn in a panel; of more rows, a seeded choice. The fits always use all. Default 3000. */
  dots?: number;
  /** Seed of the choice. Default 1. */
  seed?: number;
  /** Default "Figure 5 · DLA of (writer) against its cleaners". */
  title?: string;
  /** Default 640. */
  width?: number;
}

/** The fits of Figure 5, made from all rows: composition on writer, total on writer. */
export interface Fig5Fits {
  composition: Fit;
  total: Fit;
}

const panels = [
  { field: "composition", title: "V-composition output", style: styles.clean },
  { field: "total", title: "total output", style: styles.patched },
] as const;

/** @param fits least squares of `composition` and `total` on `writer` over all rows */
export function fig5(rows: readonly PairRow[], fits: Fig5Fits, options: Fig5Options = {}): PlotElement {
  const { writer = "writer", dots = 3000, seed = 1, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["writer", "composition", "total"],
    "Figure 5",
    (row) => `prompt ${row.prompt}, position ${row.position}`,
  );
  const drawn = choose(kept, dots, seed);
  const meanX = kept.reduce((sum, row) => sum + row.writer / kept.length, 0);
  const x = range(drawn.map((row) => row.writer));
  return compose({
    title: options.title ?? `Figure 5 · DLA of ${writer} against the DLA of its cleaners`,
    columns: 2,
    panels: panels.map(({ field, title, style }, i) => ({
      title: `${"ab"[i]} · ${title}`,
      subtitle: `r = ${formatNumber(fits[field].r, 3)}, slope = ${
        plusMinus(fits[field].slope, fits[field].slopeError)
      }`,
      plot: plot({
        width: width / 2,
        height: width / 2 + 12,
        marginLeft: 44,
        marginRight: 12,
        marginTop: 26,
        marginBottom: 38,
        x: { domain: x, label: null },
        y: { domain: range(drawn.map((row) => row[field])), label: null },
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
          Plot.text([`DLA of the cleaners’ ${title} (logits)`], {
            text: (d) => d,
            frameAnchor: "top-left",
            dx: -44,
            dy: -20,
            textAnchor: "start",
            lineAnchor: "top",
            fill: ink.muted,
          }),
          Plot.dot(drawn, {
            x: "writer",
            y: field,
            r: 1.6,
            fill: style.color,
            fillOpacity: drawn.length > 600 ? 0.22 : 0.5,
          }),
          Plot.areaY(fitBand(fits[field], meanX, x), {
            x: "x",
            y1: "low",
            y2: "high",
            fill: ink.text,
            fillOpacity: 0.25,
            clip: true,
          }),
          Plot.lineY(fitBand(fits[field], meanX, x), {
            x: "x",
            y: "y",
            stroke: ink.text,
            strokeWidth: 1.6,
            clip: true,
          }),
        ],
      }),
    })),
    caption: sentences(
      `Lines: least squares over all ${
        fits.composition.n.toLocaleString("en")
      } pairs; slopes and shaded bands are ± 2 ` +
        `standard errors. Intercepts: ${
          panels.map(({ field }, i) =>
            `${"ab"[i]} ${plusMinus(fits[field].intercept, fits[field].interceptError)}`
          ).join(", ")
        }.`,
      "The vertical axes differ.",
      drawn.length < kept.length
        ? `Drawn are ${drawn.length.toLocaleString("en")} pairs chosen at random (seed ${seed}).`
        : "",
      note,
    ),
    width,
  });
}

/** "−0.723 ± 0.013", with two standard errors. */
const plusMinus = (value: number, error: number) =>
  `${formatNumber(value, 3)} ± ${formatNumber(2 * error, 3)}`;

/**
 * The line with ±2 standard errors over `x`. The variance of the line at x is slopeError² (x - x̄)² + σ²/n, and
 * interceptError² = slopeError² x̄² + σ²/n gives the last term.
 */
function fitBand(fit: Fit, meanX: number, [from, to]: [number, number]) {
  const atMean = Math.max(0, fit.interceptError ** 2 - (fit.slopeError * meanX) ** 2);
  return Array.from({ length: 41 }, (_, i) => {
    const x = from + (to - from) * i / 40;
    const y = fit.slope * x + fit.intercept;
    const error = 2 * Math.sqrt((fit.slopeError * (x - meanX)) ** 2 + atMean);
    return { x, y, low: y - error, high: y + error };
  });
}

/** At most `most` rows, a seeded choice in their own order. */
export function choose<Row>(rows: Row[], most: number, seed: number): Row[] {
  if (rows.length <= most) return rows;
  const chosen = new Random(seed).permutation(rows.length).slice(0, most).sort((a, b) => a - b);
  return Array.from(chosen, (i) => rows[i]);
}

/** Smallest and largest value with 0, and 4 % of room on either side. */
function range(values: number[]): [number, number] {
  let low = 0, high = 0;
  for (const value of values) low = Math.min(low, value), high = Math.max(high, value);
  const room = 0.04 * (high - low || 1);
  return [low - room, high + room];
}
