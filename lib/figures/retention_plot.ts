/**
 * Retention over the locations of the residual stream: 1 just after the write, 0 when what is left is
 * orthogonal to what was written. The writer's line stands beside that of its output rotated, which is what
 * any vector of that size and course suffers.
 */
import type { RetentionRow } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { locationPlot, type LocationSeries } from "./location_plot.ts";
import { figureWidth, type PlotElement, styles } from "./theme.ts";

/** Of the two figures on retention. */
export interface RetentionFigureOptions {
  /** The writer to emphasise, such as "L0H2". */
  writer: string;
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Title above the figure. */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof RetentionFigureOptions, true> = {
  writer: true,
  band: true,
  title: true,
  width: true,
};

const names = { writer: "writer", control: "rotated" } as const;
const fields = ["median", "low", "high"] as const;
const describe = (row: RetentionRow) => `${row.writer} at ${row.location}, ${row.run}`;

/** Greys of three weights and dashes: neighbours stay apart without drawing the eye. */
const others = [
  { color: "#777777", symbol: "circle" as const },
  { color: "#999999", dash: "5,3", symbol: "square" as const },
  { color: "#666666", dash: "1.5,2.5", symbol: "triangle" as const },
];

function keys(writer: string, withControl: boolean): Key[] {
  const control: Key = {
    label: "the same, rotated (any such vector)",
    style: styles.patched,
    kind: "line-dot",
  };
  return [
    { label: `${writer}’s output`, style: styles.clean, kind: "line-dot" },
    ...withControl ? [control] : [],
  ];
}

/** The writer's series and its control's, with bands. */
function pair(rows: readonly RetentionRow[], writer: string): LocationSeries[] {
  return (["control", "writer"] as const).map((run) => ({
    name: run === "writer" ? writer : names.control,
    points: rows.filter((row) => row.writer === writer && row.run === run),
    style: run === "writer" ? styles.clean : styles.patched,
    weight: 2.4,
    band: true,
    label: true,
  })).filter(({ points }) => points.length > 0);
}

function need(rows: readonly RetentionRow[], writer: string, figure: string): void {
  const found = distinct(rows.map((row) => row.writer));
  if (found.includes(writer)) return;
  throw new Error(
    `Drawing ${figure} failed: no rows for the writer "${writer}". Got rows for ${found.join(", ")}.`,
  );
}

const tokens = (rows: readonly RetentionRow[], writer: string) =>
  Math.max(...rows.filter((row) => row.writer === writer && row.run === "writer").map((row) => row.n))
    .toLocaleString("en");

/**
 * Figure 1's other panel: retention of several writers of one layer, the named one with its band and its
 * control.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { retention } from "../experiments/retention/retention.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const { rows } = await retention(model, prompts, { writer: "L1H5", rotations: 2 });
 * const figure = fig1Retention(rows, { writer: "L1H5" });
 * console.log(figure.tagName);
 * ```
 */
export function fig1Retention(
  rows: readonly RetentionRow[],
  options: RetentionFigureOptions,
): PlotElement {
  checkFigure("fig1Retention", rows, options, OPTIONS);
  const { writer, band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(rows, fields, "Figure 1, retention", describe);
  need(kept, writer, "Figure 1, retention");
  const rest = distinct(kept.map((row) => row.writer)).filter((name) => name !== writer);
  const series: LocationSeries[] = rest.map((name, i) => ({
    name,
    points: kept.filter((row) => row.writer === name && row.run === "writer"),
    style: others[i % others.length],
    weight: 1.3,
    dots: false,
    label: rest.length <= 10,
  }));
  return compose({
    title: options.title ?? "Retention · What is left of each head’s output, measured by taking it out",
    subtitle: "Retention: 1 = all of it is still in the stream; 0 = nothing is left along it (dotted lines).",
    legend: keys(writer, kept.some((row) => row.writer === writer && row.run === "control")),
    panels: [{
      plot: locationPlot({
        locations: distinct(rows.map((row) => row.location)),
        series: [...series, ...pair(kept, writer)],
        yLabel: `retention (median; ${writer} and its rotated output: ${band})`,
        width,
        height: 300,
      }),
    }],
    caption: sentences(
      `Locations from the write on; ${tokens(kept, writer)} positions, position 0 left out.`,
      rest.length > 0 ? "Grey: the other heads of the layer." : "",
      note,
    ),
    width,
  });
}

/**
 * Figure 3c: retention of the writer beside its control, in the whole model and through the V input of the
 * patched layers alone.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { retention } from "../experiments/retention/retention.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const options = { writer: "L1H5", rotations: 2 };
 * const whole = await retention(model, prompts, options);
 * const through = await retention(model, prompts, { ...options, patchedLayers: [3] });
 * console.log(fig3c(whole.rows, through.rows, { writer: "L1H5", layers: [3] }).tagName);
 * ```
 */
export function fig3c(
  whole: readonly RetentionRow[],
  patched: readonly RetentionRow[],
  options: RetentionFigureOptions & { layers: readonly number[] },
): PlotElement {
  checkFigure("fig3c", whole, options, { ...OPTIONS, layers: true });
  const { writer, layers, band = "25–75 %", width = figureWidth } = options;
  const figure = "Figure 3c";
  const drawn = [whole, patched].map((rows) => drawable(rows, fields, figure, describe));
  for (const { rows } of drawn) need(rows, writer, figure);
  const locations = distinct(whole.map((row) => row.location));
  const through = `Through the values of layer${layers.length === 1 ? "" : "s"} ${layers.join(", ")} alone`;
  return compose({
    title: options.title ?? `Figure 3c · What is left of ${writer}’s output, beside any such vector`,
    subtitle: "Retention: 1 = all of it is still there; 0 = nothing is left along it (dotted lines).",
    legend: keys(writer, drawn.some(({ rows }) => rows.some((row) => row.run === "control"))),
    panels: [`The whole model`, through].map((title, i) => ({
      title,
      plot: locationPlot({
        locations,
        series: pair(drawn[i].rows, writer),
        yLabel: `retention (median, ${band})`,
        width,
        height: 210,
        xTicks: i === 1,
      }),
    })),
    caption: sentences(
      `Bands: ${band} of ${tokens(whole, writer)} positions, position 0 left out.`,
      "Orange: the writer’s own output turned by random rotations; as long, with the same course over the text.",
      ...drawn.map(({ note }) => note),
    ),
    width,
  });
}
