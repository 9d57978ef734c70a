/**
 * The appendix plot of the post's repository: PR of the residual stream at every location onto every node.
 * One pass; the medians of Figure 1 are among them.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { projectionRatio, projectionRatiosOntoHeads } from "../metrics/projection.ts";
import type { Results } from "../tensor/outputs.ts";
import { stack } from "../tensor/tensor.ts";
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
  const nodes = modelNodes(forward.config);
  const others = nodes.filter((node) => node.kind !== "head").map((node) => {
    const output = forward.node(node.name);
    const ratios = projectionRatio(stack(values, "value"), output).order("batch", "pos", "value");
    return [node.name, { ratios, squared: output.sumSquares("d_model") }] as const;
  });
  const outputs = {
    headsOf: Array.from({ length: n_layers }, (_, layer) => ({
      ratios: projectionRatiosOntoHeads(forward, layer, values),
      squared: forward.headResults(layer).sumSquares("d_model").order("batch", "pos", "head"),
    })),
    others: Object.fromEntries(others),
  };
  const rows = ({ headsOf, others }: Results<typeof outputs>, bands: Bands) =>
    nodes.flatMap((node) => {
      const [{ ratios, squared }, heads, head] = node.kind === "head"
        ? [headsOf[node.layer], n_heads, node.head]
        : [others[node.name], 1, 0];
      const lengths = bands.series(squared, head);
      return stream.map(({ location }, i) => {
        const band = bands.bandOfRatios(bands.series(ratios, i * heads + head), lengths);
        return { writer: node.name, location, run: "clean" as const, ...band };
      });
    });
  return { outputs, rows };
}

/**
 * Projection ratio of the stream at every location onto every node: the appendix's matrix.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const { rows } = await allPairs(model, prompts);
 * console.log(rows.length); // nodes × locations
 * ```
 */
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
