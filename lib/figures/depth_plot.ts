/**
 * Lines over the depth of a model: layers of one model, or relative depth, at which models of different
 * depth stand side by side.
 */
import * as Plot from "@observablehq/plot";
import { figureWidth, ink, plot, type PlotElement, type Style, xTitle, yTitle } from "./theme.ts";

export interface DepthPoint {
  /** Layer, or relative depth in 0 … 1. */
  x: number;
  y: number;
  /** Ends of an interval, where it has one. */
  low?: number;
  high?: number;
}

export interface DepthSeries {
  style: Style;
  points: readonly DepthPoint[];
}

export interface DepthPlotOptions {
  series: readonly DepthSeries[];
  xLabel: string;
  yLabel: string;
  /** Default: what the points take, 0 among it. */
  yDomain?: readonly [number, number];
  /** Default 640. */
  width?: number;
  /** Default 220. */
  height?: number;
}

const marginLeft = 42;

export function depthPlot({ series, xLabel, yLabel, yDomain, ...size }: DepthPlotOptions): PlotElement {
  const { width = figureWidth, height = 220 } = size;
  const whole = series.every(({ points }) => points.every(({ x }) => Number.isInteger(x)));
  const last = Math.max(...series.flatMap(({ points }) => points.map(({ x }) => x)));
  return plot({
    width,
    height,
    marginLeft,
    marginTop: 24,
    marginBottom: 34,
    x: { label: null, inset: 8 },
    y: { ...(yDomain && { domain: [...yDomain], clamp: true }), zero: true, label: null, inset: 4 },
    symbol: { type: "identity" },
    marks: [
      Plot.axisY({ label: null, tickSize: 4, ticks: 5 }),
      Plot.axisX({
        label: null,
        tickSize: 4,
        ...(whole ? { ticks: Math.min(10, last + 1), tickFormat: "d" } : { ticks: 5 }),
      }),
      yTitle(yLabel, marginLeft),
      xTitle(xLabel),
      Plot.ruleY([0], { stroke: ink.faint }),
      ...series.flatMap(({ style: { color, dash, symbol }, points }) => [
        Plot.ruleX(points.filter(({ low }) => low !== undefined), {
          x: "x",
          y1: "low",
          y2: "high",
          stroke: color,
          strokeOpacity: 0.55,
          strokeWidth: 1.4,
        }),
        Plot.line(points, { x: "x", y: "y", stroke: color, strokeWidth: 1.8, strokeDasharray: dash }),
        Plot.dot(points, {
          x: "x",
          y: "y",
          symbol,
          fill: color,
          stroke: "white",
          strokeWidth: 0.6,
          r: points.length > 40 ? 2.2 : 3.2,
        }),
      ]),
    ],
  });
}
