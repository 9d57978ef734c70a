/**
 * Figures of cleaners in detail: parts, positions and what is left of what was said, each beside its
 * control.
 */
import type {
  DirectionRow,
  LensRow,
  NeuronRow,
  PartsRow,
  PositionsRow,
  SuppressionRow,
} from "../experiments/cleaners/rows.ts";
import { compose, type Key } from "./compose.ts";
import { depthPlot } from "./depth_plot.ts";
import { distinct, drawable, sentences } from "./drawable.ts";
import { intervalPlot, type IntervalPoint, intervalPoint } from "./interval_plot.ts";
import { locationPlot } from "./location_plot.ts";
import { figureWidth, type PlotElement, seriesStyle, styles } from "./theme.ts";

/** Of the figures on cleaners. */
export interface CleanersFigureOptions {
  /** Default 640. */
  width?: number;
}

const legend = (own: string): Key[] => [
  { label: own, style: styles.clean, kind: "interval" },
  { label: "the same, rotated (control)", style: styles.patched, kind: "interval" },
];

type Part = NeuronRow | DirectionRow;
const nameOf = (row: Part) => "neuron" in row ? `n${row.neuron}` : `σ${row.direction}`;

/**
 * What each cleaner writes back, and below what its largest parts do.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { cleanersInDetail } from "../experiments/cleaners/cleaners.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * const parts = [...result.neurons, ...result.directions];
 * console.log(cleanerParts(result.cleaners, parts).tagName);
 * ```
 */
export function cleanerParts(
  cleaners: readonly PartsRow[],
  parts: readonly (NeuronRow | DirectionRow)[],
  options: CleanersFigureOptions = {},
): PlotElement {
  const { width = figureWidth } = options;
  const { rows } = drawable(cleaners, ["parts"], "cleaners by part", ({ node }) => node);
  const names = rows.map(({ node }) => node);
  const whole = (of: "response" | "control") => rows.map((row) => intervalPoint(row.node, row[of]));
  // of each cleaner that surely takes back more: its first parts
  const sure = rows.filter(({ half }) => half !== undefined).map(({ node }) => node);
  const shown = sure.flatMap((node) => parts.filter((row) => row.node === node).slice(0, 3));
  const label = (row: Part) => `${row.node} ${nameOf(row)}`;
  const each = (of: "response" | "control") => shown.map((row) => intervalPoint(label(row), row[of]));
  const panel = (
    title: string,
    list: string[],
    points: (of: "response" | "control") => IntervalPoint[],
  ) => ({
    title,
    plot: intervalPlot({
      names: list,
      series: [
        { style: styles.clean, points: points("response") },
        { style: styles.patched, points: points("control") },
      ],
      yLabel: "response: below 0, it writes back (95 % interval over prompts)",
      width,
    }),
  });
  const writer = rows[0].writer;
  return compose({
    title: `What each cleaner writes back of ${writer}’s output, and which of its parts do it`,
    legend: legend(`${writer}’s output`),
    panels: [
      panel("Whole nodes", names, whole),
      ...shown.length > 0
        ? [panel("Their largest parts (σ: singular directions of W_OV, n: neurons)", shown.map(label), each)]
        : [],
    ],
    caption: sentences(
      "Ratio of sums over positions from 1 on. The parts of a node add up to its response.",
      sure.length < names.length
        ? `Parts are drawn of nodes that surely take back more than of the control: ${
          sure.join(", ") || "none"
        }.`
        : "",
    ),
    width,
  });
}

/**
 * Responses by octave of positions, summed over the cleaners' rows given, beside the control's.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { cleanersInDetail } from "../experiments/cleaners/cleaners.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * console.log(cleanerPositions(result.positions).tagName);
 * ```
 */
