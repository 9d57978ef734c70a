/**
 * What the directions of an erased output are used for: what stands in them by location, who writes into
 * them, who reads from them, each beside random directions and those of a node that is not erased; and the
 * loss when the erased output is put back, beside the same rotated.
 */
import type { ReuseResult } from "../experiments/reuse/reuse.ts";
import type { SpanName } from "../experiments/reuse/rows.ts";
import type { Estimate } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { distinct, sentences } from "./drawable.ts";
import { intervalPlot, type IntervalPoint, intervalPoint } from "./interval_plot.ts";
import { locationPlot, type LocationPoint } from "./location_plot.ts";
import { figureWidth, type PlotElement, type Style, styles } from "./theme.ts";

/** Of the two figures on reuse. */
export interface ReuseFigureOptions {
  /** Title above the figure. */
  title?: string;
  /** Default 640. */
  width?: number;
}

const other: Style = { color: styles.cleaner.color, dash: "2,3", symbol: "square" };
const styleOf: Record<SpanName, Style> = { writer: styles.clean, random: styles.patched, other };

function keys({ writer, other: beside }: ReuseResult, kind: Key["kind"]): Key[] {
  return [
    { label: `the directions of ${writer}’s output`, style: styleOf.writer, kind },
    { label: "random directions, as many", style: styleOf.random, kind },
    ...(beside ? [{ label: `those of ${beside}, not erased`, style: styleOf.other, kind }] : []),
  ];
}

const spansOf = (
  { other }: ReuseResult,
): SpanName[] => ["random", ...(other ? ["other" as const] : []), "writer"];
/** In per cent. */
const point = (name: string, estimate: Estimate): IntervalPoint => intervalPoint(name, estimate, 100);

/**
 * What fills the directions, who writes into them and who reads from them.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { reuse } from "../experiments/reuse/reuse.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const result = await reuse(model, prompts, { rotations: 2, lambdas: [1] });
 * console.log(reusePlot(result).tagName);
 * ```
 */
export function reusePlot(result: ReuseResult, options: ReuseFigureOptions = {}): PlotElement {
  const { width = figureWidth } = options;
  const { writer, occupancy, written, read } = result;
  const locations = distinct(occupancy.map(({ location }) => location));
  const line = (name: string, span: SpanName, content: "all" | "own", style: Style, weight: number) => ({
    name,
    points: occupancy.filter((row) => row.span === span).map((row): LocationPoint => {
      const { name: location, ...values } = point(row.location, row[content]);
      return { location, ...values };
    }),
    style,
    weight,
    band: true,
    label: true,
  });
  const own: Style = { color: styles.clean.color, dash: "2,3", symbol: "circle" };
  const nodes = distinct(written.filter(({ phase }) => phase !== "before").map(({ node }) => node));
  const reading = read.filter(({ reader }) => !/^L\d/.test(reader));
  const nameOf = (row: typeof reading[number]) =>
    row.input === "MLP" || row.input === "unembed" ? row.reader : `${row.input} of ${row.reader}`;
  const names = distinct(reading.map(nameOf));
  return compose({
    title: options.title ?? `Reuse · What the directions of ${writer}’s output hold, and who uses them`,
    subtitle:
      "Percent of an energy, Σ ‖·‖² over the text. 95 % over prompts; of random directions: of one more draw.",
    legend: keys(result, "line-dot"),
    panels: [
      {
        title: "What stands there, as a part of the stream (dashed: what is there because the writer wrote)",
        plot: locationPlot({
          locations,
          series: [
            line("random", "random", "all", styleOf.random, 1.6),
            ...(result.other ? [line(result.other, "other", "all", styleOf.other, 1.6)] : []),
            line("written", "writer", "own", own, 1.6),
            line(writer, "writer", "all", styleOf.writer, 2.4),
          ],
          yLabel: "% of the stream’s energy",
          width,
          height: 230,
        }),
      },
      {
        title: "Who writes there after the writer: percent of what a node writes",
        plot: intervalPlot({
          names: nodes,
          series: spansOf(result).map((span) => ({
            style: styleOf[span],
            points: written.filter((row) => row.span === span && nodes.includes(row.node))
              .map((row) => point(row.node, row.all)),
          })),
          yLabel: "% of the energy of what it writes",
          width,
        }),
      },
      {
        title: "Who reads from there: percent of what an input takes in",
        plot: intervalPlot({
          names,
          series: spansOf(result).map((span) => ({
            style: styleOf[span],
            points: reading.filter((row) => row.span === span).map((row) => point(nameOf(row), row.all)),
          })),
          yLabel: "% of the energy of what it takes in",
          width,
        }),
      },
    ],
    caption: sentences(
      `${result.spans[0].k} direction${result.spans[0].k === 1 ? "" : "s"} with ${
        (100 * result.spans[0].energy).toFixed(0)
      } % of the energy of what ${writer} writes; chance is ${(100 * result.spans[0].chance).toFixed(1)} %.`,
      result.cleaners.length > 0
        ? `Cleaners: ${result.cleaners.join(", ")}.`
        : "Nobody surely erases the output.",
      "Position 0 left out.",
    ),
    width,
  });
}

/**
 * The loss with the erased output put back, and with what stands in the directions at the end exchanged.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { reuse } from "../experiments/reuse/reuse.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const result = await reuse(model, prompts, { rotations: 2, lambdas: [1] });
 * console.log(putBackPlot(result).tagName);
 * ```
 */
export function putBackPlot(result: ReuseResult, options: ReuseFigureOptions = {}): PlotElement {
  const { width = figureWidth } = options;
  const { writer, putBack, needed } = result;
  if (putBack.length === 0) {
    throw new Error("Drawing the loss failed: got no rows. A model without unembedding has no loss.");
  }
  const lambdas = distinct(putBack.map(({ lambda }) => `λ = ${lambda}`));
  const said: Record<SpanName, string> = {
    writer: `${writer}’s directions`,
    random: "random directions",
    other: `${result.other}’s directions`,
  };
  return compose({
    title: options.title ?? `Reuse · Does erasing ${writer}’s output help?`,
    subtitle: "In nats a token. 95 % over prompts; of the control: of one more draw.",
    legend: [
      { label: "the writer’s", style: styles.clean, kind: "interval" },
      { label: "the same, rotated (any such)", style: styles.patched, kind: "interval" },
      ...(result.other ? [{ label: `${result.other}’s`, style: other, kind: "interval" as const }] : []),
    ],
    panels: [
      {
        title: "λ times what was erased is put back after the last cleaner",
        plot: intervalPlot({
          names: lambdas,
          series: (["control", "writer"] as const).map((run) => ({
            style: run === "writer" ? styles.clean : styles.patched,
            points: putBack.filter((row) => row.run === run).map((row) =>
              intervalPoint(`λ = ${row.lambda}`, row.loss)
            ),
          })),
          yLabel: "increase of the loss, nats",
          width,
        }),
      },
      {
        title: "What stands there at the end is exchanged for its mean over the text",
        plot: intervalPlot({
          names: needed.map(({ span }) => said[span]),
          series: needed.map(({ span, loss }) => ({
            style: styleOf[span],
            points: [intervalPoint(said[span], loss)],
          })),
          overlaid: true,
          yLabel: "increase of the loss, nats",
          width,
        }),
      },
    ],
    caption: sentences("Left out: position 0."),
    width,
  });
}
