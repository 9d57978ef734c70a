/**
 * Figure 3: what is left of the clean-up when the cleaners' V input does not contain the writer's output.
 *
 * a: the projection ratio of the residual stream onto the writer, clean and patched, with bands. b: that of each head given
 * (the post: the heads of layer 2), clean and patched, side by side. In the patched run the writer's output is taken out of
 * the V input of the cleaners' layer; what the cleaners wrote only because they read the writer there is then missing.
 */
import * as Plot from "@observablehq/plot";
import type { LocationRow, NodeRow, RunName } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { distinct, drawable, sentences } from "./drawable.ts";
import { locationPlot, tickLayout } from "./location_plot.ts";
import { figureWidth, fontSize, ink, plot, type PlotElement, styles } from "./theme.ts";

export interface Fig3Options {
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default: "Figure 3a · …", "Figure 3b · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const runs: RunName[] = ["clean", "patched"];
const runLabel: Record<RunName, string> = {
  clean: "clean run",
  patched: "patched run (writer taken out of the V input)",
};

function keys(rows: { run: RunName }[], kind: Key["kind"]): Key[] {
  return runs.filter((run) => rows.some((row) => row.run === run))
    .map((run) => ({ label: runLabel[run], style: styles[run], kind }));
}

function onlyWriter(rows: { writer: string }[], figure: string): string {
  const writers = distinct(rows.map((row) => row.writer));
  if (writers.length !== 1) {
    throw new Error(
      `Drawing ${figure} failed: it shows one writer, but the rows name ${
        writers.join(", ")
      }. Filter the rows by writer.`,
    );
  }
  return writers[0];
}

/** Figure 3a. Rows of one writer, of the clean and the patched run. */
export function fig3a(rows: readonly LocationRow[], options: Fig3Options = {}): PlotElement {
  const { band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["median", "low", "high"],
    "Figure 3a",
    (row) => `${row.location} onto ${row.writer}, ${row.run} run`,
  );
  const writer = onlyWriter(kept, "Figure 3a");
  return compose({
    title: options.title ?? `Figure 3a · Residual stream projected onto ${writer}, clean and patched`,
    legend: keys(kept, "line-dot"),
    panels: [{
      plot: locationPlot({
        locations: distinct(rows.map((row) => row.location)),
        series: runs.map((run) => ({
          name: run,
          points: kept.filter((row) => row.run === run),
          style: styles[run],
          weight: 2.4,
          band: true,
          label: true,
        })).filter((series) => series.points.length > 0),
        yLabel: `projection ratio of resid onto ${writer} (median, ${band})`,
        width,
        height: 290,
      }),
    }],
    caption: sentences(
      `Bands: ${band} of ${Math.max(...kept.map((row) => row.n)).toLocaleString("en")} positions.`,
      note,
    ),
    width,
  });
}

/** Figure 3b. Rows of the heads to show onto one writer, of the clean and the patched run. */
export function fig3b(rows: readonly NodeRow[], options: Fig3Options = {}): PlotElement {
  const { band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["median", "low", "high"],
    "Figure 3b",
    (row) => `${row.node} onto ${row.writer}, ${row.run} run`,
  );
  const writer = onlyWriter(kept, "Figure 3b");
  const nodes = distinct(kept.map((row) => row.node));
  const cleaners = new Set(kept.filter((row) => row.cleaner).map((row) => row.node));
  const present = runs.filter((run) => kept.some((row) => row.run === run));
  const dodge = (row: NodeRow) => present.length < 2 ? 0 : row.run === "clean" ? -0.16 : 0.16;
  const at = (row: NodeRow) => nodes.indexOf(row.node) + dodge(row);
  const names = nodes.map((node) => cleaners.has(node) ? `${node}*` : node);
  const marginLeft = 46;
  const ticks = tickLayout(names, (width - marginLeft - 16) / nodes.length);
  const yLabel = `projection ratio of the node’s output onto ${writer} (median, ${band})`;
  return compose({
    title: options.title ?? `Figure 3b · Each node’s output projected onto ${writer}, clean and patched`,
    legend: keys(kept, "interval"),
    panels: [{
      plot: plot({
        width,
        height: 250 + ticks.height,
        marginLeft,
        marginRight: 16,
        marginTop: 24,
        marginBottom: ticks.height + 12,
        x: { type: "linear", domain: [-0.5, nodes.length - 0.5], axis: null },
        y: { zero: true, inset: 6, label: null },
        marks: [
          Plot.rect(nodes.map((_, i) => i).filter((i) => i % 2 === 1), {
            x1: (i: number) => i - 0.5,
            x2: (i: number) => i + 0.5,
            fill: ink.band,
          }),
          Plot.axisY({ label: null, tickSize: 4, ticks: 6 }),
          Plot.text([yLabel], {
            text: (d) => d,
            frameAnchor: "top-left",
            dx: -marginLeft,
            dy: -20,
            textAnchor: "start",
            lineAnchor: "top",
            fill: ink.muted,
          }),
          Plot.ruleY([0], { stroke: ink.faint }),
          Plot.axisX(ticks.shown, {
            ticks: ticks.shown,
            tickFormat: (i: number) => names[i],
            tickRotate: ticks.rotate,
            tickSize: 4,
            label: null,
            fontSize: fontSize.note,
          }),
          ...present.flatMap((run) => {
            const part = kept.filter((row) => row.run === run), { color, symbol } = styles[run];
            return [
              Plot.ruleX(part, { x: at, y1: "low", y2: "high", stroke: color, strokeWidth: 1.6 }),
              ...(["low", "high"] as const).map((end) =>
                Plot.ruleY(part, { // the caps
                  y: end,
                  x1: (row: NodeRow) => at(row) - 0.08,
                  x2: (row: NodeRow) => at(row) + 0.08,
                  stroke: color,
                  strokeWidth: 1.6,
                })
              ),
              Plot.dot(part, {
                x: at,
                y: "median",
                symbol,
                fill: color,
                stroke: "white",
                strokeWidth: 0.7,
                r: 4.4,
              }),
            ];
          }),
        ],
        symbol: { type: "identity" },
      }),
    }],
    caption: sentences(
      `Error bars: ${band} of ${Math.max(...kept.map((row) => row.n)).toLocaleString("en")} positions.`,
      cleaners.size > 0 ? "* cleaner." : "",
      note,
    ),
    width,
  });
}