export function cleanerPositions(
  rows: readonly PositionsRow[],
  options: CleanersFigureOptions = {},
): PlotElement {
  const { width = figureWidth } = options;
  const { rows: kept } = drawable(rows, ["from", "to"], "cleaners by position", ({ node }) => node);
  const nodes = distinct(kept.map(({ node }) => node));
  const bins = distinct(kept.map(({ from, to }) => from === to ? `${from}` : `${from}–${to}`));
  const series = nodes.map((node, i) => {
    const points = kept.filter((row) => row.node === node).map((
      { specific: { value, interval: [low, high] } },
      x,
    ) => ({
      x,
      y: value,
      low,
      high,
    }));
    return { style: seriesStyle(i), points };
  });
  return compose({
    title: `Where in the text do the cleaners take ${kept[0].writer}’s output back?`,
    subtitle: `Positions, in octaves: ${bins.join(", ")}.`,
    legend: nodes.map((node, i) => ({ label: node, style: seriesStyle(i), kind: "line-dot" as const })),
    panels: [{
      plot: depthPlot({
        series,
        xLabel: "octave of positions",
        yLabel: "taken back beyond the control (part of the output)",
        width,
        height: 230,
      }),
    }],
    caption: "Control’s response minus the output’s; 95 % intervals over prompts and rotations.",
    width,
  });
}

/**
 * What is left of the output by location: in the stream, of what it said, and how much what has become of
 * it says.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { cleanersInDetail } from "../experiments/cleaners/cleaners.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * console.log(cleanerLens(result.lens).tagName);
 * ```
 */
export function cleanerLens(rows: readonly LensRow[], options: CleanersFigureOptions = {}): PlotElement {
  const { width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    [],
    "what is left of what was said",
    ({ location }) => location,
  );
  const locations = distinct(kept.map(({ location }) => location));
  const titles = {
    stream: "Along itself in the stream: Σ Δ·w / Σ ‖w‖²",
    logits: "Of what it said, over all logits: Σ Δ·w / Σ w·w of their logits",
    size: "How much what has become of it says, whatever that is: √(Σ Δ·Δ / Σ w·w) of their logits",
  };
  const writer = kept[0].writer;
  const fields = (Object.keys(titles) as (keyof typeof titles)[]).filter((field) =>
    kept.some((row) => Number.isFinite(row[field].value))
  );
  return compose({
    title: `What is left of what ${writer} said`,
    legend: [
      { label: `${writer}’s output`, style: styles.clean, kind: "line-dot" },
      { label: "the same, rotated (control)", style: styles.patched, kind: "line-dot" },
    ],
    panels: fields.map((field, i) => ({
      title: titles[field],
      plot: locationPlot({
        locations,
        series: (["control", "writer"] as const).flatMap((run) => {
          const points = kept.filter((row) => row.run === run).map((row) => {
            const { value, interval: [low, high] } = row[field];
            return { location: row.location, median: value, low, high };
          });
          if (points.length === 0) return [];
          return [{ name: run, points, style: run === "writer" ? styles.clean : styles.patched, band: true }];
        }),
        yLabel: "1: as written",
        width,
        height: 170,
        xTicks: i === fields.length - 1,
      }),
    })),
    caption: sentences("Bands: 95 % intervals over prompts (of the control over rotations too).", note),
    width,
  });
}

/**
 * Does a cleaner oppose what the other earlier nodes predict?
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { cleanersInDetail } from "../experiments/cleaners/cleaners.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * console.log(cleanerSuppression(result.suppression).tagName);
 * ```
 */
export function cleanerSuppression(
  rows: readonly SuppressionRow[],
  options: CleanersFigureOptions = {},
): PlotElement {
  const { width = figureWidth } = options;
  const { rows: kept } = drawable(rows, [], "opposed predictions", ({ node }) => node);
  const points = (of: "opposed" | "control") => kept.map((row) => intervalPoint(row.node, row[of]));
  return compose({
    title: "Erases a direction, or suppresses a prediction?",
    subtitle:
      "Part of what all earlier nodes but the writer predict that a cleaner’s whole output takes back.",
    legend: [
      { label: "on the text", style: styles.clean, kind: "interval" },
      { label: "what it writes on another text (control)", style: styles.patched, kind: "interval" },
    ],
    panels: [{
      plot: intervalPlot({
        names: kept.map(({ node }) => node),
        series: [
          { style: styles.clean, points: points("opposed") },
          { style: styles.patched, points: points("control") },
        ],
        yLabel: "part of their prediction, over all logits (95 % interval over prompts)",
        width,
      }),
    }],
    caption: "Above 0 and above the control: it suppresses what is predicted. Near 0: it leaves that alone.",
    width,
  });
}
