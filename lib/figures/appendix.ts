/**
 * The appendix plot: the projection ratio of the residual stream at every location onto every node, with
 * quantile bands, one small panel a node. Figure 1 for all nodes at once: who else is written and later
 * erased?
 */
import type { LocationRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { locationPlot } from "./location_plot.ts";
import { figureWidth, type PlotElement, styles } from "./theme.ts";

/** Of the figure on all pairs. */
export interface AppendixOptions {
  /** The node to mark, such as "L0H2". Default: none. */
  writer?: string;
  /** Panels in a row. Default 4. */
  columns?: number;
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default "Appendix · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof AppendixOptions, true> = {
  writer: true,
  columns: true,
  band: true,
  title: true,
  width: true,
};

/**
 * Rows of the clean run. Each panel has its own vertical axis, since ratios differ tenfold between nodes.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { allPairs } from "../experiments/all_pairs.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await allPairs(model, prompts);
 * const figure = appendix(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function appendix(rows: readonly LocationRow[], options: AppendixOptions = {}): PlotElement {
  checkFigure("appendix", rows, options, OPTIONS);
  const { writer, columns = 4, band = "25–75 %", width = figureWidth } = options;
  const clean = rows.filter((row) => row.run === "clean");
  const { rows: kept, note } = drawable(
    clean,
    ["median", "low", "high"],
    "the appendix",
    (row) => `${row.location} onto ${row.writer}`,
  );
  const nodes = distinct(kept.map((row) => row.writer));
  const locations = distinct(clean.map((row) => row.location));
  const bottom = (i: number) => i + columns >= nodes.length;
  return compose({
    title: options.title ?? "Appendix · Residual stream projected onto every node’s output",
    columns,
    panels: nodes.map((node, i) => ({
      title: node === writer ? `${node} (writer)` : node,
      plot: locationPlot({
        locations,
        tickNames: locations.map((location) => location.replace(/^resid_/, "")),
        series: [{
          name: node,
          points: kept.filter((row) => row.writer === node),
          style: node === writer ? styles.clean : styles.other,
          weight: 1.5,
          band: true,
          dots: false,
        }],
        yLabel: "",
        width: width / columns,
        height: bottom(i) ? 128 : 92,
        xTicks: bottom(i),
      }),
    })),
    caption: sentences(
      `Median and ${band} of the projection ratio of ${locations[0]} … ${
        locations.at(-1)
      }, in the order of the forward pass.`,
      "Dotted: 0 and 1. Each panel has its own vertical axis.",
      note,
    ),
    width,
  });
}
