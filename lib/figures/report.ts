/**
 * The plots of a scan's report, from its result: what is left of each examined writer's output beside its
 * control, the same of anything written in each layer, a heat map of responses, and for each writer found its
 * retention over the depth and who takes it back.
 */
import type { PairResponseRow } from "../experiments/rows.ts";
import type { ExaminedWriter } from "../experiments/scan/examine.ts";
import type { ScanResult } from "../experiments/scan/scan.ts";
import { compose } from "./compose.ts";
import { isWide } from "../experiments/scan/candidates.ts";
import { distinct, sentences } from "./drawable.ts";
import { heatMap } from "./heat_map.ts";
import { intervalPlot, intervalPoint } from "./interval_plot.ts";
import { locationPlot } from "./location_plot.ts";
import { type PlotElement, styles } from "./theme.ts";

/** A figure of a scan's report. */
export interface ReportFigure {
  /** Letters, digits, "_" and "-": "heat_map", "L0H2_locations". */
  name: string;
  /** The drawing. */
  figure: PlotElement;
}

/** More rows or columns cannot be read; those with the largest responses are drawn. */
const MOST_WRITERS = 40, MOST_NODES = 60, MOST_CLEANERS = 16;

/**
 * What is left of each examined writer's output, and of its control, with intervals. `undefined` when none
 * was examined.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { scan } from "../experiments/scan/scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * console.log(writersPlot(result)?.tagName);
 * ```
 */
export function writersPlot({ writers }: ScanResult): PlotElement | undefined {
  if (writers.length === 0) return undefined;
  const points = (which: "left" | "control") => writers.map((w) => intervalPoint(w.writer, w[which]));
  return compose({
    title: "What is left of each examined output at the end of the stream",
    subtitle:
      "1 = all of it; 0 = erased. Where the two are apart, more is erased of the output than of a random direction.",
    legend: [
      { label: "the writer’s output", style: styles.clean, kind: "interval" },
      { label: "the same, rotated (control)", style: styles.patched, kind: "interval" },
    ],
    panels: [{
      plot: intervalPlot({
        names: writers.map((w) => w.writer),
        series: [
          { style: styles.clean, points: points("left") },
          { style: styles.patched, points: points("control") },
        ],
        yLabel: "retention at the end (median over tokens, 95 % interval over prompts)",
      }),
    }],
  });
}

/**
 * What is left at the end of what is written in each layer, whatever it says. `undefined` with fewer than two
 * layers, and where none writes anything.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { scan } from "../experiments/scan/scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * console.log(layersPlot(result)?.tagName);
 * ```
 */
export function layersPlot({ layers }: ScanResult): PlotElement | undefined {
  const kinds = ["head", "mlp"] as const;
  const silent = layers.filter(isWide);
  const names = distinct(layers.filter((l) => l.kind !== "embed").map((l) => `${l.layer}`));
  if (names.length < 2) return undefined;
  const series = kinds.flatMap((kind) => {
    // A layer that writes nothing has no retention.
    const drawn = layers.filter((l) => l.kind === kind && Number.isFinite(l.left) && !isWide(l));
    const points = drawn.map((l) => ({
      location: `${l.layer}`,
      median: l.left,
    }));
    if (points.length === 0) return [];
    const [name, style] = kind === "head" ? ["heads", styles.clean] : ["MLPs", styles.cleaner];
    return [{ name, points, style, label: true }];
  });
  if (series.length === 0) return undefined;
  return compose({
    title: "What happens to anything that is written: retention of rotated outputs, by layer",
    panels: [{
      plot: locationPlot({
        locations: names,
        series,
        yLabel: "left at the end (median), by the layer it was written in",
        height: 200,
      }),
    }],
    caption: sentences(
      "Outputs of the layer’s own nodes, rotated at random: as long and with the same course, but saying something else.",
      silent.length > 0
        ? "Left out: layers where what a missing output changes elsewhere is larger than the output."
        : "",
    ),
  });
}

