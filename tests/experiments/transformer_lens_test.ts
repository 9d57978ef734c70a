// Figures 1 to 5 on the embedded model against what TransformerLens gave (data/expected/tiny-gelu-4l.json,
// recorded by tests/reference/expected.py), every number within the tolerance that the file states.
import { assertEquals, assertGreater } from "@std/assert";
import { resampledAttribution } from "../../lib/experiments/adversarial.ts";
import { compositionAttribution, REPOSITORY_FORM } from "../../lib/experiments/composition_attribution.ts";
import { compare, expectedRows, loadExpected } from "../../lib/experiments/expected.ts";
import { nodeProjections, sumName } from "../../lib/experiments/node_projections.ts";
import { patchedProjections } from "../../lib/experiments/patched_projections.ts";
import { residualProjections } from "../../lib/experiments/residual_projections.ts";
import { shorten } from "../../lib/checkpoints/mod.ts";
import {
  attributionVector,
  directLogitAttribution,
  topTwo,
  unembedding,
} from "../../lib/metrics/attribution.ts";
import { run } from "../../lib/tensor/run.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";
import { feed } from "../../lib/transformer/model.ts";
import { findNode, modelNodes } from "../../lib/transformer/nodes.ts";

const expected = await loadExpected("tiny-gelu-4l");
const model = await loadModel("tiny-gelu-4l");
const prompts = await promptsFor(model);
const { cleaners, patchedLayers, writer } = model.cleanup;
const cleaningLayers = new Set(cleaners.map((name) => findNode(model.config, name).layer)).size;
/** One for each cleaning layer, and one over all where there are several. */
const sums = cleaningLayers === 1 ? 1 : cleaningLayers + 1;
const inner: [number, number] = [1, prompts.length - 2];
const wide: [number, number] = [0.125, 0.875];

/** Every expected value of the figure was measured and agrees; there are at least `atLeast` of them. */
function agrees(figure: string, rows: readonly object[], atLeast: number, quantiles?: [number, number]) {
  const found = compare(figure, rows, expected, { quantiles });
  assertGreater(found.length, atLeast - 1);
  assertEquals(found.filter(({ verdict }) => verdict !== "agrees"), []);
}

Deno.test("Figure 1: the residual stream onto all heads of the writer's layer", async () => {
  agrees("fig1", (await residualProjections(model, prompts)).rows, 8 * 9 * 4);
});

Deno.test("Figure 1 without the first and last position, in the wide band", async () => {
  const { rows } = await residualProjections(model, prompts, { positions: inner, quantiles: wide });
  agrees("fig1, inner positions", rows, 8 * 9 * 4, wide);
});

Deno.test("appendix: the residual stream onto an embedding and an MLP", async () => {
  for (const name of ["pos_embed", "MLP1"]) {
    const { rows } = await residualProjections(model, prompts, { writer: name });
    const own = { ...expected, figures: { appendix: { ...expected.figures.appendix } } };
    own.figures.appendix.rows = expectedRows(expected, "appendix", { writer: name });
    const found = compare("appendix", rows, own);
    assertEquals([found.length, found.filter(({ verdict }) => verdict !== "agrees")], [9 * 4, []]);
  }
});

Deno.test("Figure 2: every node onto the writer, and the sums over the cleaners", async () => {
  agrees(
    "fig2",
    (await nodeProjections(model, prompts)).rows,
    (modelNodes(model.config).length - 1 + sums) * 4,
  );
});

Deno.test("Figure 3: clean and patched", async () => {
  const { locations, nodes } = await patchedProjections(model, prompts);
  agrees("fig3a", locations, 18 * 4);
  const late = patchedLayers.length * model.config.n_heads + sums;
  agrees("fig3b", nodes, 2 * late * 4); // clean and patched
});

Deno.test("Figure 3 with every layer after the writer's patched, without the first and last position", async () => {
  const later = model.config.n_layers - 1 - model.writersLayer;
  const options = {
    patchedLayers: Array.from({ length: later }, (_, i) => model.writersLayer + 1 + i),
    positions: inner,
  };
  const { locations } = await patchedProjections(model, prompts, options);
  // cleanup.json names them all: recorded once, under the figure's own name
  const same = patchedLayers.length === later;
  agrees(`fig3a${same ? "" : ", every later layer patched"}, inner positions`, locations, 9 * 4);
});

Deno.test("Figure 4: the writer and the head with the highest DLA, clean and resampled", async () => {
  const { rows } = await resampledAttribution(model, model.adversarial.prompts, prompts);
  agrees("fig4", rows, 8 * 5);
});

Deno.test("DLA of the writer in running text", async () => {
  const clean = model.forward();
  const { first, second, logitDifference } = topTwo(clean);
  const vector = attributionVector(clean, unembedding(clean, first).sub(unembedding(clean, second)));
  const dla = directLogitAttribution(clean.node(writer), vector);
  const made = await run(
    { clean: dla, logitDifference, first, second },
    feed(shorten(prompts, { count: 30 })),
  );
  const rows = expectedRows(expected, "fig4 in running text").map(({ promptIndex, position, node }) => {
    const at = { batch: Number(promptIndex), pos: Number(position) };
    const values = { clean: made.clean.at(at), logitDifference: made.logitDifference.at(at) };
    return {
      promptIndex,
      position,
      node,
      ...values,
      correctId: made.first.at(at),
      incorrectId: made.second.at(at),
    };
  });
  agrees("fig4 in running text", rows, 10 * 4);
});

Deno.test("Figure 5: all cleaners, a single one, and the repository's form", async () => {
  const thirty = shorten(prompts, { count: 30 }), ten = shorten(prompts, { count: 10 });
  for (const group of [cleaners, cleaners.slice(-1)]) {
    const name = sumName(group);
    const label = group === cleaners ? "" : `, ${name} alone`;
    const fits = ({ fit, totalFit }: Awaited<ReturnType<typeof compositionAttribution>>) => [
      { cleaners: name, of: "composition", ...fit },
      { cleaners: name, of: "total", ...totalFit },
    ];
    agrees(`fig5${label}`, fits(await compositionAttribution(model, thirty, { cleaners: group })), 12);
    const form = { ...REPOSITORY_FORM, positions: [32, prompts.length - 2] as const, cleaners: group };
    agrees(`fig5, repository form${label}`, fits(await compositionAttribution(model, ten, form)), 12);
  }
  const positions = { positions: inner };
  const { fit, totalFit } = await compositionAttribution(model, thirty, positions);
  const name = sumName(cleaners);
  const rows = [{ cleaners: name, of: "composition", ...fit }, { cleaners: name, of: "total", ...totalFit }];
  agrees("fig5, inner positions", rows, 12);
});
