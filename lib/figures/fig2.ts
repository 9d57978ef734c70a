/**
 * Figure 2: the projection ratio of every other node's output onto the writer's output, from the first node
 * to the last.
 *
 * One line a node: the median with its quantile band as an error bar, and the median as a number at the
 * right. Layers are separated by rules; cleaners are squares in green, all others grey circles; the sum over
 * the cleaners stands below. A cleaner has a negative ratio: it writes the opposite of what the writer wrote.
 */
import * as Plot from "@observablehq/plot";
import type { NodeRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { textWidth } from "./font.ts";
import { figureWidth, fontSize, formatNumber, ink, plot, type PlotElement, styles } from "./theme.ts";

/** How Figure 2 is drawn. */
export interface Fig2Options {
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default "Figure 2 · Every node’s output projected onto (the writer)". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig2Options, true> = { band: true, title: true, width: true };

/** Pixels for each node. */
const rowHeight = 15;

/**
 * Rows of the clean run onto one writer, in the order of the forward pass. Throws when the rows name two
 * writers.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { nodeProjections } from "../experiments/node_projections.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await nodeProjections(model, prompts);
 * const figure = fig2(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig2(rows: readonly NodeRow[], options: Fig2Options = {}): PlotElement {
  checkFigure("fig2", rows, options, OPTIONS);
  const { band = "25–75 %", width = figureWidth } = options;
  const clean = rows.filter((row) => row.run === "clean");
  const { rows: kept, note } = drawable(
    clean,
    ["median", "low", "high"],
    "Figure 2",
    (row) => `${row.node} onto ${row.writer}`,
  );
  const writers = distinct(kept.map((row) => row.writer));
  if (writers.length > 1) {
    throw new Error(
      `Drawing Figure 2 failed: it shows one writer, but the rows name ${
        writers.join(", ")
      }. Filter the rows by writer.`,
    );
  }
  const writer = writers[0];
  const nodes = kept.filter((row) => row.kind !== "sum"), sums = kept.filter((row) => row.kind === "sum");
  const ordered = [...nodes, ...sums];
  const y = new Map(ordered.map((row, i) => [row, i]));
  const groups = layerGroups(ordered);
  const marginLeft = 76 + Math.max(...ordered.map((row) => textWidth(row.node, fontSize.tick)));
  const height = ordered.length * rowHeight + 60;
  const at = (row: NodeRow) => y.get(row)!;
  const style = (row: NodeRow) => row.cleaner ? styles.cleaner : styles.other;
  const xLabel = `projection ratio of the node’s output onto ${writer} (median, ${band})`;
  const low = Math.min(0, ...ordered.map((row) => row.low)),
    high = Math.max(0, ...ordered.map((row) => row.high));
  const room = 0.03 * (high - low || 1);
  return compose({
    title: options.title ?? `Figure 2 · Every node’s output projected onto ${writer}`,
    legend: [
      { label: "cleaner", style: styles.cleaner, kind: "interval" },
      { label: "other node", style: styles.other, kind: "interval" },
      ...(sums.length > 0
        ? [{ label: "sum over the cleaners", style: sumStyle, kind: "interval" as const }]
        : []),
    ],
    panels: [{
      plot: plot({
        width,
        height,
        marginLeft,
        marginRight: 52,
        marginTop: 22,
        marginBottom: 38,
        x: { domain: [low - room, high + room], label: null },
        y: { type: "linear", domain: [ordered.length - 0.4, -0.6], axis: null },
        marks: [
          Plot.rect(groups.filter((_, i) => i % 2 === 0), {
            x1: low - room,
            x2: high + room,
            y1: (group) => group.first - 0.5,
            y2: (group) => group.last + 0.5,
            fill: ink.band,
          }),
          Plot.ruleX([0], { stroke: ink.faint }),
          Plot.ruleX([-1, 1].filter((x) => x > low - room && x < high + room), {
            stroke: ink.rule,
            strokeDasharray: "1,3",
          }),
          Plot.text(groups, {
            y: (group) => (group.first + group.last) / 2,
            text: "label",
            frameAnchor: "left",
            textAnchor: "start",
            dx: -marginLeft,
            fill: ink.muted,
          }),
          Plot.ruleY(groups.slice(1), {
            y: (group) => group.first - 0.5,
            stroke: ink.rule,
            insetLeft: -marginLeft,
            insetRight: -52,
          }),
          Plot.text(ordered, {
            y: at,
            text: "node",
            frameAnchor: "left",
            textAnchor: "end",
            dx: -8,
            fill: (row: NodeRow) => row.cleaner ? styles.cleaner.color : ink.text,
            fontWeight: 400,
          }),
          Plot.axisX({ label: xLabel, labelAnchor: "center", labelArrow: "none", tickSize: 4, ticks: 8 }),
          ...[kept.filter((row) => !row.cleaner), kept.filter((row) => row.cleaner)].flatMap((part) => [
            Plot.ruleY(part, {
              y: at,
              x1: "low",
              x2: "high",
              stroke: (row) => style(row).color,
              strokeWidth: 1.4,
            }),
            ...["low", "high"].map((end) =>
              Plot.ruleX(part, { // the caps
                x: end,
                y1: (row: NodeRow) => at(row) - 0.22,
                y2: (row: NodeRow) => at(row) + 0.22,
                stroke: (row: NodeRow) => style(row).color,
                strokeWidth: 1.4,
              })
            ),
          ]),
          Plot.dot(ordered, {
            x: "median",
            y: at,
            symbol: (row: NodeRow) => row.kind === "sum" ? sumStyle.symbol : style(row).symbol,
            fill: (row: NodeRow) => style(row).color,
            stroke: "white",
            strokeWidth: 0.7,
            r: (row: NodeRow) => row.kind === "sum" ? 5 : 3.6,
            sort: null, // Plot would put the largest first
          }),
          Plot.text(ordered, {
            y: at,
            text: (row: NodeRow) => formatNumber(row.median, 3),
            frameAnchor: "right",
            textAnchor: "end",
            dx: 48,
            fontSize: fontSize.note,
            fontVariant: "tabular-nums",
            fill: (row: NodeRow) => row.cleaner ? styles.cleaner.color : ink.muted,
          }),
          Plot.text(["median"], {
            text: (d) => d,
            frameAnchor: "top-right",
            textAnchor: "end",
            dx: 48,
            dy: -16,
            fontSize: fontSize.note,
            fill: ink.muted,
          }),
        ],
        symbol: { type: "identity" },
        color: { type: "identity" },
        r: { type: "identity" },
      }),
    }],
    caption: sentences(
      `Nodes in the order of the forward pass, ${writer} itself left out; ${
        Math.max(...kept.map((row) => row.n)).toLocaleString("en")
      } positions for each value. A negative ratio means that the node writes against ${writer}.`,
      note,
    ),
    width,
  });
}

const sumStyle = { ...styles.cleaner, symbol: "diamond" as const };

interface Group {
  label: string;
  first: number;
  last: number;
}

/** Runs of rows of one layer. */
function layerGroups(rows: NodeRow[]): Group[] {
  const groups: Group[] = [];
  rows.forEach((row, i) => {
    const label = row.kind === "sum" ? "sum over" : row.layer < 0 ? "input" : `layer ${row.layer}`;
    const last = groups.at(-1);
    if (last?.label === label) last.last = i;
    else groups.push({ label, first: i, last: i });
  });
  return groups;
}
