/**
 * Figure 4: adversarial prompts for direct logit attribution (DLA).
 *
 * One line a prompt: the node's DLA of the logit difference in the clean run (circle on a stem), and below it
 * its distribution when the node's input at the last position is replaced by that of unrelated texts (dots
 * for single texts, a diamond for the median, a bar for the quantiles). A node that reads the prompt to write
 * its answer would lose its DLA by the replacement; one whose DLA is unmoved does not depend on the prompt.
 */
import * as Plot from "@observablehq/plot";
import type { PromptRow } from "../experiments/rows.ts";
import { Random } from "../stats/random.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { wrapText } from "./font.ts";
import { promptLines, symbolNote, visibleEnds } from "./prompt_text.ts";
import { figureWidth, fontSize, formatNumber, ink, plot, type PlotElement, styles } from "./theme.ts";

/** How Figure 4 is drawn. */
export interface Fig4Options {
  /**
   * Which panel is drawn of rows of both; the axis is the same for both then. Needed when the rows are of
   * both.
   */
  panel?: PromptRow["panel"];
  /** The bar in words. Default "25–75 %". */
  band?: string;
  /** Characters of a prompt that are shown, counted from its end. Default 140. */
  promptCharacters?: number;
  /** Default "Figure 4a · …" or "Figure 4b · …", after the panel in the rows. */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig4Options, true> = {
  panel: true,
  band: true,
  promptCharacters: true,
  title: true,
  width: true,
};

/** Pixels. */
const labelWidth = 250, lineHeight = 14, rowGap = 14, leastRow = 48;

/** How far the resampled distribution lies below the middle of its row; the clean value is above it. */
const lane = 7;

/**
 * Rows of one panel, or of both with the option `panel`: then both are drawn on one axis, and can be
 * compared.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { resampledAttribution } from "../experiments/adversarial.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const { rows } = await resampledAttribution(model, model.adversarial.prompts.slice(0, 1), prompts);
 * const figure = fig4(rows, { panel: "a" });
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig4(rows: readonly PromptRow[], options: Fig4Options = {}): PlotElement {
  checkFigure("fig4", rows, options, OPTIONS);
  const { band = "25–75 %", promptCharacters = 140, width = figureWidth } = options;
  const { rows: all, note } = drawable(
    rows,
    ["clean", "median", "low", "high"],
    "Figure 4",
    (row) => `${row.node} on "${row.prompt.slice(-30)}"`,
  );
  const panels = options.panel ? [options.panel] : distinct(all.map((row) => row.panel));
  const kept = all.filter((row) => row.panel === panels[0]);
  if (panels.length > 1 || kept.length === 0) {
    const got = distinct(all.map((row) => row.panel)).join(" and ");
    throw new Error(
      `Drawing Figure 4 failed: got rows of the panels ${got}. Expected the option panel: "a" or "b".`,
    );
  }
  const shared = all.length > kept.length;
  const finite = all.flatMap((row) => [row.clean, row.low, row.high, ...row.samples]).filter(Number.isFinite);
  const domain = [Math.min, Math.max].map((most) => finite.reduce((a, b) => most(a, b), 0));
  const nodes = distinct(kept.map((row) => row.node));
  const lines = kept.map((row) => [
    ...promptLines(row.prompt, labelWidth, promptCharacters).map((text) => ({ text, answer: false })),
    ...wrapText(
      `“${visibleEnds(row.correct)}” over “${visibleEnds(row.incorrect)}” by ${
        formatNumber(row.logitDifference, 2)
      }${nodes.length > 1 ? ` · ${row.node}` : ""}`,
      labelWidth,
      fontSize.tick,
    ).map((text) => ({ text, answer: true })),
  ]);
  // Pixels from the top of the frame to the middle of each row.
  const heights = lines.map((line) => Math.max(leastRow, line.length * lineHeight + rowGap));
  const tops = heights.map((_, i) => heights.slice(0, i).reduce((sum, h) => sum + h, 0));
  const middle = (i: number) => tops[i] + heights[i] / 2;
  const total = tops.at(-1)! + heights.at(-1)!;
  const random = new Random(1);
  const samples = kept.flatMap((row, i) =>
    row.samples.filter(Number.isFinite).map((x) => ({ x, y: middle(i) + lane + 20 * (random.next() - 0.5) }))
  );
  const count = Math.max(...kept.map((row) => row.samples.length));
  const marginTop = 4, marginBottom = 40, marginLeft = labelWidth + 18, marginRight = 16;
  const of = kept.map((row, i) => ({ row, i }));
  type Item = (typeof of)[number];
  const what = nodes.length === 1 ? nodes[0] : "the head with the highest DLA besides the writer";
  return compose({
    title: options.title ?? `Figure 4${panels[0]} · DLA of ${what}, clean and with its input resampled`,
    legend: [
      { label: "clean", style: styles.clean, kind: "dot" },
      { label: `resampled: median and ${band}`, style: resampled, kind: "interval" },
      { label: "one resampled input", style: { color: "#eab99a", symbol: "circle" }, kind: "small-dot" },
    ],
    panels: [{
      plot: plot({
        width,
        height: total + marginTop + marginBottom,
        marginTop,
        marginBottom,
        marginLeft,
        marginRight,
        x: { domain, nice: true, label: null, inset: 8 },
        y: { type: "linear", domain: [total, 0], axis: null },
        marks: [
          Plot.ruleY(tops.slice(1), { stroke: ink.rule, insetLeft: -marginLeft, insetRight: -marginRight }),
          Plot.ruleX([0], { stroke: ink.faint }),
          Plot.text(lines.flatMap((line, i) => line.map((part, k) => ({ part, i, k, n: line.length }))), {
            y: ({ i, k, n }) => middle(i) + (k - (n - 1) / 2) * lineHeight,
            text: ({ part }) => part.text,
            frameAnchor: "left",
            textAnchor: "start",
            dx: -marginLeft,
            fill: ({ part }) => part.answer ? ink.muted : ink.text,
            fontSize: fontSize.tick,
          }),
          Plot.axisX({
            label: "DLA of the logit difference (logits)",
            labelAnchor: "center",
            labelArrow: "none",
            tickSize: 4,
            ticks: 6,
          }),
          Plot.dot(samples, { x: "x", y: "y", r: 1.5, fill: resampled.color, fillOpacity: 0.25 }),
          Plot.ruleY(of, {
            x1: ({ row }: Item) => row.low,
            x2: ({ row }: Item) => row.high,
            y: ({ i }: Item) => middle(i) + lane,
            stroke: resampled.color,
            strokeWidth: 1.8,
          }),
          ...(["low", "high"] as const).map((end) =>
            Plot.ruleX(of, { // the caps
              x: ({ row }: Item) => row[end],
              y1: ({ i }: Item) => middle(i) + lane - 5,
              y2: ({ i }: Item) => middle(i) + lane + 5,
              stroke: resampled.color,
              strokeWidth: 1.8,
            })
          ),
          Plot.dot(of, {
            x: ({ row }: Item) => row.median,
            y: ({ i }: Item) => middle(i) + lane,
            symbol: resampled.symbol,
            r: 5,
            fill: resampled.color,
            stroke: "white",
            strokeWidth: 1,
          }),
          Plot.ruleX(of, { // from the clean value into the distribution, to compare them
            x: ({ row }: Item) => row.clean,
            y1: ({ i }: Item) => middle(i) + lane + 10,
            y2: ({ i }: Item) => middle(i) - 15,
            stroke: styles.clean.color,
            strokeWidth: 1.2,
          }),
          Plot.dot(of, {
            x: ({ row }: Item) => row.clean,
            y: ({ i }: Item) => middle(i) - 15,
            symbol: styles.clean.symbol,
            r: 4.6,
            fill: styles.clean.color,
            stroke: "white",
            strokeWidth: 1,
          }),
        ],
        symbol: { type: "identity" },
      }),
    }],
    caption: sentences(
      `Beside each prompt: the answers, the likelier over the other, and by how many logits the model prefers it.`,
      shared ? "Panels a and b have the same axis." : "",
      count > 0 ? `${count} resampled inputs for each prompt.` : "",
      symbolNote(lines.flat().map((line) => line.text)),
      note,
    ),
    width,
  });
}

const resampled = { color: styles.patched.color, symbol: "diamond" as const };
