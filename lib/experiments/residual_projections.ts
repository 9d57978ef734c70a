/**
 * Figures 1 and 3a: how much of a writer's output the residual stream holds, from before the write to the
 * end. PR of the residual stream at each location onto the writer's output of the clean run.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { projectionRatio, projectionRatiosOntoHeads } from "../metrics/projection.ts";
import type { Results } from "../tensor/outputs.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Model } from "../transformer/model.ts";
import { findNode, headName } from "../transformer/nodes.ts";
import { type Bands, type Experiment, measure, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import type { LocationRow, RunName } from "./rows.ts";

/** Figure 1, top: onto every head of one layer (the post: layer 0). */
export function residualOntoHeads(forward: Forward, layer = 0): Experiment<LocationRow> {
  const stream = forward.residualStream();
  const { n_heads } = forward.config;
  const ratios = projectionRatiosOntoHeads(forward, layer, stream.map((r) => r.value));
  const squared = forward.headResults(layer).sumSquares("d_model").order("batch", "pos", "head");
  const outputs = { ratios, squared };
  const rows = (values: Results<typeof outputs>, bands: Bands) =>
    Array.from({ length: n_heads }, (_, head) =>
      stream.map(({ location }, i) => ({
        writer: headName(layer, head),
        location,
        run: "clean" as const,
        ...bands.bandOfRatios(
          bands.series(values.ratios, i * n_heads + head),
          bands.series(values.squared, head),
        ),
      }))).flat();
  return { outputs, rows };
}

/**
 * Figure 1, bottom, and Figure 3a: onto one writer, in one or several runs. `writer` is the clean run's
 * output of `name`.
 */
export function residualOntoWriter(
  runs: Partial<Record<RunName, Forward>>,
  name: string,
  writer: Tensor,
): Experiment<LocationRow> {
  const places = Object.entries(runs).flatMap(([run, forward]) =>
    forward.residualStream().map(({ location, value }) => ({ run: run as RunName, location, value }))
  );
  const outputs = {
    ratios: places.map(({ value }) => projectionRatio(value, writer)),
    squared: writer.sumSquares("d_model"),
  };
  const rows = ({ ratios, squared }: Results<typeof outputs>, bands: Bands) =>
    places.map(({ run, location }, i) => {
      const band = bands.bandOfRatios(bands.series(ratios[i]), bands.series(squared));
      return { writer: name, location, run, ...band };
    });
  return { outputs, rows };
}

/**
 * Figure 1: both panels in one pass. Rows of the writer stand with those of the other heads of its layer.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { rows } = await residualProjections(model, await promptsFor(model, { count: 4 }));
 * console.log(rows[0].writer, rows[0].location, rows[0].median);
 * ```
 */
export async function residualProjections(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions & { writer?: string } = {},
): Promise<Result<LocationRow>> {
  checkArguments("residualProjections", { model, prompts });
  checkOptions("residualProjections", options, { ...MEASURE_OPTIONS, writer: true });
  const name = options.writer ?? model.cleanup.writer;
  const node = findNode(model.config, name);
  const clean = model.forward();
  const experiment = node.kind === "head"
    ? residualOntoHeads(clean, node.layer)
    : residualOntoWriter({ clean }, name, clean.node(name));
  const { rows, assumptions } = await measure(model, prompts, { experiment }, options);
  return { rows: rows.experiment, assumptions };
}
