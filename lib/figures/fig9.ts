/**
 * Figure 9: does DLA say what a head does? The direct logit attribution (DLA) of each head on each prompt
 * against the effect of resampling its result. Were DLA the whole story, the marks would lie on the dotted
 * diagonal.
 */
import * as Plot from "@observablehq/plot";
import type { AblationRow } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { lastCharacters, symbolNote, visibleEnds } from "./prompt_text.ts";
import {
  axisRange,
  figureWidth,
  fontSize,
  formatNumber,
  ink,
  plot,
  type PlotElement,
  seriesStyle,
  styles,
  yTitle,
} from "./theme.ts";

/** How Figure 9 is drawn. */
export interface Fig9Options {
  /** The head to ring, such as "L0H2". Default: none. */
  writer?: string;
  /** Characters of a prompt in the legend, counted from its end. Default 44. */
  promptCharacters?: number;
  /** Default "Figure 9 · DLA of each head against the effect of resampling it". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig9Options, true> = {
  writer: true,
  promptCharacters: true,
  title: true,
  width: true,
};

/** Up to 7 prompts have colours and symbols of their own; of more, all marks look alike. */
const mostPrompts = 7;

/**
 * Figure 9: DLA of heads beside what resampling them does, one point a head and prompt.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { promptAblation } from "../experiments/prompt_ablation.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await promptAblation(model, model.adversarial.prompts.slice(0, 1), prompts);
 * const figure = fig9(rows);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig9(rows: readonly AblationRow[], options: Fig9Options = {}): PlotElement {
  checkFigure("fig9", rows, options, OPTIONS);
  const { writer, promptCharacters = 44, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["dla", "effect"],
    "Figure 9",
    (row) => `${row.node} on "${row.prompt.slice(-30)}"`,
  );
  const prompts = distinct(kept.map((row) => row.prompt));
  const apart = prompts.length <= mostPrompts;
  const style = (row: AblationRow) => apart ? seriesStyle(prompts.indexOf(row.prompt)) : styles.other;
  const labels = prompts.map((prompt) => `“${lastCharacters(visibleEnds(prompt), promptCharacters)}”`);
  const ringed = kept.filter((row) => row.node === writer);
  // One range for both axes.
  const ends = axisRange(
    kept.flatMap((row) => [row.dla, row.effect, ...row.node === writer ? [row.zeroed] : []]),
  );
  const marginLeft = 46, yLabel = "fall of the logit difference when the head’s result is resampled (logits)";
  const ring: Key = {
    label: `${writer}`,
    style: { color: ink.text, symbol: "circle" },
    kind: "dot",
    hollow: true,
  };
  const zero: Key = {
    label: `${writer} set to zero instead`,
    style: { color: ink.muted, symbol: "square" },
    kind: "small-dot",
    hollow: true,
  };
  return compose({
    title: options.title ?? "Figure 9 · DLA of each head against the effect of resampling it",
    legend: [
      ...(apart ? labels.map((label, i): Key => ({ label, style: seriesStyle(i), kind: "dot" })) : []),
      ...(ringed.length > 0 ? [ring, zero] : []),
    ],
    panels: [{
      plot: plot({
        width,
        height: 0.68 * width,
        marginLeft,
        marginRight: 16,
        marginTop: 26,
        marginBottom: 38,
        x: { domain: ends, label: null },
        y: { domain: ends, label: null },
        marks: [
          Plot.ruleX([0], { stroke: ink.rule }),
          Plot.ruleY([0], { stroke: ink.rule }),
          Plot.axisX({
            label: "DLA of the logit difference (logits)",
            labelAnchor: "center",
            labelArrow: "none",
            tickSize: 4,
          }),
          Plot.axisY({ label: null, tickSize: 4, ticks: 8 }),
          yTitle(yLabel, marginLeft, { fontSize: fontSize.tick }),
          Plot.line(ends.map((x) => [x, x]), { stroke: ink.faint, strokeDasharray: "1,3" }),
          Plot.dot(kept, {
            x: "dla",
            y: "effect",
            r: 3.2,
            symbol: (row: AblationRow) => style(row).symbol,
            fill: (row: AblationRow) => style(row).color,
            fillOpacity: 0.75,
          }),
          Plot.dot(ringed, { x: "dla", y: "effect", r: 7, stroke: ink.text, strokeWidth: 1.4 }),
          Plot.ruleX(ringed, {
            x: "dla",
            y1: "effect",
            y2: "zeroed",
            stroke: ink.faint,
            strokeDasharray: "2,2",
          }),
          Plot.dot(ringed, {
            x: "dla",
            y: "zeroed",
            r: 4,
            symbol: (row: AblationRow) => style(row).symbol,
            fill: "white",
            stroke: (row: AblationRow) => style(row).color,
            strokeWidth: 1.4,
          }),
        ],
        symbol: { type: "identity" },
        color: { type: "identity" },
      }),
    }],
    caption: sentences(
      `Each mark is a head on a prompt (${
        distinct(kept.map((row) => row.node)).length
      } heads, ${prompts.length} ${prompts.length === 1 ? "prompt" : "prompts"}).`,
      "Dotted: where the effect equals the DLA.",
      ...ringed.slice(0, 1).map(() =>
        `${writer}: DLA ${ringed.map((row) => formatNumber(row.dla)).join(", ")}; effect ${
          ringed.map((row) => formatNumber(row.effect)).join(", ")
        }; set to zero ${ringed.map((row) => formatNumber(row.zeroed)).join(", ")}.`
      ),
      apart ? symbolNote(labels) : "",
      note,
    ),
    width,
  });
}
