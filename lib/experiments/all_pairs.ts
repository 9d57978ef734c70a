/**
 * The appendix plot of the post's repository: PR of the residual stream at every location onto every node.
 * One pass; the medians of Figure 1 are among them.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { projectionRatio, projectionRatiosOntoHeads } from "../metrics/projection.ts";
import type { NdArray } from "../tensor/nd_array.ts";
import { stack, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Model } from "../transformer/model.ts";
import { modelNodes } from "../transformer/nodes.ts";
import { type Bands, type Experiment, measure, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import type { LocationRow } from "./rows.ts";

export function residualOntoAllNodes(forward: Forward): Experiment<LocationRow> {
  const { n_layers, n_heads } = forward.config;
  const stream = forward.residualStream();
  const values = stream.map((r) => r.value);
  const outputs: Record<string, Tensor> = {};
  for (let layer = 0; layer < n_layers; layer++) {
    outputs[`heads${layer}`] = projectionRatiosOntoHeads(forward, layer, values);
    outputs[`squared${layer}`] = forward.headResults(layer).sumSquares("d_model").order(
      "batch",
      "pos",
      "head",
    );
  }
  const nodes = modelNodes(forward.config);
  for (const node of nodes) {
    if (node.kind === "head") continue;
    const ratios = projectionRatio(stack(values, "value"), forward.node(node.name));
    outputs[node.name] = ratios.order("batch", "pos", "value");
    outputs[`squared ${node.name}`] = forward.node(node.name).sumSquares("d_model");
  }
  const rows = (arrays: Record<string, NdArray>, bands: Bands) =>
    nodes.flatMap((node) =>
      stream.map(({ location }, i) => {
        const [ratios, squared] = node.kind === "head"
          ? [
            bands.series(arrays[`heads${node.layer}`], i * n_heads + node.head),
            bands.series(arrays[`squared${node.layer}`], node.head),
          ]
          : [bands.series(arrays[node.name], i), bands.series(arrays[`squared ${node.name}`])];
        return { writer: node.name, location, run: "clean" as const, ...bands.ofRatios(ratios, squared) };
      })
    );
  return { outputs, rows };
}

/** Projection ratio of the stream at every location onto every node: the appendix's matrix. */
export async function allPairs(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions = {},
): Promise<Result<LocationRow>> {
  checkArguments("allPairs", { model, prompts });
  checkOptions("allPairs", options, MEASURE_OPTIONS);
  const experiment = residualOntoAllNodes(model.forward());
  const { rows, assumptions } = await measure(model, prompts, { experiment }, options);
  return { rows: rows.experiment, assumptions };
}