/**
 * Responses of later nodes (columns) to writers (rows), in the order of the forward pass. `undefined`: no
 * node reads another.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { scan } from "../experiments/scan/scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * console.log(scanHeatMap(result)?.tagName);
 * ```
 */
export function scanHeatMap({ responses, writers, passedOver }: ScanResult): PlotElement | undefined {
  const { nodes, ratios } = responses;
  const ranked = [...writers.map((w) => w.writer), ...passedOver.map((c) => c.name)]; // the most erased first
  const rows = ranked.slice(0, MOST_WRITERS).map((name) => nodes.indexOf(name)).sort((a, b) => a - b);
  const column = (c: number) => Math.max(0, ...rows.map((w) => Math.min(1, Math.abs(ratios[w][c]))));
  const columns = nodes.map((_, c) => c).filter((c) => column(c) > 0).sort((a, b) => column(b) - column(a))
    .slice(0, MOST_NODES).sort((a, b) => a - b);
  const cells: PairResponseRow[] = rows.flatMap((w) =>
    columns.map((c) => ({
      writer: nodes[w],
      node: nodes[c],
      ratio: c > w && ratios[w][c] !== 0 ? ratios[w][c] : NaN,
    }))
  );
  if (!cells.some((cell) => Number.isFinite(cell.ratio))) return undefined;
  const part = rows.length < nodes.length || columns.length < nodes.length
    ? ` (the ${rows.length} of ${nodes.length} outputs of which most is erased, and the ${columns.length} later nodes that answer most)`
    : "";
  return heatMap(cells, { title: `What later nodes write back of each output${part}` });
}

/**
 * The plots of one writer that was found.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { scan } from "../experiments/scan/scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * for (const writer of result.writers) {
 *   console.log(writerFigures(result, writer).map(({ name }) => name));
 * }
 * ```
 */
export function writerFigures(result: ScanResult, writer: ExaminedWriter): ReportFigure[] {
  const figures = [{ name: `${writer.writer}_locations`, figure: depthPlot(result, writer) }];
  if (writer.cleaners.length > 0) {
    figures.push({ name: `${writer.writer}_cleaners`, figure: cleanersPlot(writer) });
  }
  return figures;
}

/** Retention over the whole depth; the line begins where the output is written. */
function depthPlot({ stream }: ScanResult, { writer, locations }: ExaminedWriter): PlotElement {
  const points = (run: "writer" | "control") => locations.filter((row) => row.run === run);
  const start = locations[0].location;
  return compose({
    title: `How much of ${writer}’s output is left, from where it is written (${start})`,
    panels: [{
      plot: locationPlot({
        locations: stream.map((s) => s.location),
        series: [
          { name: "control", points: points("control"), style: styles.patched, label: true, dots: false },
          {
            name: writer,
            points: points("writer"),
            style: styles.clean,
            weight: 2.6,
            band: true,
            label: true,
          },
        ],
        yLabel: "retention (median; band: quartiles over tokens)",
        height: 230,
        mark: { location: start, text: "written" },
      }),
    }],
  });
}

function cleanersPlot({ writer, cleaners, specificRatio }: ExaminedWriter): PlotElement {
  const strongest = [...cleaners].sort((a, b) => b.specific.value - a.specific.value).slice(0, MOST_CLEANERS);
  const shown = cleaners.filter((c) => strongest.includes(c)); // in the order of the forward pass
  const sum = shown.reduce((total, c) => total + c.specific.value, 0);
  return compose({
    title: `Who takes ${writer}’s output back, beyond the control`,
    panels: [{
      plot: intervalPlot({
        names: shown.map((c) => c.node),
        series: [{
          style: styles.cleaner,
          points: shown.map(({ node, specific }) => intervalPoint(node, specific)),
        }],
        yLabel: `part of ${writer}’s output (95 % interval over prompts)`,
      }),
    }],
    caption:
      `${
        shown.length === cleaners.length ? "All" : `The ${shown.length} largest of ${cleaners.length}`
      } cleaners: ` +
      `together ${sum.toFixed(2)}; all later nodes together ${
        specificRatio.toFixed(2)
      } (the rest is small or not sure, or adds).`,
  });
}
