/** Every family against transformers (logits) and TransformerLens (hook points), and against itself after weight processing. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import { hookPoints } from "../../../lib/transformer/hook_points.ts";
import { NO_STEPS, type Processing } from "../../../lib/transformer/processing.ts";
import { byTransformerLens, load, logProbabilities, off, recorded, recordedNames } from "./recorded.ts";

/** Of a value's largest element. Both sides round to float32; what was measured is below 1e-6. */
const TOLERANCE = 5e-6;

Deno.test("The recorded checkpoints are those of all families", () => {
  assertEquals(
    recordedNames.filter((name) => !/^(llama|neox|gpt2|qwen2)-/.test(name)),
    ["gpt-neo", "gpt2", "llama", "mistral", "pythia", "qwen2", "smollm"],
  );
});

for (const name of recordedNames) {
  Deno.test(`${name}: logits are those of transformers, hooks the recorded ones`, async () => {
    const { prompts, logits, plain } = await recorded(name);
    const model = await load(name, false);
    const run = await model.runWithCache(prompts, [...plain.keys()]);
    assertEquals([...run.logits.shape], [prompts.count, prompts.length, model.config.d_vocab]);
    for (let i = 0; i < logits.length; i++) assertAlmostEquals(run.logits.data[i], logits[i], 1e-4);
    assert(off(run.logits.data, logits) < TOLERANCE);
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
    const steps = Object.keys(NO_STEPS) as (keyof Processing)[];
    for (const done of [[], ...steps.map((step) => [step]), steps]) {
      const wanted = Object.fromEntries(steps.map((step) => [step, done.includes(step)]));
      const model = await load(name, wanted);
      const run = await model.runWithCache(prompts, []);
      const { d_vocab } = model.config;
      const error = off(logProbabilities(run.logits.data, d_vocab), logProbabilities(logits, d_vocab));
      assert(error < TOLERANCE, `${done}: log-probabilities are off by ${error} of their scale`);
      // Folded weights are gone, and an RMSNorm model is not centred: the model says so.
      assertEquals(model.weights.has("ln_final.w"), !done.includes("foldLnFinal"));
      const rms = model.config.normalization === "RMS";
      assertEquals(model.processing, {
        ...model.processing,
        ...wanted,
        ...(rms ? { centerWritingWeights: false } : {}),
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
    // Adding 0 is an intervention all the same: attention, normalisation and per-head inputs are spelt out.
    const alone = [
      "hook_q_input",
      "hook_k_input",
      "hook_v_input",
      "attn.hook_pattern",
      "attn.hook_result",
      "ln1.hook_scale",
    ];
    for (const hooked of [[...points.keys()], ...alone.map((hook) => [`blocks.1.${hook}`])]) {
      const hooks = Object.fromEntries(hooked.map((hook) => [hook, (v: Tensor) => v.add(0)]));
      const run = await model.runWithCache(prompts, [], { hooks });
      assert(off(run.logits.data, logits) < TOLERANCE, `hooks at ${hooked.slice(0, 3)} change the logits`);
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
});
