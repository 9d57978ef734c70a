/**
 * Lines over the locations of the residual stream, in the order of the forward pass: the plot of Figures 1,
 * 3a, 10 and the appendix. One line a series, with an optional quantile band, reference lines at 0 and 1, and
 * labels at the lines' right ends that are moved apart where they would overlap.
 */
import * as Plot from "@observablehq/plot";
import { textWidth } from "./font.ts";
import { figureWidth, fontSize, ink, plot, type PlotElement, type Style } from "./theme.ts";

/** Value at one location; `low` and `high` bound the band. */
export interface LocationPoint {
  location: string;
  median: number;
  low?: number;
  high?: number;
}

export interface LocationSeries {
  name: string;
  points: LocationPoint[];
  style: Style;
  /** Stroke width in pixels. Default 2. */
  weight?: number;
  /** Draw the band between low and high. Default false. */
  band?: boolean;
  /** Mark each location with the style's symbol. Default true. */
  dots?: boolean;
  /** Write the name at the right end. Default false. */
  label?: boolean;
}

export interface LocationPlotOptions {
  /** All locations in the order of the forward pass. */
  locations: string[];
  series: LocationSeries[];
  /** Line above the axis; "" for none. */
  yLabel: string;
  /** Names under the axis; default: the locations. */
  tickNames?: string[];
  /** Default 640. */
  width?: number;
  /** Default 260. */
  height?: number;
  /** Range of y, at whose edge lines are cut off; default: all that is drawn, with 0 and 1. */
  yDomain?: [number, number];
  /** Names of the locations under the axis; default true. */
  xTicks?: boolean;
  /** A line at one location with a word beside it, such as where a writer writes. */
  mark?: { location: string; text: string };
}

/** Room beside the first and last location, in steps. Labels' leader lines take the right one. */
const side = 0.46;

/** Series are drawn in the order given: the last is on top. */
export function locationPlot(options: LocationPlotOptions): PlotElement {
  const { locations, series, yLabel, width = figureWidth, height = 260, xTicks = true } = options;
  const tickNames = options.tickNames ?? locations;
  const index = new Map(locations.map((location, i) => [location, i]));
  const at = (point: LocationPoint) => index.get(point.location)!;
  const domain = options.yDomain ?? extent(series);
  const labelled = series.filter((s) => s.label);
  const labelWidth = Math.max(0, ...labelled.map((s) => textWidth(s.name, fontSize.tick, true)));
  const marginLeft = 40,
    marginRight = labelled.length > 0 ? labelWidth + 8 : yLabel ? 16 : 6,
    marginTop = yLabel ? 24 : 8;
  const step = (width - marginLeft - marginRight) / (locations.length - 1 + 2 * side);
  const ticks = tickLayout(tickNames, step);
  const marginBottom = xTicks ? ticks.height + 12 : 10;
  const unitsPerPixel = (domain[1] - domain[0]) / (height - marginTop - marginBottom);
  const last = locations.length - 1;
  const inside = (y: number) => Math.min(domain[1], Math.max(domain[0], y));
  const ends = labelled.map((s) => {
    const end = s.points.filter((p) => Number.isFinite(p.median)).at(-1)!;
    return { ...end, median: inside(end.median) };
  });
  const moved = spread(ends.map((end) => end.median), (fontSize.tick + 2) * unitsPerPixel, domain);
  return plot({
    width,
    height,
    marginLeft,
    marginRight,
    marginTop,
    marginBottom,
    x: { type: "linear", domain: [-side, last + side], axis: null },
    y: { domain, label: null },
    marks: [
      Plot.axisY({ label: null, tickSize: 4, ticks: Math.max(3, Math.round(height / 36)) }),
      Plot.text(yLabel ? [yLabel] : [], {
        text: (d) => d,
        frameAnchor: "top-left",
        dx: -marginLeft,
        dy: -marginTop + 4,
        textAnchor: "start",
        lineAnchor: "top",
        fill: ink.muted,
      }),
      Plot.ruleY([0, 1], { stroke: ink.rule, strokeDasharray: "1,3", strokeWidth: 1.2 }),
      xTicks
        ? Plot.axisX(ticks.shown, {
          ticks: ticks.shown,
          tickFormat: (i: number) => tickNames[i],
          tickRotate: ticks.rotate,
          fontSize: fontSize.note,
          tickSize: 4,
          label: null,
        })
        : null,
      ...(options.mark ? markAt(index.get(options.mark.location)!, options.mark.text, locations.length) : []),
      ...series.filter((s) => s.band).map((s) =>
        Plot.areaY(s.points, {
          x: at,
          y1: (point) => inside(point.low!),
          y2: (point) => inside(point.high!),
          fill: s.style.color,
          fillOpacity: 0.16,
        })
      ),
      ...series.flatMap((s) => [
        Plot.line(cut(s.points.map((point) => [at(point), point.median]), domain), {
          x: "x",
          y: "y",
          z: "piece",
          stroke: s.style.color,
          strokeWidth: s.weight ?? 2,
          strokeDasharray: s.style.dash,
        }),
        s.dots ?? true
          ? Plot.dot(s.points.filter((p) => inside(p.median) === p.median), {
            x: at,
            y: "median",
            symbol: s.style.symbol,
            fill: s.style.color,
            stroke: "white",
            strokeWidth: 0.7,
            r: 3.6,
          })
          : null,
      ]),
      ...labelled.flatMap((s, i) => [
        Plot.link([moved[i]], {
          x1: at(ends[i]) + 0.06,
          y1: ends[i].median,
          x2: last + side - 0.04,
          y2: (y: number) => y,
          stroke: s.style.color,
          strokeWidth: 0.7,
          strokeOpacity: 0.8,
        }),
        Plot.text([moved[i]], {
          x: last + side - 0.04,
          y: (y: number) => y,
          dx: 4,
          text: () => s.name,
          textAnchor: "start",
          fill: (s.weight ?? 2) < 2 ? ink.muted : s.style.color,
          fontWeight: (s.weight ?? 2) > 2 ? 600 : 400,
        }),
      ]),
    ],
  });
}

