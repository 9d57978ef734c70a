/**
 * The plots of a scan's report, from its result: the heat map of all pairs, and for each writer found Figures 1, 2 and 5, what patching
 * the cleaners' input undoes, and the cleaners' ratios by position.
 */
import { fitsOverPrompts } from "../experiments/composition_fits.ts";
import * as Plot from "@observablehq/plot";
import type { LocationRow, NodePairRow, NodeRow } from "../experiments/rows.ts";
import type { Undone } from "../experiments/scan/causal.ts";
import { type ExaminedWriter, foundWriters, type ScanResult } from "../experiments/scan/scan.ts";
import type { PatchVariant } from "../metrics/input_patch.ts";
import { compose } from "./compose.ts";
import { fig1 } from "./fig1.ts";
import { fig2 } from "./fig2.ts";
import { fig5 } from "./fig5.ts";
import { heatMap } from "./heat_map.ts";
import {
  figureWidth,
  fontSize,
  formatNumber,
  ink,
  plot,
  type PlotElement,
  seriesStyle,
  styles,
} from "./theme.ts";

export interface ReportFigure {
  /** Letters, digits, "_" and "-": "heat_map", "L0H2_locations". */
  name: string;
  figure: PlotElement;
}

/** More rows or columns cannot be read; those with the largest drop, or the largest ratios, are drawn. */
const MOST_WRITERS = 30, MOST_NODES = 60;

/** Rows in the order of the forward pass. `undefined` when there is nothing to draw: no node reads another. */
export function scanHeatMap({ pairs, writers, passedOver }: ScanResult): PlotElement | undefined {
  const drops = new Map([...writers.map((w) => w.candidate), ...passedOver].map((c) => [c.name, c.drop]));
  const ranked = [...pairs.writers].sort((a, b) => (drops.get(b) || 0) - (drops.get(a) || 0));
  const examined = writers.map((w) => w.candidate.name);
  const shown = new Set(
    [...new Set([...examined, ...ranked])].slice(0, Math.max(MOST_WRITERS, examined.length)),
  );
  const rows = pairs.writers.flatMap((name, w) => shown.has(name) ? [w] : []);
  const strongest = (c: number) =>
    Math.max(...rows.map((w) => Math.min(1, Math.abs(pairs.median[w][c] ?? 0))));
  const order = pairs.nodes.map((_, c) => c).sort((a, b) => strongest(b) - strongest(a)).slice(0, MOST_NODES);
  const columns = order.sort((a, b) => a - b);
  const cells: NodePairRow[] = rows.flatMap((w) =>
    columns.map((c) => ({
      writer: pairs.writers[w],
      cleaner: pairs.nodes[c],
      median: pairs.median[w][c] ?? NaN,
    }))
  );
  if (!cells.some((cell) => Number.isFinite(cell.median))) return undefined;
  const part = rows.length < pairs.writers.length || columns.length < pairs.nodes.length
    ? ` (${rows.length} of ${pairs.writers.length} nodes with the largest drops, ${columns.length} of ${pairs.nodes.length} later ones)`
    : "";
  return heatMap(cells, { title: `Median projection ratio of later nodes onto earlier nodes${part}` });
}

/** The plots of one writer that was found. */
export function writerFigures(result: ScanResult, writer: ExaminedWriter): ReportFigure[] {
  const { candidate: { name }, causal, consequence } = writer;
  const figures: ReportFigure[] = [
    {
      name: "locations",
      figure: fig1(locationRows(result, writer), { writer: name, title: `Where ${name}’s output is` }),
    },
    {
      name: "nodes",
      figure: fig2(nodeRows(writer), { title: `Who writes along or against ${name}’s output` }),
    },
  ];
  if (causal) figures.push({ name: "patches", figure: patchFigure(name, causal.patched) });
  figures.push({ name: "positions", figure: positionFigure(result, writer) });
  if (consequence) {
    const { rows, heads } = consequence;
    const title = `DLA of ${name} against that of its ${
      heads.length === 1 ? "cleaner head" : `${heads.length} cleaner heads`
    }`;
    figures.push({ name: "dla", figure: fig5(rows, fitsOverPrompts(rows, name), { title }) });
  }
  return figures.map((figure) => ({ ...figure, name: `${name}_${figure.name}` }));
}

/** Rows of Figure 1: this writer and the other examined ones, on the second half of the prompts. */
function locationRows({ writers }: ScanResult, { candidate: { name } }: ExaminedWriter): LocationRow[] {
  const own = writers.filter((w) => w.candidate.name === name);
  const others = foundWriters({ writers }).filter((w) => w.candidate.name !== name);
  return [...own, ...others].flatMap(({ candidate, evidence }) =>
    evidence.locations.map((row) => ({ ...row, writer: candidate.name, run: "clean" as const }))
  );
}

