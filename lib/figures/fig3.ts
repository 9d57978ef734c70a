/**
 * Figure 3: what is left of the clean-up when the cleaners' V input does not contain the writer's output.
 *
 * a: the projection ratio of the residual stream onto the writer, clean and patched, with bands. b: that of
 * each head given (the post: the heads of layer 2), clean and patched, side by side. In the patched run the
 * writer's output is taken out of the V input of the cleaners' layer; what the cleaners wrote only because
 * they read the writer there is then missing.
 */
import type { LocationRow, NodeRow, RunName } from "../experiments/rows.ts";
import { compose, type Key } from "./compose.ts";
import { checkFigure, distinct, drawable, sentences } from "./drawable.ts";
import { intervalPlot } from "./interval_plot.ts";
import { locationPlot } from "./location_plot.ts";
import { figureWidth, type PlotElement, styles } from "./theme.ts";

/** How Figure 3 is drawn. */
export interface Fig3Options {
  /** The band in words. Default "25–75 %". */
  band?: string;
  /** Default: "Figure 3a · …", "Figure 3b · …". */
  title?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof Fig3Options, true> = { band: true, title: true, width: true };

const runs: RunName[] = ["clean", "patched"];
const runLabel: Record<RunName, string> = {
  clean: "clean run",
  patched: "patched run (writer taken out of the V input)",
};

function keys(rows: { run: RunName }[], kind: Key["kind"]): Key[] {
  return runs.filter((run) => rows.some((row) => row.run === run))
    .map((run) => ({ label: runLabel[run], style: styles[run], kind }));
}

function onlyWriter(rows: { writer: string }[], figure: string): string {
  const writers = distinct(rows.map((row) => row.writer));
  if (writers.length !== 1) {
    throw new Error(
      `Drawing ${figure} failed: it shows one writer, but the rows name ${
        writers.join(", ")
      }. Filter the rows by writer.`,
    );
  }
  return writers[0];
}

/**
 * Figure 3a. Rows of one writer, of the clean and the patched run.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { patchedProjections } from "../experiments/patched_projections.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { locations } = await patchedProjections(model, prompts);
 * const figure = fig3a(locations);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig3a(rows: readonly LocationRow[], options: Fig3Options = {}): PlotElement {
  checkFigure("fig3a", rows, options, OPTIONS);
  const { band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["median", "low", "high"],
    "Figure 3a",
    (row) => `${row.location} onto ${row.writer}, ${row.run} run`,
  );
  const writer = onlyWriter(kept, "Figure 3a");
  return compose({
    title: options.title ?? `Figure 3a · Residual stream projected onto ${writer}, clean and patched`,
    legend: keys(kept, "line-dot"),
    panels: [{
      plot: locationPlot({
        locations: distinct(rows.map((row) => row.location)),
        series: runs.map((run) => ({
          name: run,
          points: kept.filter((row) => row.run === run),
          style: styles[run],
          weight: 2.4,
          band: true,
          label: true,
        })).filter((series) => series.points.length > 0),
        yLabel: `projection ratio of resid onto ${writer} (median, ${band})`,
        width,
        height: 290,
      }),
    }],
    caption: sentences(
      `Bands: ${band} of ${Math.max(...kept.map((row) => row.n)).toLocaleString("en")} positions.`,
      note,
    ),
    width,
  });
}

/**
 * Figure 3b. Rows of the heads to show onto one writer, of the clean and the patched run.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { patchedProjections } from "../experiments/patched_projections.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { nodes } = await patchedProjections(model, prompts);
 * const figure = fig3b(nodes);
 * console.log(figure.tagName); // an element with an <svg> in it: toSvg(figure) is its text
 * ```
 */
export function fig3b(rows: readonly NodeRow[], options: Fig3Options = {}): PlotElement {
  checkFigure("fig3b", rows, options, OPTIONS);
  const { band = "25–75 %", width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["median", "low", "high"],
    "Figure 3b",
    (row) => `${row.node} onto ${row.writer}, ${row.run} run`,
  );
  const writer = onlyWriter(kept, "Figure 3b");
  const nodes = distinct(kept.map((row) => row.node));
  const cleaners = new Set(kept.filter((row) => row.cleaner).map((row) => row.node));
  const present = runs.filter((run) => kept.some((row) => row.run === run));
  return compose({
    title: options.title ?? `Figure 3b · Each node’s output projected onto ${writer}, clean and patched`,
    legend: keys(kept, "interval"),
    panels: [{
      plot: intervalPlot({
        names: nodes,
        label: (node) => cleaners.has(node) ? `${node}*` : node,
        series: present.map((run) => ({
          style: styles[run],
          points: kept.filter((row) => row.run === run).map((row) => ({ name: row.node, ...row })),
        })),
        yLabel: `projection ratio of the node’s output onto ${writer} (median, ${band})`,
        width,
      }),
    }],
    caption: sentences(
      `Error bars: ${band} of ${Math.max(...kept.map((row) => row.n)).toLocaleString("en")} positions.`,
      cleaners.size > 0 ? "* cleaner." : "",
      note,
    ),
    width,
  });
}