/** A dotted line, the word on the side with more room. */
function markAt(at: number, text: string, count: number): Plot.Markish[] {
  const left = at > count / 2;
  return [
    Plot.ruleX([at], { stroke: ink.faint, strokeDasharray: "2,3" }),
    Plot.text([text], {
      x: at,
      text: (d: string) => d,
      frameAnchor: "bottom",
      textAnchor: left ? "end" : "start",
      dx: left ? -5 : 5,
      dy: -4,
      fill: ink.muted,
      fontSize: fontSize.note,
    }),
  ];
}

/** A line cut off where it leaves the range, in pieces that are told apart by a number. */
function cut(points: [number, number][], [low, high]: readonly [number, number]) {
  const pieces: { x: number; y: number; piece: number }[] = [];
  points.slice(1).forEach(([toX, toY], i) => {
    const [fromX, fromY] = points[i];
    // Where on the way from one point to the next the line enters and leaves the range, as parts of the way.
    const edges = [low, high].map((edge) => (edge - fromY) / (toY - fromY)).sort((a, b) => a - b);
    const level = toY === fromY, inRange = fromY >= low && fromY <= high;
    const [enter, leave] = level ? inRange ? [0, 1] : [1, 0] : [Math.max(0, edges[0]), Math.min(1, edges[1])];
    if (enter > leave) return;
    const joins = enter === 0 && pieces.length > 0 && pieces.at(-1)!.x === fromX &&
      pieces.at(-1)!.y === fromY;
    const piece = joins ? pieces.at(-1)!.piece : i;
    const on = (part: number) => ({
      x: fromX + part * (toX - fromX),
      y: fromY + part * (toY - fromY),
      piece,
    });
    pieces.push(...joins ? [] : [enter === 0 ? { x: fromX, y: fromY, piece } : on(enter)]);
    pieces.push(leave === 1 ? { x: toX, y: toY, piece } : on(leave));
  });
  return points.length === 1 ? [{ x: points[0][0], y: points[0][1], piece: 0 }] : pieces;
}

/** Smallest and largest of medians, bands, 0 and 1, with 4 % of room on either side. */
function extent(series: LocationSeries[]): [number, number] {
  let low = 0, high = 1;
  for (const { points, band } of series) {
    for (const point of points) {
      for (const y of band ? [point.median, point.low, point.high] : [point.median]) {
        if (y !== undefined && Number.isFinite(y)) low = Math.min(low, y), high = Math.max(high, y);
      }
    }
  }
  const room = 0.04 * (high - low);
  return [low - room, high + room];
}

/**
 * Which ticks are shown and how: level where the names fit, else slanted, else every second, third … one
 * slanted.
 */
export function tickLayout(
  names: string[],
  step: number,
): { shown: number[]; rotate: number; height: number } {
  const widest = Math.max(...names.map((name) => textWidth(name, fontSize.note)));
  const all = names.map((_, i) => i);
  if (widest + 3 <= step) return { shown: all, rotate: 0, height: fontSize.note + 8 };
  const stride = Math.ceil((fontSize.note + 4) / step);
  return {
    shown: all.filter((i) => i % stride === 0),
    rotate: -40,
    height: widest * Math.sin(40 * Math.PI / 180) + 16,
  };
}

/**
 * Moves values apart until neighbours differ by at least `gap`, each as little as needed, all inside `range`
 * when they fit: neighbouring clusters that collide are merged around their mean (pool adjacent violators).
 */
export function spread(values: number[], gap: number, range: readonly [number, number]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
  // In coordinates shifted by gap · rank the condition is monotonicity, which is isotonic regression.
  const pools: { sum: number; n: number }[] = [];
  order.forEach((i, rank) => {
    pools.push({ sum: values[i] - gap * rank, n: 1 });
    while (pools.length > 1) {
      const b = pools[pools.length - 1], a = pools[pools.length - 2];
      if (a.sum / a.n <= b.sum / b.n) break;
      pools.splice(-2, 2, { sum: a.sum + b.sum, n: a.n + b.n });
    }
  });
  const moved = new Array<number>(values.length);
  const top = range[1] - gap * (values.length - 1);
  let rank = 0;
  for (const { sum, n } of pools) {
    const y = Math.max(range[0], Math.min(sum / n, Math.max(range[0], top)));
    for (let k = 0; k < n; k++, rank++) moved[order[rank]] = y + gap * rank;
  }
  return moved;
}
