/**
 * Figure 3: is it the writer's output that the cleaners read? The writer's output is taken out of their V
 * input (with the LayerNorm scale frozen; Q and K untouched), and the projections of Figures 1 and 2 are
 * measured again. Both runs project onto the writer's output of the clean run.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { vInputPatch } from "../metrics/v_composition.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Model } from "../transformer/model.ts";
import { headName } from "../transformer/nodes.ts";
import { type Experiment, measure, type MeasureOptions } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import { checkPatchedLayers } from "./patched_layers.ts";
import { nodesOntoWriter } from "./node_projections.ts";
import { residualOntoWriter } from "./residual_projections.ts";
import type { LocationRow, NodeRow } from "./rows.ts";

/** What is patched. */
export interface PatchOptions {
  /** Default: the model's writer, cleaners and patched layers, from its cleanup.json. */
  writer?: string;
  /** Nodes to take for the cleaners. Default: those of the model's cleanup.json. */
  cleaners?: readonly string[];
  /** Layers whose value input lacks the writer's output. Default: those of cleanup.json. */
  patchedLayers?: readonly number[];
}

const OPTIONS: Record<keyof (MeasureOptions & PatchOptions), true> = {
  ...MEASURE_OPTIONS,
  writer: true,
  cleaners: true,
  patchedLayers: true,
};

/** The experiments of Figure 3 on a clean run that others may share. */
export function patchExperiments(
  model: Model,
  clean: Forward,
  options: PatchOptions = {},
): { locations: Experiment<LocationRow>; clean: Experiment<NodeRow>; patched: Experiment<NodeRow> } {
  const { writer: name = model.cleanup.writer, cleaners = model.cleanup.cleaners } = options;
  const layers = options.patchedLayers ?? model.cleanup.patchedLayers;
  checkPatchedLayers(model.config, name, layers);
  const writer = clean.node(name);
  const patched = model.forward({ hooks: vInputPatch(clean, layers, writer), tokens: clean.tokens });
  const nodes = layers.flatMap((layer) =>
    Array.from({ length: model.config.n_heads }, (_, head) => headName(layer, head))
  );
  return {
    locations: residualOntoWriter({ clean, patched }, name, writer),
    clean: nodesOntoWriter(clean, name, writer, { nodes, cleaners, run: "clean" }),
    patched: nodesOntoWriter(patched, name, writer, { nodes, cleaners, run: "patched" }),
  };
}

/**
 * Figure 3a (locations) and 3b (nodes), clean and patched.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { locations } = await patchedProjections(model, prompts);
 * const end = locations.filter((row) => row.location === "resid_post3");
 * for (const { run, median } of end) console.log(run, median);
 * ```
 */
export async function patchedProjections(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions & PatchOptions = {},
): Promise<{ locations: LocationRow[]; nodes: NodeRow[]; assumptions: Record<string, string> }> {
  checkArguments("patchedProjections", { model, prompts });
  checkOptions("patchedProjections", options, OPTIONS);
  const experiments = patchExperiments(model, model.forward(), options);
  const { rows, assumptions } = await measure(model, prompts, experiments, options);
  const layers = options.patchedLayers ?? model.cleanup.patchedLayers;
  return {
    locations: rows.locations,
    nodes: [...rows.clean, ...rows.patched],
    assumptions: {
      ...assumptions,
      patch: `V input of layers ${layers.join(", ")}, ln1 scale frozen to the clean run's`,
    },
  };
}
