/**
 * Figures 1, 2 and 3 in one pass over the prompts: the clean run is computed once for all of them, and the
 * patched run shares its first layers. The same values can be summed up in several ways (quartiles or 12.5 to
 * 87.5 %, all positions or some).
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { run, type RunOptions } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode } from "../transformer/nodes.ts";
import { Bands, finite, type MeasureOptions, outputsOf, rowsOf } from "./experiment.ts";
import { nodesOntoWriter } from "./node_projections.ts";
import { patchExperiments } from "./patched_projections.ts";
import { residualOntoHeads } from "./residual_projections.ts";
import type { LocationRow, NodeRow } from "./rows.ts";

/** How values become medians and bands. */
export type View = Pick<MeasureOptions, "quantiles" | "positions">;

export interface FirstFigures {
  fig1: LocationRow[];
  fig2: NodeRow[];
  fig3a: LocationRow[];
  fig3b: NodeRow[];
}

/**
 * The rows of the four pictures for each of the `views` (default: one, quartiles over all positions). Writer,
 * cleaners and patched layers are those of the model's cleanup.json. @throws when the writer is no head.
 */
export async function figures1to3(
  model: Model,
  prompts: Prompts,
  views: readonly View[] = [{}],
  options: RunOptions = {},
): Promise<FirstFigures[]> {
  const { writer: name, cleaners } = model.cleanup;
  const node = findNode(model.config, name);
  if (node.kind !== "head") {
    throw new Error(`Figures 1 to 3 in one pass: got writer ${name}; expected a head`);
  }
  const clean = model.forward();
  const patch = patchExperiments(model, clean);
  const experiments = {
    fig1: residualOntoHeads(clean, node.layer),
    fig2: nodesOntoWriter(clean, name, clean.node(name), { cleaners }),
    fig3a: patch.locations,
    clean: patch.clean,
    patched: patch.patched,
  };
  const bands = views.map((view) => new Bands(view)); // checked before anything runs
  const values = await run(outputsOf(experiments), feed(prompts, model.config), options);
  const rows = await finite(
    model,
    prompts,
    () => bands.map((band) => rowsOf(experiments, values, band)),
  );
  return rows.map(({ fig1, fig2, fig3a, clean, patched }) => ({
    fig1,
    fig2,
    fig3a,
    fig3b: [...clean, ...patched],
  }));
}