/** Rows of Figure 2: the nodes that could read the writer; of many, those with the largest medians. And the cleaners' sum. */
function nodeRows({ candidate: { name }, evidence, verdict, causal }: ExaminedWriter): NodeRow[] {
  const cleaners = new Set(verdict.cleaners.map((c) => c.node));
  const largest = [...evidence.nodes].sort((a, b) => Math.abs(b.median) - Math.abs(a.median));
  const shown = new Set(
    [...new Set([...cleaners, ...largest.map((n) => n.node)])].slice(0, Math.max(MOST_NODES, cleaners.size)),
  );
  const rows: NodeRow[] = evidence.nodes.filter((n) => shown.has(n.node)).map((n) => ({
    writer: name,
    node: n.node,
    kind: n.kind,
    layer: n.layer,
    cleaner: cleaners.has(n.node),
    run: "clean",
    median: n.median,
    low: n.low,
    high: n.high,
    n: n.n,
  }));
  if (!causal || cleaners.size < 2) return rows;
  const { median, low, high, n } = causal.clean;
  const layer = Math.max(...verdict.cleaners.map((c) => c.layer));
  return [...rows, {
    writer: name,
    node: "sum",
    kind: "sum",
    layer,
    cleaner: true,
    run: "clean",
    median,
    low,
    high,
    n,
  }];
}

const PATCH_NAMES: Record<PatchVariant, string> = {
  frozen: "writer’s output taken out",
  unfrozen: "… LayerNorm scales not frozen",
  direction: "all along its direction taken out",
  control: "control: unrelated vector, as long",
};

/** What each patch of the cleaners' input undoes of their erasure: bars with 95 % intervals. */
export function patchFigure(writer: string, patched: Record<PatchVariant, Undone>): PlotElement {
  const rows = (Object.keys(PATCH_NAMES) as PatchVariant[]).map((variant) => ({
    name: PATCH_NAMES[variant],
    color: variant === "control" ? styles.other.color : styles.patched.color,
    undone: patched[variant].undone,
    low: patched[variant].interval[0],
    high: patched[variant].interval[1],
  })).filter((row) => Number.isFinite(row.undone));
  const low = Math.min(0, ...rows.map((row) => row.low)), high = Math.max(1, ...rows.map((row) => row.high));
  return compose({
    title: `Is it because they read ${writer}? What patching the cleaners’ input undoes`,
    panels: [{
      plot: plot({
        width: figureWidth,
        height: 40 + 26 * rows.length,
        marginLeft: 210,
        marginRight: 46,
        marginTop: 6,
        marginBottom: 34,
        x: { domain: [low, high], label: null },
        y: { type: "band", domain: rows.map((row) => row.name), padding: 0.3, axis: null },
        marks: [
          Plot.axisX({
            label: "part of the erasure that vanishes",
            labelAnchor: "center",
            labelArrow: "none",
            ticks: 6,
            tickSize: 4,
          }),
          Plot.barX(rows, { x: "undone", y: "name", fill: "color", fillOpacity: 0.75 }),
          Plot.ruleX([0], { stroke: ink.text }),
          Plot.ruleX([1], { stroke: ink.rule, strokeDasharray: "1,3" }),
          Plot.ruleY(rows, { x1: "low", x2: "high", y: "name", stroke: ink.text, strokeWidth: 1.4 }),
          Plot.text(rows, { y: "name", text: "name", frameAnchor: "left", textAnchor: "end", dx: -8 }),
          Plot.text(rows, {
            y: "name",
            text: (row) => formatNumber(row.undone, 2),
            frameAnchor: "right",
            textAnchor: "end",
            dx: 42,
            fontSize: fontSize.note,
            fill: ink.muted,
          }),
        ],
        color: { type: "identity" },
      }),
    }],
    caption:
      "0: the cleaners write against the writer as before; 1: no longer. Lines: 95 % bootstrap intervals over prompts.",
  });
}

/** The cleaners' ratios in equal parts of the prompt, on the first half of the prompts. */
function positionFigure({ pairs, prompts }: ScanResult, { candidate, verdict }: ExaminedWriter): PlotElement {
  const w = pairs.writers.indexOf(candidate.name);
  const shown = verdict.cleaners.slice(0, 7).map((c) => c.node);
  const rows = shown.flatMap((node, i) =>
    (pairs.byPosition[w][pairs.nodes.indexOf(node)] ?? []).map((ratio, bin) => ({
      node,
      color: seriesStyle(i).color,
      position: (bin + 0.5) * prompts.length / pairs.positionBins,
      ratio: ratio ?? NaN,
    }))
  ).filter((row) => Number.isFinite(row.ratio));
  return compose({
    title: `The same all along the prompt? Ratio of each cleaner to ${candidate.name} by position`,
    legend: shown.map((label, i) => ({ label, style: seriesStyle(i), kind: "line-dot" as const })),
    panels: [{
      plot: plot({
        width: figureWidth,
        height: 190,
        marginLeft: 46,
        marginBottom: 36,
        marginTop: 10,
        x: { domain: [0, prompts.length], label: null },
        y: { zero: true, inset: 6, label: null },
        marks: [
          Plot.axisX({
            label: "position in the prompt",
            labelAnchor: "center",
            labelArrow: "none",
            tickSize: 4,
          }),
          Plot.axisY({ label: null, tickSize: 4, ticks: 5 }),
          Plot.ruleY([0], { stroke: ink.faint }),
          ...shown.map((node, i) =>
            Plot.line(rows.filter((row) => row.node === node), {
              x: "position",
              y: "ratio",
              stroke: seriesStyle(i).color,
              strokeDasharray: seriesStyle(i).dash,
              strokeWidth: 1.8,
            })
          ),
          Plot.dot(rows, { x: "position", y: "ratio", fill: "color", r: 3 }),
        ],
        color: { type: "identity" },
      }),
    }],
    caption:
      `Σ a·b / Σ ‖b‖² in ${pairs.positionBins} equal parts of the prompt; a: the cleaner’s output, b: ${candidate.name}’s.`,
  });
}
