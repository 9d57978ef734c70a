import { assert, assertEquals } from "@std/assert";
import { hookPoints } from "../../lib/transformer/hook_points.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import type { Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS } from "../../lib/transformer/processing.ts";
import type { Prompts } from "../../lib/checkpoints/prompts/prompts.ts";
import { plainForward } from "../reference/plain_forward.ts";
import {
  assertClose,
  currentWeights,
  embeddedFile,
  embeddedPrompts,
  randomPrompts,
  rows,
  small,
  variants,
} from "./models.ts";

/**
 * Every hook point and the logits equal the plain forward pass to 1e-4 of their scale, with its names and
 * shapes.
 */
async function compareAll(model: Model, weights: ReadonlyMap<string, Float32Array>, prompts: Prompts) {
  const { logits, cache } = await model.runWithCache(prompts);
  const plain = plainForward(model.config, weights, rows(prompts));
  assertEquals([...Object.keys(cache), "logits"].sort(), [...plain.keys()].sort());
  for (const [name, { shape }] of Object.entries(cache)) assertEquals(shape, plain.get(name)!.dims, name);
  assertClose({ ...cache, logits }, plain, 1e-4, model.name);
}

for (const [name, changes] of Object.entries(variants)) {
  Deno.test(`Forward: every hook point equals the plain forward pass (${name})`, async () => {
    for (const seed of [1, 2]) {
      const raw = small(seed, changes);
      await compareAll(raw.model, raw.stored, randomPrompts(raw.model, seed, 3, 5));
      const { model } = small(seed, changes, ALL_STEPS);
      await compareAll(model, currentWeights(model), randomPrompts(model, seed, 2, 9));
    }
  });
}

Deno.test("Forward: every hook point of the embedded model equals the plain forward pass", async () => {
  const prompts = await embeddedPrompts(2, 10);
  await compareAll(await loadModel("tiny-gelu-4l", { processing: false }), await embeddedFile(), prompts);
  const model = await loadModel();
  await compareAll(model, currentWeights(model), prompts);
});

Deno.test("Forward: one position, one prompt", async () => {
  const { model, stored } = small(3);
  await compareAll(model, stored, randomPrompts(model, 3, 1, 1));
});

Deno.test("Forward: the result does not depend on the batch size", async () => {
  const { model } = small(4);
  const prompts = randomPrompts(model, 4, 7, 6);
  const whole = await model.runWithCache(prompts, ["*", "blocks.*.attn.*"], { batchSize: 7 });
  for (const batchSize of [1, 2, 3]) {
    const parts = await model.runWithCache(prompts, ["*", "blocks.*.attn.*"], { batchSize });
    for (const [name, { data, shape }] of Object.entries({ ...whole.cache, logits: whole.logits })) {
      const other = name === "logits" ? parts.logits : parts.cache[name];
      assertEquals(other.shape, shape);
      data.forEach((v, i) => assert(v === other.data[i] || Math.abs(v - other.data[i]) < 1e-5, name));
    }
  }
});

Deno.test("Forward: later tokens do not change earlier logits", async () => {
  const { model } = small(5);
  const prompts = randomPrompts(model, 5, 1, 6);
  const changed = {
    ...prompts,
    tokens: Int32Array.from(prompts.tokens, (t, i) => i >= 3 ? (t + 1) % 17 : t),
  };
  const [a, b] = [
    await model.runWithCache(prompts, ["hook_embed"]),
    await model.runWithCache(changed, ["hook_embed"]),
  ];
  const V = model.config.d_vocab;
  for (let i = 0; i < 3 * V; i++) assert(Math.abs(a.logits.data[i] - b.logits.data[i]) < 1e-6);
  assert(a.logits.data.slice(3 * V).some((v, i) => Math.abs(v - b.logits.data[3 * V + i]) > 1e-3));
});

Deno.test("hookPoints() lists TransformerLens' names in the order of the forward pass", () => {
  const names = [...hookPoints(small(6, { n_layers: 1 }).model.config).keys()];
  assertEquals(names, [
    "hook_embed",
    "hook_pos_embed",
    "blocks.0.hook_resid_pre",
    "blocks.0.hook_q_input",
    "blocks.0.hook_k_input",
    "blocks.0.hook_v_input",
    "blocks.0.ln1.hook_scale",
    "blocks.0.ln1.hook_normalized",
    "blocks.0.attn.hook_q",
    "blocks.0.attn.hook_k",
    "blocks.0.attn.hook_v",
    "blocks.0.attn.hook_attn_scores",
    "blocks.0.attn.hook_pattern",
    "blocks.0.attn.hook_z",
    "blocks.0.attn.hook_result",
    "blocks.0.hook_attn_out",
    "blocks.0.hook_resid_mid",
    "blocks.0.hook_mlp_in",
    "blocks.0.ln2.hook_scale",
    "blocks.0.ln2.hook_normalized",
    "blocks.0.mlp.hook_pre",
    "blocks.0.mlp.hook_post",
    "blocks.0.hook_mlp_out",
    "blocks.0.hook_resid_post",
    "ln_final.hook_scale",
    "ln_final.hook_normalized",
  ]);
  assertEquals(
    [...hookPoints(small(6, { attn_only: true }).model.config).keys()].some((n) =>
      n.includes("mlp") || n.includes("ln2") || n.includes("resid_mid")
    ),
    false,
  );
});
