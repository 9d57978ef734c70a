/**
 * The three recipes of the README's "Coming from TransformerLens", as they stand there. Expected: what the Python recipes beside them
 * print with TransformerLens 3.9.0 (float32) on the embedded model, two held-out prompts of 64 tokens.
 */
import { assertAlmostEquals } from "@std/assert";
import { feed, iota, loadModel, projectionRatio, quantiles, run, vInputPatch, where } from "../../lib/mod.ts";
import { embeddedPrompts } from "./models.ts";

const PATTERN = 0.0011047370498999953;
const LARGEST_CHANGE = [7.798669815063477, 7.4791388511657715];
const RATIOS = { clean: 0.2526014447212219, patched: 1.174527645111084 };

const model = await loadModel();
const prompts = await embeddedPrompts(2, 64);

Deno.test("Recipe: look at an attention pattern", async () => {
  const { cache } = await model.runWithCache(prompts, ["blocks.2.attn.hook_pattern"]);
  const weight = cache["blocks.2.attn.hook_pattern"].at({ batch: 0, head: 3, query: 40, key: 12 });
  assertAlmostEquals(weight, PATTERN, 1e-4 * PATTERN);
});

Deno.test("Recipe: ablate a head", async () => {
  const clean = model.forward();
  const ablated = model.forward({
    hooks: { "blocks.0.attn.hook_z": (z) => where(iota("head", 8), "Equal", 5, 0, z) },
  });
  const change = ablated.logits.sub(clean.logits).abs().max("pos", "d_vocab");
  const results = await run({ change }, feed(prompts));
  LARGEST_CHANGE.forEach((expected, i) =>
    assertAlmostEquals(results.change.data[i], expected, 1e-4 * expected)
  );
});

Deno.test("Recipe: patch the V input, scale frozen", async () => {
  const clean = model.forward();
  const writer = clean.headResult(0, 5);
  const hook = "blocks.3.hook_resid_post";
  const patched = model.forward({
    hooks: {
      "blocks.2.hook_v_input": (v) => v.sub(writer),
      "blocks.2.ln1.hook_scale": () => clean.hook("blocks.2.ln1.hook_scale"),
      "blocks.3.hook_v_input": (v) => v.sub(writer),
      "blocks.3.ln1.hook_scale": () => clean.hook("blocks.3.ln1.hook_scale"),
    },
  });
  const results = await run({
    clean: projectionRatio(clean.hook(hook), writer),
    patched: projectionRatio(patched.hook(hook), writer),
    // The same hooks, ready-made.
    shorter: projectionRatio(model.forward({ hooks: vInputPatch(clean, [2, 3], writer) }).hook(hook), writer),
  }, feed(prompts));
  for (const [name, expected] of Object.entries({ ...RATIOS, shorter: RATIOS.patched })) {
    const [median] = quantiles(results[name as keyof typeof results].data, [0.5]);
    assertAlmostEquals(median, expected, 1e-4, name);
  }
});
