/**
 * Projection ratios and DLA at every position of two prompts of the embedded model, against values that
 * TransformerLens gave in double precision (tests/reference/record.py, "points/").
 */
import { assertEquals } from "@std/assert";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { cleanerOutputs } from "../../lib/experiments/composition_attribution.ts";
import { sumName } from "../../lib/experiments/node_projections.ts";
import {
  attributionVector,
  directLogitAttribution,
  topTwo,
  unembedding,
} from "../../lib/metrics/attribution.ts";
import { headProjectionRatios, projectionRatio } from "../../lib/metrics/projection.ts";
import { vInputPatch } from "../../lib/metrics/v_composition.ts";
import { run } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed } from "../../lib/transformer/model.ts";
import { findNode, modelNodes } from "../../lib/transformer/nodes.ts";
import { assertClose, embeddedPrompts } from "../transformer/models.ts";

const PREFIX = "points/";
const file = await SafetensorsFile.open(
  new URL("../reference/data/tiny-gelu-4l.safetensors", import.meta.url).pathname,
);
const expected = new Map<string, { data: ArrayLike<number>; dims: number[] }>();
for (const name of file.tensors.keys()) {
  if (!name.startsWith(PREFIX)) continue;
  const { data, dims } = await file.read(name);
  expected.set(name.slice(PREFIX.length), { data: data as ArrayLike<number>, dims });
}
file.close();

const model = await loadModel();
const prompts = await embeddedPrompts(2, 256);
const { writer: writerName, cleaners, patchedLayers } = model.cleanup;
const clean = model.forward();
const writer = clean.node(writerName);
const patched = model.forward({ hooks: vInputPatch(clean, patchedLayers, writer) });

/** Compares all points of `group`, each times `factor` [batch, pos] where one is given. */
async function compare(
  group: string,
  outputs: Record<string, Tensor>,
  factor?: ArrayLike<number>,
): Promise<void> {
  const names = [...expected.keys()].filter((name) => name.startsWith(group));
  assertEquals(Object.keys(outputs).sort(), names.sort());
  const scaled = (data: ArrayLike<number>) =>
    factor ? Float64Array.from(data, (value, i) => value * factor[i]) : data;
  const measured = Object.entries(await run(outputs, feed(prompts)));
  const wanted = names.map((name) => {
    const { data, dims } = expected.get(name)!;
    return [name, { data: scaled(data), dims }] as const;
  });
  const got = measured.map(([name, { data, shape }]) =>
    [name, { data: scaled(data), shape } as typeof measured[0][1]] as const
  );
  assertClose(new Map(got), new Map(wanted), 1e-4, group);
}

Deno.test("TransformerLens, points: the same prompts were recorded", () => {
  const { data, dims } = expected.get("tokens")!;
  assertEquals(dims, [prompts.count, prompts.length]);
  assertEquals(Array.from(data), [...prompts.tokens]);
});

for (const [name, forward] of Object.entries({ clean, patched })) {
  Deno.test(`TransformerLens, points: projection ratios of the ${name} run, times ‖b‖², agree to 1e-4 of their scale`, async () => {
    const outputs: Record<string, Tensor> = {};
    for (const { location, value } of forward.residualStream()) {
      outputs[`${name}/${location}`] = projectionRatio(value, writer);
    }
    for (const node of modelNodes(model.config)) {
      if (node.name === writerName) continue;
      outputs[`${name}/${node.name}`] = node.kind === "head"
        ? headProjectionRatios(forward, node.layer, writer).select("head", node.head)
        : projectionRatio(forward.node(node.name), writer);
    }
    // Times ‖b‖²: where the writer's output is almost zero, the ratio itself magnifies what float32 rounds
    // off.
    await compare(`${name}/`, outputs, expected.get("writer_norm2")!.data);
  });
}

Deno.test("TransformerLens, points: the writer's norm and DLA agree to 1e-4 of their scale, the top two tokens exactly", async () => {
  const { first, second } = topTwo(clean);
  const vector = attributionVector(clean, unembedding(clean, first).sub(unembedding(clean, second)));
  const dla = (c: Tensor) => directLogitAttribution(c, vector);
  const outputs: Record<string, Tensor> = { "dla/writer": dla(writer) };
  const layers = [...new Set(cleaners.map((name) => findNode(model.config, name).layer))];
  for (const group of [...layers.map((l) => cleaners.filter((c) => c.startsWith(`L${l}H`))), cleaners]) {
    const { total, composition } = cleanerOutputs(clean, writer, group);
    outputs[`dla/composition ${sumName(group)}`] = dla(composition);
    outputs[`dla/total ${sumName(group)}`] = dla(total);
  }
  await compare("dla/", outputs);
  await compare("writer_norm2", { writer_norm2: writer.sumSquares("d_model") });
  const top = await run({ first, second }, feed(prompts));
  const pairs = Array.from(top.first.data, (id, i) => [id, top.second.data[i]]).flat();
  assertEquals(pairs, Array.from(expected.get("top2")!.data));
});
