/**
 * Figure 6: how long the vectors are that each head of a layer makes of the embeddings: ‖scaled embedding ·
 * W_V · W_O‖, as histograms over the vocabulary (tokens) and over the positions. One panel a head; the
 * writer's is marked.
 *
 * Histograms have bins of different widths, so the height of a bin is its share divided by its width.
 */
import * as Plot from "@observablehq/plot";
import type { NormSummary } from "../experiments/embedding_norms.ts";
import type { NormRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { intervalPlot } from "./interval_plot.ts";
import { figureWidth, ink, plot, type PlotElement, type Style, styles } from "./theme.ts";

/** How Figure 6 is drawn. */
export interface Fig6Options {
  /** The head to mark, such as "L0H2". Default: none. */
  writer?: string;
  /** Default "Figure 6 · Length of the embeddings after each head’s W_V and W_O". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig6Options, true> = { writer: true, title: true, width: true };

const kinds: { embedding: NormRow["embedding"]; label: string; style: Style }[] = [
  { embedding: "token", label: "token embeddings", style: styles.clean },
  { embedding: "position", label: "positional embeddings", style: { ...styles.patched, dash: "5,2" } },
];

const scales: Record<NormRow["scale"], string> = {
  own: "Each embedding is divided by its own LayerNorm scale, as if it stood alone.",
  shared:
    "All embeddings are divided by one scale, that of a token plus a position, as they are in the model.",
};

/**
 * Panels share the horizontal axis, so that lengths can be compared; a shared vertical one would flatten a
 * head of many lengths.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { embeddingNorms } from "../experiments/embedding_norms.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { rows } = await embeddingNorms(model);
 * const figure = fig6(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig6(rows: readonly NormRow[], options: Fig6Options = {}): PlotElement {
  checkFigure("fig6", rows, options, OPTIONS);
  const { writer, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["from", "to", "share"],
    "Figure 6",
    (row) => `${row.embedding} embeddings of ${row.node}`,
  );
  const scale = distinct(kept.map((row) => row.scale));
  if (scale.length > 1) {
    throw new Error(`Drawing Figure 6 failed: got rows of the scales ${scale.join(" and ")}. Expected one.`);
  }
  const heads = distinct(kept.map((row) => row.node));
  const columns = Math.min(4, heads.length);
  const density = (row: NormRow) => row.to > row.from ? row.share / (row.to - row.from) : 0;
  const most = Math.max(...kept.map((row) => row.share > 0 ? row.to : 0));
  const top = (head: string) => Math.max(...kept.map((row) => row.node === head ? density(row) : 0));
  /**
   * The outline of a histogram: up at the first bin's left edge, down to 0 after the last bin that holds
   * anything.
   */
  const outline = (bins: NormRow[]) => {
    const full = bins.slice(0, bins.findLastIndex((row) => row.share > 0) + 1);
    return full.length === 0
      ? []
      : [...full.map((row) => ({ x: row.from, y: density(row) })), { x: full.at(-1)!.to, y: 0 }];
  };
  return compose({
    title: options.title ?? "Figure 6 · Length of the embeddings after each head’s W_V and W_O",
    legend: kinds.filter(({ embedding }) => kept.some((row) => row.embedding === embedding))
      .map(({ label, style }) => ({ label, style, kind: "line" })),
    columns,
    panels: heads.map((head) => ({
      title: head === writer ? `${head} (writer)` : head,
      plot: plot({
        width: width / columns,
        height: 130,
        marginLeft: 34,
        marginRight: 8,
        marginTop: 8,
        marginBottom: 24,
        x: { domain: [0, most || 1], label: null },
        y: { domain: [0, 1.05 * top(head) || 1], label: null },
        marks: [
          Plot.axisX({ label: null, ticks: 4, tickSize: 3 }),
          Plot.axisY({ label: null, ticks: 3, tickSize: 3 }),
          Plot.ruleY([0], { stroke: ink.faint }),
          ...kinds.flatMap(({ embedding, style }) => {
            const bins = kept.filter((row) => row.node === head && row.embedding === embedding);
            const curve = { x: "x", y: "y", curve: "step-after" as const };
            return [
              Plot.areaY(outline(bins), { ...curve, fill: style.color, fillOpacity: 0.2 }),
              Plot.lineY(outline(bins), {
                ...curve,
                stroke: style.color,
                strokeWidth: 1.5,
                strokeDasharray: style.dash,
              }),
            ];
          }),
        ],
      }),
    })),
    caption: sentences(
      "Horizontal: ‖scaled embedding · W_V · W_O‖. Vertical: share of the embeddings of a kind per unit of length.",
      scales[scale[0]],
      "All panels have the same horizontal axis, and each its own vertical one.",
      note,
    ),
    width,
  });
}

/**
 * The same at the scale that tokens and positions share in the model, where one kind may be many times
 * shorter than the other, so that histograms would be spikes: median and quartiles over the embeddings of a
 * kind, side by side for each head.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { embeddingNorms } from "../experiments/embedding_norms.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { summary } = await embeddingNorms(model, { scale: "shared" });
 * const figure = fig6Shared(summary);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig6Shared(summary: readonly NormSummary[], options: Fig6Options = {}): PlotElement {
  checkFigure("fig6Shared", summary, options, OPTIONS);
  const { writer, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    summary,
    ["median", "low", "high"],
    "Figure 6, shared scale",
    (row) => `${row.embedding} embeddings of ${row.node}`,
  );
  const present = kinds.filter(({ embedding }) => kept.some((row) => row.embedding === embedding));
  return compose({
    title: options.title ?? "Figure 6, shared scale · Length of the embeddings after each head’s W_V and W_O",
    legend: present.map(({ label, style }) => ({ label, style, kind: "interval" })),
    panels: [{
      plot: intervalPlot({
        names: distinct(kept.map((row) => row.node)),
        label: (node) => node === writer ? `${node} (writer)` : node,
        series: present.map(({ embedding, style }) => ({
          style,
          points: kept.filter((row) => row.embedding === embedding).map((row) => ({
            name: row.node,
            ...row,
          })),
        })),
        yLabel: "‖embedding / shared scale · W_V · W_O‖ (median, 25–75 %)",
        width,
      }),
    }],
    caption: sentences("Over the vocabulary, and over the positions.", scales.shared, note),
    width,
  });
}
