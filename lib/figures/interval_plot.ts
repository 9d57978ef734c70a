/**
 * Medians with error bars for a few named things on the x axis, one or more series side by side: the plot of
 * Figures 3b and 7.
 */
import * as Plot from "@observablehq/plot";
import type { Estimate } from "../experiments/rows.ts";
import { tickLayout } from "./location_plot.ts";
import { figureWidth, fontSize, ink, plot, type PlotElement, type Style, yTitle } from "./theme.ts";

export interface IntervalPoint {
  /** Which name it belongs to. */
  name: string;
  median: number;
  low: number;
  high: number;
}

/** An estimate as a point. @param factor both are multiplied by: 100 for a part that is shown in per cent */
export const intervalPoint = (
  name: string,
  { value, interval: [low, high] }: Estimate,
  factor = 1,
): IntervalPoint => ({ name, median: factor * value, low: factor * low, high: factor * high });

export interface IntervalPlotOptions {
  /** Names from left to right. */
  names: string[];
  /** What is written for a name; default: the name. */
  label?: (name: string) => string;
  series: { style: Style; points: IntervalPoint[] }[];
  /** Draw the series over one another instead of side by side. Default false. */
  overlaid?: boolean;
  yLabel: string;
  /** Default 640. */
  width?: number;
}

const marginLeft = 46, marginRight = 16;

export function intervalPlot(options: IntervalPlotOptions): PlotElement {
  const { names, label = (name) => name, series, overlaid, yLabel, width = figureWidth } = options;
  const index = new Map(names.map((name, i) => [name, i]));
  const step = (width - marginLeft - marginRight) / names.length;
  const labels = names.map(label);
  const ticks = tickLayout(labels, step);
  const apart = overlaid ? 0 : Math.min(0.32, 0.64 / series.length), cap = 0.08;
  return plot({
    width,
    height: 250 + ticks.height,
    marginLeft,
    marginRight,
    marginTop: 24,
    marginBottom: ticks.height + 12,
    x: { type: "linear", domain: [-0.5, names.length - 0.5], axis: null },
    y: { zero: true, inset: 6, label: null },
    marks: [
      Plot.rect(names.map((_, i) => i).filter((i) => i % 2 === 1), {
        x1: (i: number) => i - 0.5,
        x2: (i: number) => i + 0.5,
        fill: ink.band,
      }),
      Plot.axisY({ label: null, tickSize: 4, ticks: 6 }),
      yTitle(yLabel, marginLeft),
      Plot.ruleY([0], { stroke: ink.faint }),
      Plot.axisX(ticks.shown, {
        ticks: ticks.shown,
        tickFormat: (i: number) => labels[i],
        tickRotate: ticks.rotate,
        tickSize: 4,
        label: null,
        fontSize: fontSize.note,
      }),
      ...series.flatMap(({ style: { color, symbol }, points }, s) => {
        const at = (point: IntervalPoint) => index.get(point.name)! + (s - (series.length - 1) / 2) * apart;
        return [
          Plot.ruleX(points, { x: at, y1: "low", y2: "high", stroke: color, strokeWidth: 1.6 }),
          ...(["low", "high"] as const).map((end) =>
            Plot.ruleY(points, { // the caps
              y: end,
              x1: (point: IntervalPoint) => at(point) - cap,
              x2: (point: IntervalPoint) => at(point) + cap,
              stroke: color,
              strokeWidth: 1.6,
            })
          ),
          Plot.dot(points, {
            x: at,
            y: "median",
            symbol,
            fill: color,
            stroke: "white",
            strokeWidth: 0.7,
            r: step > 48 ? 4.4 : 3,
          }),
        ];
      }),
    ],
    symbol: { type: "identity" },
  });
}
