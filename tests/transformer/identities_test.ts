/** Exact identities that the method rests on, on the embedded model and on small ones. */
import { assert, assertEquals } from "@std/assert";
import type { Prompts } from "../../lib/checkpoints/mod.ts";
import { run } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { locations, modelNodes } from "../../lib/transformer/nodes.ts";
import { ALL_STEPS } from "../../lib/transformer/processing.ts";
import { embeddedPrompts, randomPrompts, relativeError, small } from "./models.ts";

/** resid at every location = embed + pos_embed + Σ (head results + b_O + MLP outs written before it). */
async function checkAdditive(model: Model, prompts: Prompts): Promise<void> {
  const pass = model.forward();
  let sum: Tensor = pass.node("embed").add(pass.node("pos_embed"));
  const outputs: Record<string, Tensor> = { "sum resid_pre0": sum };
  for (let layer = 0; layer < model.config.n_layers; layer++) {
    for (let head = 0; head < model.config.n_heads; head++) sum = sum.add(pass.node(`L${layer}H${head}`));
    sum = sum.add(model.params.get(`blocks.${layer}.attn.b_O`));
    if (!model.config.attn_only) {
      outputs[`sum resid_mid${layer}`] = sum;
      sum = sum.add(pass.node(`MLP${layer}`));
    }
    outputs[`sum resid_post${layer}`] = sum;
  }
  const stream = pass.residualStream();
  for (const { location, value } of stream) outputs[location] = value;
  const results = await run(outputs, feed(prompts));
  for (const { location } of stream) {
    const error = relativeError(results[`sum ${location}`].data, results[location].data);
    assert(error <= 1e-4, `${model.name} ${location}: off by ${error}`);
  }
}

Deno.test("Additive identity: every residual location is the sum of what was written before", async () => {
  await checkAdditive(await loadModel(), await embeddedPrompts(3, 40));
  await checkAdditive(await loadModel("tiny-gelu-4l", { processing: false }), await embeddedPrompts(2, 20));
  for (const changes of [{}, { attn_only: true, n_layers: 3 }]) {
    for (const processing of [undefined, ALL_STEPS]) {
      const { model } = small(41, changes, processing);
      await checkAdditive(model, randomPrompts(model, 41, 2, 7));
    }
  }
});

/** Subtracts the writer from the V input of `layer`, with the scale of ln1 frozen to the clean pass. */
function patchV(model: Model, writer: Tensor, layer: number) {
  const clean = model.forward();
  const scale = `blocks.${layer}.ln1.hook_scale`;
  return model.forward({
    hooks: {
      [`blocks.${layer}.hook_v_input`]: (v) => v.sub(writer.expand("head")),
      [scale]: () => clean.hook(scale),
    },
  });
}

/** v_h(i) = Σ_j A[i, j] · ((w_j − mean(w_j)) / σ_j) · W_V · W_O, spelt out. [batch, pos, head, d_model] */
function composition(model: Model, writer: Tensor, layer: number): Tensor {
  const clean = model.forward(), attn = `blocks.${layer}.attn`;
  const read = writer.sub(writer.mean("d_model")).div(clean.hook(`blocks.${layer}.ln1.hook_scale`));
  const value = read.dot(model.params.get(`${attn}.W_V`), "d_model").rename({ pos: "key" });
  const mixed = clean.hook(`${attn}.hook_pattern`).dot(value, "key").rename({ query: "pos" });
  return mixed.dot(model.params.get(`${attn}.W_O`), "d_head").order("batch", "pos", "head", "d_model");
}

Deno.test("Clean minus patched head result = V-composition, for processed weights", async () => {
  const embedded = await loadModel();
  const cases: [Model, string, number, Prompts][] = [
    [embedded, embedded.cleanup.writer, 2, await embeddedPrompts(2, 48)],
    [embedded, embedded.cleanup.writer, 3, await embeddedPrompts(2, 48)],
    [embedded, "MLP0", 1, await embeddedPrompts(2, 16)],
  ];
  const { model } = small(42, {}, ALL_STEPS);
  cases.push([model, "L0H1", 1, randomPrompts(model, 42, 3, 6)], [
    model,
    "embed",
    0,
    randomPrompts(model, 43, 3, 6),
  ]);
  for (const [model, writer, layer, prompts] of cases) {
    const clean = model.forward();
    const w = clean.node(writer);
    const result = `blocks.${layer}.attn.hook_result`;
    const { difference, expected } = await run({
      difference: clean.hook(result).sub(patchV(model, w, layer).hook(result)),
      expected: composition(model, w, layer),
    }, feed(prompts));
    assert(expected.data.some((x) => Math.abs(x) > 1e-3), "nothing to compare");
    const error = relativeError(difference.data, expected.data);
    assert(error <= 1e-4, `${model.name} ${writer} → layer ${layer}: off by ${error}`);
  }
});

Deno.test("Frozen-scale V patch leaves Q, K and the pattern of its layer untouched", async () => {
  const { model } = small(44, {}, ALL_STEPS);
  const [clean, patched] = [model.forward(), patchV(model, model.forward().node("L0H0"), 1)];
  const names = ["q", "k", "attn_scores", "pattern"].map((x) => `blocks.1.attn.hook_${x}`);
  const outputs: Record<string, Tensor> = {};
  for (const name of names) {
    [outputs[name], outputs[`patched ${name}`]] = [clean.hook(name), patched.hook(name)];
  }
  const results = await run(outputs, feed(randomPrompts(model, 44, 2, 6)));
  for (const name of names) {
    assert(relativeError(results[`patched ${name}`].data, results[name].data) <= 1e-5, name);
  }
});

Deno.test("modelNodes() and locations() name everything that writes and every place to look", () => {
  const { config } = small(45).model;
  assertEquals(modelNodes(config).map((n) => n.name), [
    "embed",
    "pos_embed",
    "L0H0",
    "L0H1",
    "L0H2",
    "MLP0",
    "L1H0",
    "L1H1",
    "L1H2",
    "MLP1",
  ]);
  assertEquals(locations(config).map((l) => [l.location, l.hook, l.layer]), [
    ["resid_pre0", "blocks.0.hook_resid_pre", 0],
    ["resid_mid0", "blocks.0.hook_resid_mid", 0],
    ["resid_post0", "blocks.0.hook_resid_post", 0],
    ["resid_mid1", "blocks.1.hook_resid_mid", 1],
    ["resid_post1", "blocks.1.hook_resid_post", 1],
  ]);
});
