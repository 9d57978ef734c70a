/**
 * Every family against transformers (logits) and TransformerLens (hook points), and against itself after
 * weight processing.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { run } from "../../../lib/tensor/run.ts";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import { outputSize } from "../../../lib/checkpoints/config.ts";
import { families, layoutOf } from "../../../lib/transformer/families/families.ts";
import { hookPoints } from "../../../lib/transformer/hook_points.ts";
import { feed } from "../../../lib/transformer/model.ts";
import { NO_STEPS, type Processing } from "../../../lib/transformer/processing.ts";
import {
  byTransformerLens,
  configOf,
  load,
  logProbabilities,
  off,
  recorded,
  recordedNames,
} from "./recorded.ts";

/** Of a value's largest element. Both sides round to float32; what was measured is below 1e-6. */
const TOLERANCE = 5e-6;

Deno.test("Every family has recorded checkpoints: two at least, but those that have one setting only", () => {
  const types = recordedNames.map((name) => layoutOf(configOf(name)).family.modelType);
  for (const { modelType } of families) {
    const count = types.filter((type) => type === modelType).length;
    assert(count >= (["gpt_neo", "mistral"].includes(modelType) ? 1 : 2), `${modelType}: ${count}`);
  }
});

for (const name of recordedNames) {
  Deno.test(`${name}: logits are those of transformers, hooks the recorded ones`, async () => {
    const { prompts, logits, plain } = await recorded(name);
    const model = await load(name, false);
    const run = await model.runWithCache(prompts, [...plain.keys()]);
    assertEquals([...run.logits.shape], [prompts.count, prompts.length, outputSize(model.config)]);
    for (let i = 0; i < logits.length; i++) assertAlmostEquals(run.logits.data[i], logits[i], 1e-4);
    if (outputSize(model.config) > 0) assert(off(run.logits.data, logits) < TOLERANCE);
    else assertEquals(run.logits.data.length, 0);
    assert(plain.size >= (byTransformerLens(name) ? 20 : 2), `only ${plain.size} hooks were recorded`);
    for (const [hook, { dims, data }] of plain) {
      assertEquals([...run.cache[hook].shape], dims, hook);
      const error = off(run.cache[hook].data, data);
      assert(error < TOLERANCE, `${hook} is off by ${error} of its scale`);
    }
  });

  if (byTransformerLens(name)) {
    Deno.test(`${name}: processed weights give TransformerLens' processed hooks`, async () => {
      const { prompts, processed } = await recorded(name);
      assert(processed.size >= 5);
      const run = await (await load(name)).runWithCache(prompts, [...processed.keys()]);
      for (const [hook, { dims, data }] of processed) {
        assertEquals([...run.cache[hook].shape], dims, hook);
        const error = off(run.cache[hook].data, data);
        assert(error < TOLERANCE, `${hook} is off by ${error} of its scale`);
      }
    });
  }

  Deno.test(`${name}: each step of weight processing keeps transformers' log-probabilities`, async () => {
    const { prompts, logits } = await recorded(name);
    // stays as it was in all models, and is all there is in base models
    const normalized = "ln_final.hook_normalized";
    const before = await (await load(name, false)).runWithCache(prompts, [normalized]);
    const steps = Object.keys(NO_STEPS) as (keyof Processing)[];
    // Each step by itself in one checkpoint of each family and in those that TransformerLens recorded; in the
    // others none and all.
    const type = (of: string) => layoutOf(configOf(of)).family;
    const thorough = byTransformerLens(name) ||
      recordedNames.find((other) => type(other) === type(name)) === name;
    for (const done of [[], ...(thorough ? steps.map((step) => [step]) : []), steps]) {
      const wanted = Object.fromEntries(steps.map((step) => [step, done.includes(step)]));
      const model = await load(name, wanted);
      const run = await model.runWithCache(prompts, [normalized]);
      const { d_vocab, normalization, output_logits_soft_cap } = model.config;
      const [now, then] = [run, before].map(({ cache }) => cache[normalized].data);
      assert(
        off(now, then) < TOLERANCE,
        `${done}: what ln_final makes is off by ${off(now, then)} of its scale`,
      );
      const unembeds = outputSize(model.config) > 0;
      if (unembeds) {
        const error = off(logProbabilities(run.logits.data, d_vocab), logProbabilities(logits, d_vocab));
        assert(error < TOLERANCE, `${done}: log-probabilities are off by ${error} of their scale`);
      }
      // Folded weights are gone, an RMSNorm model is not centred, nor are logits under a cap: the model says
      // so.
      const folded = unembeds && done.includes("foldLnFinal");
      assertEquals(model.weights.has("ln_final.w"), !folded && !normalization.endsWith("Pre"));
      assertEquals(model.processing, {
        ...model.processing,
        ...wanted,
        ...(normalization === "RMS" ? { centerWritingWeights: false } : {}),
        ...(output_logits_soft_cap === undefined ? {} : { centerUnembed: false }),
        ...(unembeds ? {} : { foldLnFinal: false, centerUnembed: false }),
      });
    }
  });

  Deno.test(`${name}: every hook point has its dims, and a hook that changes nothing changes nothing`, async () => {
    const { prompts, logits } = await recorded(name);
    const model = await load(name, false);
    const points = hookPoints(model.config);
    const { cache } = await model.runWithCache(prompts);
    assertEquals(Object.keys(cache).sort(), [...points.keys()].sort());
    for (const [hook, dims] of points) {
      if (!hook.endsWith("hook_scale")) assertEquals(cache[hook].names, dims, hook);
    }
    if (outputSize(model.config) === 0) return;
    // Adding 0 is an intervention all the same: attention, normalisation and per-head inputs are spelt out.
    const alone = [
      "hook_q_input",
      "hook_k_input",
      "hook_v_input",
      "attn.hook_pattern",
      "attn.hook_result",
      "ln1.hook_scale",
      "ln1_post.hook_scale",
      "attn.q_norm.hook_scale",
    ].map((hook) => `blocks.1.${hook}`).filter((hook) => points.has(hook));
    const outputs: Record<string, Tensor> = {};
    for (const hooked of [[...points.keys()], ...alone.map((hook) => [hook])]) {
      const hooks = Object.fromEntries(hooked.map((hook) => [hook, (v: Tensor) => v.add(0)]));
      outputs[hooked.length === 1 ? hooked[0] : "all points"] = model.forward({ hooks }).logits;
    }
    for (const [hooked, { data }] of Object.entries(await run(outputs, feed(prompts)))) {
      assert(off(data, logits) < TOLERANCE, `hooks at ${hooked} change the logits`);
    }
  });
}

