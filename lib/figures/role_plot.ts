/**
 * What a node does, in five panels: where it attends, what its output depends on, who needs it, what is lost
 * without it by position and by class of token. Each effect stands beside its control.
 */
import type { RoleResult } from "../experiments/role/role.ts";
import type { AttentionRow, EdgeRow, WithoutRow } from "../experiments/role/rows.ts";
import { compose, type Panel } from "./compose.ts";
import { distinct, sentences } from "./drawable.ts";
import { intervalPlot, type IntervalPoint, intervalPoint } from "./interval_plot.ts";
import { locationPlot, type LocationSeries } from "./location_plot.ts";
import { figureWidth, type PlotElement, type Style, styles } from "./theme.ts";

/** Of the figure on a node's role. */
export interface RoleFigureOptions {
  /** Title above the figure. */
  title?: string;
  /** Edges that are shown, those with the largest effect on the loss. Default 14. */
  edges?: number;
  /** Default 640. */
  width?: number;
}

const third: Style = { color: styles.cleaner.color, dash: "2,3", symbol: "square" };
const exact = (name: string, value: number): IntervalPoint =>
  intervalPoint(name, { value, interval: [value, value] });

const TARGET: Record<AttentionRow["target"], string> = {
  first: "position 0",
  own: "itself",
  previous: "the one before",
  others: "others",
};

function attentionPanel(rows: readonly AttentionRow[], width: number): Panel[] {
  if (rows.length === 0) return [];
  const nameOf = ({ from, to }: AttentionRow) => `${from}–${to}`;
  const locations = distinct(rows.map(nameOf));
  const series = (target: AttentionRow["target"], style: Style, uniform: boolean): LocationSeries => ({
    name: uniform ? "uniform" : TARGET[target],
    points: rows.filter((row) => row.target === target).map((row) => {
      const { name: location, ...values } = uniform
        ? exact(nameOf(row), row.uniform)
        : intervalPoint(nameOf(row), row.weight);
      return { location, ...values };
    }),
    style,
    weight: target === "first" && !uniform ? 2.4 : 1.4,
    band: !uniform,
    label: true,
  });
  return [{
    title: "Where it attends, by the position that attends (orange: uniform attention to position 0)",
    plot: locationPlot({
      locations,
      series: [
        series("first", styles.patched, true),
        series("own", { ...styles.other, dash: "2,3" }, false),
        series("previous", { ...styles.other, dash: "5,3" }, false),
        series("others", third, false),
        series("first", styles.clean, false),
      ],
      yLabel: "attention weight",
      width,
      height: 210,
    }),
  }];
}

const edgeName = ({ reader, input }: EdgeRow) => input === "MLP" ? reader : `${input} of ${reader}`;

function edgePanels(rows: readonly EdgeRow[], most: number, width: number): Panel[] {
  if (rows.length === 0) return [];
  const largest = [...rows].sort((a, b) => b.loss.value - a.loss.value).slice(0, most);
  const shown = rows.filter((row) => largest.includes(row));
  return [{
    title:
      `Who needs it: the loss when one input lacks it (the ${shown.length} largest of ${rows.length} edges)`,
    plot: intervalPlot({
      names: shown.map(edgeName),
      series: [
        { style: styles.patched, points: shown.map((row) => intervalPoint(edgeName(row), row.control)) },
        { style: styles.clean, points: shown.map((row) => intervalPoint(edgeName(row), row.loss)) },
      ],
      yLabel: "increase of the loss, nats a token",
      width,
    }),
  }];
}

const RUNS: { run: WithoutRow["run"]; style: Style }[] = [
  { run: "rotated", style: styles.patched },
  { run: "resampled", style: third },
  { run: "removed", style: styles.clean },
];

function withoutPanels(rows: readonly WithoutRow[], width: number): Panel[] {
  return ([["position", "by position"], ["class", "by class of the predicted token"]] as const).flatMap(
    ([by, say]) => {
      const own = rows.filter((row) => row.by === by);
      if (own.length === 0) return [];
      return [{
        title: `The loss without it, ${say}`,
        plot: intervalPlot({
          names: distinct(own.map(({ group }) => group)),
          series: RUNS.map(({ run, style }) => ({
            style,
            points: own.filter((row) => row.run === run).map((row) => intervalPoint(row.group, row.loss)),
          })),
          yLabel: "increase of the loss, nats a token",
          width,
        }),
      }];
    },
  );
}

/**
 * Attention, variance, edges and losses of one node.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { role } from "../experiments/role/role.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const result = await role(model, prompts, { edgePrompts: 2 });
 * console.log(rolePlot(result).tagName);
 * ```
 */
export function rolePlot(result: RoleResult, options: RoleFigureOptions = {}): PlotElement {
  const { width = figureWidth, edges = 14 } = options;
  const { writer, variance } = result;
  const said = (factor: string) => factor === "previous" ? "token before" : factor;
  return compose({
    title: options.title ?? `Role · What ${writer} does`,
    subtitle: "95 % over prompts; of the control: of one more draw.",
    legend: [
      { label: `${writer}’s output`, style: styles.clean, kind: "interval" },
      { label: "control (rotated, shuffled or uniform)", style: styles.patched, kind: "interval" },
      { label: "exchanged for another prompt’s", style: third, kind: "interval" },
    ],
    panels: [
      ...attentionPanel(result.attention, width),
      {
        title: "What its output depends on: the variance that is explained only with the factor in the sum",
        plot: intervalPlot({
          names: variance.map(({ factor }) => said(factor)),
          series: [
            {
              style: styles.patched,
              points: variance.map(({ factor, shuffledLast }) => exact(said(factor), 100 * shuffledLast)),
            },
            {
              style: styles.clean,
              points: variance.map(({ factor, last }) => intervalPoint(said(factor), last, 100)),
            },
          ],
          yLabel: "% of the variance over tokens",
          width,
        }),
      },
      ...edgePanels(result.edges, edges, width),
      ...withoutPanels(result.without, width),
    ],
    caption: sentences(
      "Variance: type II sums of squares; all: the four together; control: the labels shuffled over the tokens.",
      result.edges.length > 0 ? "Edges: path patching with the norm’s scale frozen." : "",
      "Position 0 left out.",
    ),
    width,
  });
}
