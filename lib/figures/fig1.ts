/**
 * Figure 1: the projection ratio of the residual stream onto the outputs of possible writers, over the
 * forward pass.
 *
 * Top: one line a head (medians), the named writer emphasised. Bottom: the named writer alone with its
 * quantile band. A writer whose output is cleaned up rises to 1 where it writes and falls towards 0 later.
 */
import type { LocationRow } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { locationPlot, type LocationSeries } from "./location_plot.ts";
import { figureWidth, formatNumber, type PlotElement, styles } from "./theme.ts";

/** How Figure 1 is drawn. */
export interface Fig1Options {
  /** The writer to emphasise, such as "L0H2". Must occur in the rows. */
  writer: string;
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default "Figure 1 · Residual stream projected onto each head’s output". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig1Options, true> = { writer: true, band: true, title: true, width: true };

/** Greys of three weights and dashes: neighbours stay apart without drawing the eye. */
const others = [
  { color: "#777777", symbol: "circle" as const },
  { color: "#999999", dash: "5,3", symbol: "square" as const },
  { color: "#666666", dash: "1.5,2.5", symbol: "triangle" as const },
];

/**
 * The top panel's largest range. A head that writes next to nothing has ratios of ±10 and more, which would
 * flatten the line that matters: such lines are cut off, and the caption names them.
 */
const FRAME = [-2, 3] as const;

/** At most this many lines besides the writer's are named; of more, those that end highest and lowest. */
const mostLabels = 10;

/**
 * Rows of the clean run; rows of other runs are left out. Throws when the writer has no rows.
 *
 * @example
 * ```ts
 * import { toSvg } from "./svg.ts";
 * const rows = ["resid_pre0", "resid_mid0"].map((location, i) => (
 *   { writer: "L0H2", location, run: "clean" as const, median: i, low: i - 0.1, high: i + 0.1, n: 100 }
 * ));
 * console.log(toSvg(fig1(rows, { writer: "L0H2" })).length);
 * ```
 */
export function fig1(rows: readonly LocationRow[], options: Fig1Options): PlotElement {
  checkFigure("fig1", rows, options, OPTIONS);
  const { writer, band = "25–75 %", width = figureWidth } = options;
  const clean = rows.filter((row) => row.run === "clean");
  const { rows: kept, note } = drawable(
    clean,
    ["median", "low", "high"],
    "Figure 1",
    (row) => `${row.location} onto ${row.writer}`,
  );
  const names = distinct(kept.map((row) => row.writer));
  if (!names.includes(writer)) {
    if (clean.some((row) => row.writer === writer)) {
      throw new Error(
        `Drawing Figure 1 failed: ${writer} writes nothing, so nothing can be projected onto it.`,
      );
    }
    throw new Error(
      `Drawing Figure 1 failed: no rows for the writer "${writer}". Got rows for ${names.join(", ")}.`,
    );
  }
  const locations = distinct(clean.map((row) => row.location));
  const points = (name: string) => kept.filter((row) => row.writer === name);
  const end = (name: string) => points(name).at(-1)!.median;
  const rest = names.filter((name) => name !== writer);
  const ranked = [...rest].sort((a, b) => end(a) - end(b));
  const half = mostLabels / 2;
  const named = rest.length <= mostLabels ? rest : [...ranked.slice(0, half), ...ranked.slice(-half)];
  const series: LocationSeries[] = rest.map((name, i) => ({
    name,
    points: points(name),
    style: others[i % others.length],
    weight: 1.3,
    dots: false,
    label: named.includes(name),
  }));
  const range = (values: number[]) => [Math.min(...values), Math.max(...values)];
  const [low, high] = range([0, 1, ...kept.map((row) => row.median)]);
  const [ownLow, ownHigh] = range(points(writer).map((row) => row.median));
  const frame = [Math.max(low, Math.min(FRAME[0], ownLow)), Math.min(high, Math.max(FRAME[1], ownHigh))];
  const room = 0.04 * (frame[1] - frame[0]);
  const outside = rest.flatMap((name) => {
    const far = points(name).map((row) => row.median).filter((y) => y < frame[0] || y > frame[1]);
    const most = far.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a, 0);
    return far.length > 0 ? [`${name} (to ${formatNumber(most, 1)})`] : [];
  });
  const own = { name: writer, points: points(writer), style: styles.clean };
  const n = Math.max(...kept.map((row) => row.n));
  return compose({
    title: options.title ?? "Figure 1 · Residual stream projected onto each head’s output",
    subtitle: `Projection ratio: 1 = the output is fully present; 0 = it is absent (dotted lines).`,
    panels: [
      {
        title: rest.length > 0 ? `${names.length} heads; ${writer} is the writer` : writer,
        plot: locationPlot({
          locations,
          series: [...series, { ...own, weight: 2.6, label: true }],
          yDomain: outside.length > 0 ? [frame[0] - room, frame[1] + room] : undefined,
          yLabel: "projection ratio of resid onto the head’s output (median)",
          width,
          height: 270,
          xTicks: false,
        }),
      },
      {
        title: `${writer} alone, with its ${band} band`,
        plot: locationPlot({
          locations,
          series: [{ ...own, weight: 2.4, band: true, label: true }],
          yLabel: `projection ratio of resid onto ${writer} (median, ${band})`,
          width,
          height: 240,
        }),
      },
    ],
    caption: sentences(
      `Locations in the order of the forward pass; ${n.toLocaleString("en")} positions for each value.`,
      outside.length > 0
        ? `Cut off: ${outside.join(", ")}. A ratio is large where a head’s own output is short.`
        : "",
      named.length < rest.length
        ? `Named are ${writer} and the ${mostLabels} lines that end highest and lowest.`
        : "",
      note,
    ),
    width,
  });
}
