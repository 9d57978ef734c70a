/**
 * Figures 1 and 3a: how much of a writer's output the residual stream holds, from before the write to the
 * end. PR of the residual stream at each location onto the writer's output of the clean run.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { projectionRatio, projectionRatiosOntoHeads } from "../metrics/projection.ts";
import type { NdArray } from "../tensor/nd_array.ts";
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
  const rows = (values: Record<string, NdArray>, bands: Bands) =>
    Array.from({ length: n_heads }, (_, head) =>
      stream.map(({ location }, i) => ({
        writer: headName(layer, head),
        location,
        run: "clean" as const,
        ...bands.ofRatios(
          bands.series(values.ratios, i * n_heads + head),
          bands.series(values.squared, head),
        ),
      }))).flat();
  return { outputs: { ratios, squared }, rows };
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
  const outputs: Record<string, Tensor> = { squared: writer.sumSquares("d_model") };
  for (const [run, forward] of Object.entries(runs)) {
    for (const { location, value } of forward.residualStream()) {
      outputs[`${run} ${location}`] = projectionRatio(value, writer);
    }
  }
  const rows = ({ squared, ...values }: Record<string, NdArray>, bands: Bands) =>
    Object.entries(values).map(([key, array]) => {
      const [run, location] = key.split(" ");
      const band = bands.ofRatios(bands.series(array), bands.series(squared));
      return { writer: name, location, run: run as RunName, ...band };
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