Deno.test("Hook points are those that a family has", async () => {
  const points = async (name: string) => [...hookPoints((await load(name)).config).keys()];
  const has = async (name: string, hook: string) => (await points(name)).includes(hook);
  assertEquals(await has("gpt2", "hook_pos_embed"), true);
  assertEquals(await has("pythia", "hook_pos_embed"), false);
  assertEquals(await has("pythia", "blocks.0.attn.hook_rot_q"), true);
  assertEquals(await has("gpt2", "blocks.0.attn.hook_rot_q"), false);
  assertEquals(await has("pythia", "blocks.0.hook_resid_mid"), false);
  assertEquals(await has("neox-sequential", "blocks.0.hook_resid_mid"), true);
  assertEquals(await has("llama", "blocks.0.mlp.hook_pre_linear"), true);
  assertEquals(await has("gpt-neo", "blocks.0.mlp.hook_pre_linear"), false);
  const { config } = await load("llama");
  assertEquals(hookPoints(config).get("blocks.0.attn.hook_v"), ["batch", "pos", "kv_head", "d_head"]);
  assertEquals(hookPoints(config).get("blocks.0.attn.hook_q"), ["batch", "pos", "head", "d_head"]);
  assertEquals(hookPoints(config).get("blocks.0.hook_v_input"), ["batch", "pos", "kv_head", "d_model"]);
  assertEquals(await has("gemma2", "blocks.0.ln1.hook_scale"), true);
  assertEquals(await has("gemma2", "blocks.0.ln1_post.hook_scale"), true);
  assertEquals(await has("olmo2", "blocks.0.ln1.hook_scale"), false);
  assertEquals(await has("olmo2", "blocks.0.ln2_post.hook_normalized"), true);
  assertEquals(await has("llama", "blocks.0.ln1_post.hook_scale"), false);
  assertEquals(await has("bloom", "hook_pos_embed"), false);
  assertEquals(await has("bloom", "embed.ln.hook_scale"), true);
  // Names do not depend on the layer: layer 1 of smollm3 is not turned.
  assertEquals(await has("smollm3", "blocks.1.attn.hook_rot_q"), true);
  const [qwen3, olmo2] = [(await load("qwen3")).config, (await load("olmo2")).config];
  assertEquals(hookPoints(qwen3).get("blocks.0.attn.k_norm.hook_scale"), ["batch", "pos", "kv_head"]);
  assertEquals(hookPoints(olmo2).get("blocks.0.attn.k_norm.hook_scale"), ["batch", "pos"]);
});
