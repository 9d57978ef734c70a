/**
 * Figure 10: the projection ratio of the residual stream onto the writer at the last position of each
 * adversarial prompt, one line a prompt. What Figure 1 shows for many positions is seen here in single ones.
 */
import type { PromptLocationRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { locationPlot } from "./location_plot.ts";
import { lastCharacters, symbolNote, visibleEnds } from "./prompt_text.ts";
import { figureWidth, type PlotElement, seriesStyle } from "./theme.ts";

/** How Figure 10 is drawn. */
export interface Fig10Options {
  /** Characters of a prompt in the legend, counted from its end. Default 44. */
  promptCharacters?: number;
  /** Default "Figure 10 · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig10Options, true> = { promptCharacters: true, title: true, width: true };

/**
 * Rows of one writer; at most 7 prompts, since more lines could not be told apart.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { promptLocations } from "../experiments/prompt_locations.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { rows } = await promptLocations(model, [{ text: "I like tea and" }]);
 * const figure = fig10(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig10(rows: readonly PromptLocationRow[], options: Fig10Options = {}): PlotElement {
  checkFigure("fig10", rows, options, OPTIONS);
  const { promptCharacters = 44, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["ratio"],
    "Figure 10",
    (row) => `${row.location} of "${row.prompt.slice(-30)}"`,
  );
  const writers = distinct(kept.map((row) => row.writer)), prompts = distinct(kept.map((row) => row.prompt));
  if (writers.length > 1 || prompts.length > 7) {
    throw new Error(
      `Drawing Figure 10 failed: it shows one writer and up to 7 prompts, but the rows name ${
        writers.join(", ")
      } ` +
        `and ${prompts.length} prompts. Filter the rows.`,
    );
  }
  const labels = prompts.map((prompt) => `“${lastCharacters(visibleEnds(prompt), promptCharacters)}”`);
  return compose({
    title: options.title ??
      `Figure 10 · Residual stream projected onto ${writers[0]}, at the end of single prompts`,
    legend: prompts.map((_, i) => ({ label: labels[i], style: seriesStyle(i), kind: "line-dot" })),
    panels: [{
      plot: locationPlot({
        locations: distinct(rows.map((row) => row.location)),
        series: prompts.map((prompt, i) => ({
          name: prompt,
          points: kept.filter((row) => row.prompt === prompt)
            .map(({ location, ratio }) => ({ location, median: ratio })),
          style: seriesStyle(i),
        })),
        yLabel: `projection ratio of resid onto ${writers[0]}, last position`,
        width,
        height: 290,
      }),
    }],
    caption: sentences("Locations in the order of the forward pass.", symbolNote(labels), note),
    width,
  });
}
