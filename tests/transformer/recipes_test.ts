/**
 * The three recipes of the README's "Coming from TransformerLens", as they stand there. Expected: what the
 * Python recipes beside them printed with TransformerLens 3.9 and 4.3 (float32) on the embedded model, two
 * held-out prompts of 64 tokens (tests/reference/recipes.py).
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
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
import lens3 from "../reference/data/recipes-3.json" with { type: "json" };
import lens4 from "../reference/data/recipes-4.json" with { type: "json" };
import { embeddedPrompts } from "./models.ts";

const model = await loadModel();
const prompts = await embeddedPrompts(2, 64);

const RECORDED = { "TransformerLens 3": lens3, "TransformerLens 4": lens4 };

/** What recipe i printed with either version, beside what ours gives. */
function assertRecorded(i: number, ours: ArrayLike<number>): void {
  for (const [name, { recipes }] of Object.entries(RECORDED)) {
    const { printed } = recipes[i];
    assertEquals(ours.length, printed.length, name);
    printed.forEach((expected, k) => assertAlmostEquals(ours[k], expected, 1e-4 * expected, name));
  }
}

Deno.test("The recorded Python recipes are those of lib/coming_from_transformer_lens.md", async () => {
  const text = await Deno.readTextFile(new URL("../../lib/coming_from_transformer_lens.md", import.meta.url));
  const shown = [...text.matchAll(/```python\n(.*?)```/gs)].map(([, code]) => code);
  for (const [name, { recipes, versions }] of Object.entries(RECORDED)) {
    assert(versions["transformer-lens"].startsWith(`${name.split(" ")[1]}.`));
    const own = shown.filter((code) =>
      !code.startsWith("# TransformerLens") || code.startsWith(`# ${name}\n`)
    );
    assertEquals(recipes.map(({ code }) => code), own, `record.py recipes has to be run again with ${name}`);
  }
});

Deno.test("TransformerLens 4 does not heed a hook on ln1.hook_scale under split inputs, as that page says", () => {
  assertEquals(lens4.splitInputs.scaleTripled, 0);
  assert(lens4.splitInputs.scaleFrozen > 0.01, "though the scale does count");
});

Deno.test("Recipe: look at an attention pattern", async () => {
  const { cache } = await model.runWithCache(prompts, ["blocks.2.attn.hook_pattern"]);
  const weight = cache["blocks.2.attn.hook_pattern"].at({ batch: 0, head: 3, query: 40, key: 12 });
  assertRecorded(0, [weight]);
});

Deno.test("Recipe: ablate a head", async () => {
  const clean = model.forward();
  const ablated = model.forward({
    hooks: { "blocks.1.attn.hook_z": (z) => where(iota("head", 8), "Equal", 5, 0, z) },
  });
  const change = ablated.logits.sub(clean.logits).abs().max("pos", "d_vocab");
  const results = await run({ change }, feed(prompts));
  assertRecorded(1, results.change.data as Float32Array);
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
  const [before, after, shorter] = [results.clean, results.patched, results.shorter].map(({ data }) =>
    quantiles(data, [0.5])[0]
  );
  assertRecorded(2, [before, after]);
  assertRecorded(2, [before, shorter]);
});
