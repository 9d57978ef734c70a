/**
 * Figure 7: how much the loss grows when one head's result is replaced by that of another prompt, for each
 * head of a layer; and, where the rows have them, what zero and the mean over prompts in its place do to one
 * head.
 */
import type { LossRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { intervalPlot } from "./interval_plot.ts";
import { figureWidth, formatNumber, type PlotElement, styles } from "./theme.ts";

/** How Figure 7 is drawn. */
export interface Fig7Options {
  /** The head to mark with a square, such as "L0H2". Default: none. */
  writer?: string;
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default "Figure 7 · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig7Options, true> = { writer: true, band: true, title: true, width: true };

const names: Record<LossRow["by"], string> = { none: "", resampled: "", zero: "zero", mean: "mean" };

/**
 * One row a head; that of the clean run ("none") is named in the caption.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { resampleAblation } from "../experiments/resample_ablation.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await resampleAblation(model, prompts, { heads: ["L1H4", "L1H5"] });
 * const figure = fig7(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig7(rows: readonly LossRow[], options: Fig7Options = {}): PlotElement {
  checkFigure("fig7", rows, options, OPTIONS);
  const { writer, band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(rows, ["median", "low", "high"], "Figure 7", (row) => row.node);
  const clean = kept.find((row) => row.node === "none");
  const heads = kept.filter((row) => row !== clean);
  const replaced = distinct(heads.map((row) => row.by)).length > 1;
  const label = (row: LossRow) =>
    replaced && row.by !== "resampled" ? `${row.node} ${names[row.by]}` : row.node;
  if (heads.length === 0) {
    throw new Error(
      `Drawing Figure 7 failed: got only the clean run. Expected a row for each resampled head.`,
    );
  }
  const points = heads.map((row) => ({ name: label(row), ...row }));
  const own = points.filter((point) => point.node === writer);
  const rest = points.filter((point) => point.node !== writer);
  const square = { ...styles.clean, symbol: "square" as const };
  return compose({
    title: options.title ?? "Figure 7 · Loss when one head’s result is resampled",
    legend: own.length === 0 ? [] : [
      { label: `${writer} (writer)`, style: square, kind: "interval" },
      { label: "other head", style: styles.other, kind: "interval" },
    ],
    panels: [{
      plot: intervalPlot({
        names: distinct(points.map((point) => point.name)),
        // Each head has one row, so both series stand in the middle of their names.
        series: [{ style: styles.other, points: rest }, { style: square, points: own }],
        overlaid: true,
        yLabel: `increase of a prompt’s mean loss (nats per token; median, ${band})`,
        width,
      }),
    }],
    caption: sentences(
      `Each head’s result comes from another prompt; all else is as in the clean run.`,
      replaced
        ? "“zero”: the result is zero; “mean”: it is its mean over the prompts at the same position."
        : "",
      `${Math.max(...heads.map((row) => row.n)).toLocaleString("en")} prompts.`,
      clean ? `Median loss of the clean run: ${formatNumber(clean.median)} nats per token.` : "",
      note,
    ),
    width,
  });
}
