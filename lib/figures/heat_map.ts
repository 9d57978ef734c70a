/**
 * Heat map for the scan's report: the response of every later node (columns) to every earlier one's output
 * (rows).
 *
 * Colours diverge from white at 0: orange below (the later node erases), purple above (it amplifies). Both
 * ends have the same lightness at the same distance from 0. Cells of nodes that do not read each other stay
 * empty.
 */
import * as Plot from "@observablehq/plot";
import type { PairResponseRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { textWidth } from "./font.ts";
import { figureWidth, fontSize, formatNumber, ink, plot, type PlotElement } from "./theme.ts";

/** Of the heat map. */
export interface HeatMapOptions {
  /** Ratios beyond ± this have the colour of the end. Default: the largest that occurs, but at most 1. */
  limit?: number;
  /** Default "Responses of later nodes to what earlier nodes write". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof HeatMapOptions, true> = { limit: true, title: true, width: true };

/**
 * Rows and columns stand in the order in which the rows name them.
 *
 * @example
 * ```ts
 * const rows = ["L1H0", "L1H1"].map((node, i) => ({ writer: "L0H0", node, ratio: i / 2 - 0.4 }));
 * console.log(heatMap(rows).tagName);
 * ```
 */
export function heatMap(rows: readonly PairResponseRow[], options: HeatMapOptions = {}): PlotElement {
  checkFigure("heatMap", rows, options, OPTIONS);
  const { width = figureWidth } = options;
  const { rows: kept } = drawable(
    rows,
    ["ratio"],
    "the heat map",
    (row) => `${row.node} onto ${row.writer}`,
  );
  // In the rows' order, but without nodes of which nothing was measured.
  const writing = new Set(kept.map((row) => row.writer)), answering = new Set(kept.map((row) => row.node));
  const writers = distinct(rows.map((row) => row.writer)).filter((name) => writing.has(name));
  const nodes = distinct(rows.map((row) => row.node)).filter((name) => answering.has(name));
  const most = Math.max(...kept.map((row) => Math.abs(row.ratio)));
  const limit = options.limit ?? Math.min(1, most || 1);
  const widest = (names: string[]) => Math.max(...names.map((name) => textWidth(name, fontSize.note)));
  const marginLeft = 26 + widest(writers),
    marginTop = 30 + widest(nodes),
    marginRight = 8,
    marginBottom = 6;
  const cell = Math.min(48, (width - marginLeft - marginRight) / nodes.length);
  const cellHeight = Math.max(12, Math.min(24, cell));
  const every = Math.ceil((fontSize.note + 2) / cell); // column names that would touch are left out
  const left = writers.length * nodes.length - kept.length;
  const beyond = kept.filter((row) => Math.abs(row.ratio) > limit).length;
  return compose({
    title: options.title ?? "Responses of later nodes to what earlier nodes write",
    panels: [{
      plot: plot({
        width: marginLeft + marginRight + cell * nodes.length,
        height: marginTop + marginBottom + cellHeight * writers.length,
        marginLeft,
        marginRight,
        marginTop,
        marginBottom,
        x: { type: "band", domain: nodes, padding: 0, round: false, axis: null },
        y: { type: "band", domain: writers, padding: 0, round: false, axis: null },
        color: {
          type: "diverging",
          scheme: "PuOr",
          reverse: true,
          domain: [-limit, limit],
          pivot: 0,
          clamp: true,
          legend: true,
          label: "response",
          marginLeft: 16,
          marginRight: 16,
          width: Math.min(340, width),
          tickFormat: (x: number) => formatNumber(x, limit < 0.1 ? 3 : 2),
          ticks: 5,
        } as Plot.ScaleOptions,
        marks: [
          Plot.frame({ fill: ink.band, stroke: null }),
          Plot.cell(kept, { x: "node", y: "writer", fill: "ratio", inset: 0.5 }),
          cell >= 30
            ? Plot.text(kept, {
              x: "node",
              y: "writer",
              text: (row: PairResponseRow) => formatNumber(row.ratio, 2),
              fontSize: 9,
              fill: (row: PairResponseRow) => Math.abs(row.ratio) > 0.6 * limit ? "#ffffff" : ink.text,
            })
            : null,
          Plot.text(writers, {
            y: (name) => name,
            text: (name) => name,
            frameAnchor: "left",
            textAnchor: "end",
            dx: -5,
            fontSize: fontSize.note,
          }),
          Plot.text(nodes.filter((_, i) => i % every === 0), {
            x: (name) => name,
            text: (name) => name,
            frameAnchor: "top",
            textAnchor: "start",
            lineAnchor: "middle",
            rotate: -90,
            dy: -5,
            fontSize: fontSize.note,
          }),
          Plot.text(["later node"], {
            text: (d) => d,
            frameAnchor: "top-left",
            textAnchor: "start",
            dy: -marginTop + 10,
            fill: ink.muted,
          }),
          // Written upwards at the side, where there is room for it.
          Plot.text(cellHeight * writers.length > 80 ? ["earlier node"] : [], {
            text: (d) => d,
            frameAnchor: "top-left",
            textAnchor: "end",
            lineAnchor: "middle",
            rotate: -90,
            dx: -marginLeft + 8,
            fill: ink.muted,
          }),
        ],
      }),
    }],
    caption: sentences(
      "Orange: the later node writes back what it reads of the earlier one’s output; purple: it adds to it.",
      left > 0 ? `Grey: does not read it.` : "",
      beyond > 0
        ? `${beyond} values beyond ±${Number(limit.toPrecision(3))} have the colour of the end.`
        : "",
    ),
    width,
  });
}
