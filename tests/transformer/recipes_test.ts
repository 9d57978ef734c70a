/**
 * The three recipes of the README's "Coming from TransformerLens", as they stand there. Expected: what the Python recipes beside them
 * print with TransformerLens (float32) on the embedded model, two held-out prompts of 64 tokens (tests/reference/recipes.py).
 */
import { assertAlmostEquals } from "@std/assert";
import {
  feed,
  type Forward,
  type Hook,
  iota,
  loadModel,
  projectionRatio,
  quantiles,
  run,
  vInputPatch,
  where,
} from "../../lib/mod.ts";
import recorded from "../reference/data/recipes.json" with { type: "json" };
import { embeddedPrompts } from "./models.ts";

const model = await loadModel();
const prompts = await embeddedPrompts(2, 64);

Deno.test("Recipe: look at an attention pattern", async () => {
  const { cache } = await model.runWithCache(prompts, ["blocks.2.attn.hook_pattern"]);
  const weight = cache["blocks.2.attn.hook_pattern"].at({ batch: 0, head: 3, query: 40, key: 12 });
  assertAlmostEquals(weight, recorded.pattern, 1e-4 * recorded.pattern);
});

Deno.test("Recipe: ablate a head", async () => {
  const clean = model.forward();
  const ablated = model.forward({
    hooks: { "blocks.0.attn.hook_z": (z) => where(iota("head", 8), "Equal", 5, 0, z) },
  });
  const change = ablated.logits.sub(clean.logits).abs().max("pos", "d_vocab");
  const results = await run({ change }, feed(prompts));
  recorded.largestChange.forEach((expected, i) =>
    assertAlmostEquals(results.change.data[i], expected, 1e-4 * expected)
  );
});

Deno.test("Recipe: patch the V input, scale frozen", async () => {
  const { writer: name, patchedLayers } = model.cleanup;
  const clean = model.forward();
  const writer = clean.node(name);
  const hooks: Record<string, Hook> = {};
  for (const layer of patchedLayers) {
    hooks[`blocks.${layer}.hook_v_input`] = (v) => v.sub(writer);
    hooks[`blocks.${layer}.ln1.hook_scale`] = () => clean.hook(`blocks.${layer}.ln1.hook_scale`);
  }
  const patched = model.forward({ hooks });
  const ratio = (forward: Forward) => projectionRatio(forward.hook("blocks.3.hook_resid_post"), writer);
  const results = await run({
    clean: ratio(clean),
    patched: ratio(patched),
    // The same hooks, ready-made.
    shorter: ratio(model.forward({ hooks: vInputPatch(clean, patchedLayers, writer) })),
  }, feed(prompts));
  for (const [name, expected] of Object.entries({ ...recorded.ratios, shorter: recorded.ratios.patched })) {
    const [median] = quantiles(results[name as keyof typeof results].data, [0.5]);
    assertAlmostEquals(median, expected, 1e-4, name);
  }
});
