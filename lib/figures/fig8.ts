/**
 * Figure 8: what the cleaners erase, by position: the projection ratio of the sum of their outputs onto the
 * part of the writer's output that comes from BOS, and onto the part that comes from all other positions.
 */
import * as Plot from "@observablehq/plot";
import type { PositionRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { spread } from "./location_plot.ts";
import { figureWidth, fontSize, ink, plot, type PlotElement, type Style, styles, yTitle } from "./theme.ts";

/** How Figure 8 is drawn. */
export interface Fig8Options {
  /** The band in words. Default "25–75 %". */
  band?: string;
  /**
   * False when the two parts lie on one line, so that the curves cannot tell them apart: the caption says so.
   * Default true.
   */
  apart?: boolean;
  /** Default "Figure 8 · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig8Options, true> = { band: true, apart: true, title: true, width: true };

const parts: { part: PositionRow["part"]; label: string; style: Style }[] = [
  { part: "BOS", label: "onto what the writer moved from BOS", style: styles.clean },
  {
    part: "rest",
    label: "onto what it moved from other positions",
    style: { ...styles.patched, dash: undefined },
  },
];

/**
 * Rows of one writer.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { bosParts } from "../experiments/bos_parts.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await bosParts(model, prompts);
 * const figure = fig8(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig8(rows: readonly PositionRow[], options: Fig8Options = {}): PlotElement {
  checkFigure("fig8", rows, options, OPTIONS);
  const { band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["position", "median", "low", "high"],
    "Figure 8",
    (row) => `position ${row.position}, ${row.part}`,
  );
  const writers = distinct(kept.map((row) => row.writer));
  if (writers.length > 1) {
    throw new Error(
      `Drawing Figure 8 failed: it shows one writer, but the rows name ${
        writers.join(", ")
      }. Filter the rows by writer.`,
    );
  }
  const present = parts.filter(({ part }) => kept.some((row) => row.part === part));
  const sorted = kept.toSorted((a, b) => a.position - b.position);
  // The lines are too ragged for dashes, so each is named at its right end as well.
  const ends = present.map(({ part }) => sorted.findLast((row) => row.part === part)!);
  const values = sorted.flatMap((row) => [row.low, row.high, 0]);
  const unit = (values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b))) / 228;
  const moved = spread(ends.map((row) => row.median), (fontSize.tick + 2) * unit, [-Infinity, Infinity]);
  const yLabel = `projection ratio of the sum of the heads onto the part of ${
    writers[0]
  }’s output (median, ${band})`;
  return compose({
    title: options.title ?? `Figure 8 · What is erased of ${writers[0]}’s output, by position`,
    legend: present.map(({ label, style }) => ({ label, style, kind: "line" })),
    panels: [{
      plot: plot({
        width,
        height: 290,
        marginLeft: 46,
        marginRight: 40,
        marginTop: 24,
        marginBottom: 38,
        x: { label: null },
        y: { zero: true, label: null },
        marks: [
          Plot.axisX({
            label: "position in the prompt (0 = BOS)",
            labelAnchor: "center",
            labelArrow: "none",
            tickSize: 4,
          }),
          Plot.axisY({ label: null, ticks: 7, tickSize: 4 }),
          yTitle(yLabel, 46),
          Plot.ruleY([0], { stroke: ink.faint }),
          ...present.flatMap(({ part, style }) => {
            const own = sorted.filter((row) => row.part === part);
            return [
              Plot.areaY(own, { x: "position", y1: "low", y2: "high", fill: style.color, fillOpacity: 0.16 }),
              Plot.lineY(own, {
                x: "position",
                y: "median",
                stroke: style.color,
                strokeWidth: 1.3,
              }),
              Plot.text([moved[ends.findIndex((row) => row.part === part)]], {
                y: (y) => y,
                text: () => part,
                frameAnchor: "right",
                textAnchor: "start",
                dx: 6,
                fill: style.color,
                fontWeight: 600,
              }),
            ];
          }),
        ],
      }),
    }],
    caption: sentences(
      `Bands: ${band} of the prompts; ${
        Math.max(...kept.map((row) => row.n)).toLocaleString("en")
      } for each value.`,
      options.apart === false
        ? "Both parts lie on one line: the curves are one curve, rescaled, and do not tell which part is erased."
        : "",
      note,
    ),
    width,
  });
}
