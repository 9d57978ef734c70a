import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { dataPath } from "../../lib/checkpoints/data_folder.ts";
import type { Tokenizer } from "../../lib/checkpoints/mod.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { Model } from "../../lib/transformer/model.ts";
import { smallModel, withFolder, writeModelFolder } from "../checkpoints/small_model.ts";
import { embeddedPrompts, randomPrompts, relativeError, small } from "./models.ts";

const { model } = small(51);
const prompts = randomPrompts(model, 51, 3, 4);

Deno.test("runWithCache(): names and shapes as in TransformerLens", async () => {
  const { logits, cache } = await model.runWithCache(prompts);
  const [B, T, H, D, K, M] = [3, 4, 3, 10, 4, 14];
  assertEquals([logits.names, logits.shape], [["batch", "pos", "d_vocab"], [B, T, 17]]);
  const shapes: Record<string, number[]> = {
    "hook_embed": [B, T, D],
    "hook_pos_embed": [B, T, D],
    "blocks.1.hook_resid_pre": [B, T, D],
    "blocks.1.hook_q_input": [B, T, H, D],
    "blocks.1.hook_v_input": [B, T, H, D],
    "blocks.1.ln1.hook_scale": [B, T, 1],
    "blocks.1.ln1.hook_normalized": [B, T, D],
    "blocks.1.attn.hook_q": [B, T, H, K],
    "blocks.1.attn.hook_attn_scores": [B, H, T, T],
    "blocks.1.attn.hook_pattern": [B, H, T, T],
    "blocks.1.attn.hook_z": [B, T, H, K],
    "blocks.1.attn.hook_result": [B, T, H, D],
    "blocks.1.mlp.hook_pre": [B, T, M],
    "blocks.1.hook_mlp_out": [B, T, D],
    "ln_final.hook_scale": [B, T, 1],
  };
  for (const [name, shape] of Object.entries(shapes)) assertEquals(cache[name].shape, shape, name);
  assertEquals(cache["blocks.1.attn.hook_pattern"].names, ["batch", "head", "query", "key"]);
  const pattern = cache["blocks.1.attn.hook_pattern"];
  for (let query = 0; query < T; query++) {
    const row = [...pattern.select({ batch: 1, head: 2, query }).data];
    assert(Math.abs(row.reduce((a, b) => a + b, 0) - 1) < 1e-6);
    assert(row.slice(query + 1).every((p) => p === 0), "a key after the query has weight");
  }
  assertEquals(
    cache["blocks.0.attn.hook_attn_scores"].at({ batch: 0, head: 0, query: 1, key: 2 }),
    -Infinity,
  );
});

Deno.test("runWithCache(): chosen names, wildcards, hooks", async () => {
  const chosen = await model.runWithCache(prompts, [
    "hook_embed",
    "blocks.*.hook_resid_post",
    "blocks.0.*.hook_scale",
  ]);
  assertEquals(Object.keys(chosen.cache).sort(), [
    "blocks.0.hook_resid_post",
    "blocks.0.ln1.hook_scale",
    "blocks.0.ln2.hook_scale",
    "blocks.1.hook_resid_post",
    "hook_embed",
  ]);
  const hooks = { "blocks.1.hook_attn_out": (v: Tensor) => v.mul(0) };
  const ablated = await model.runWithCache(prompts, ["blocks.1.hook_attn_out"], { hooks });
  assert(ablated.cache["blocks.1.hook_attn_out"].data.every((x) => x === 0));
  assert(relativeError(ablated.logits.data, chosen.logits.data) > 1e-3);
});

Deno.test("runWithCache(): unknown names and wrong prompts are refused before anything runs", async () => {
  const refuse = async (fn: () => Promise<unknown>, parts: string[]) => {
    const { message } = await assertRejects(fn, Error);
    for (const part of parts) assertStringIncludes(message, part);
  };
  await refuse(() => model.runWithCache(prompts, ["blocks.0.attn.hook_patterns"]), [
    "hook_patterns",
    'Did you mean "blocks.0.attn.hook_pattern"?',
  ]);
  await refuse(() => model.runWithCache(prompts, ["blocks.*.hook_nothing"]), ["blocks.*.hook_nothing"]);
  await refuse(() => model.runWithCache(randomPrompts(model, 1, 2, 10)), ["10 tokens", "context of 9"]);
  const bad = { ...prompts, tokens: Int32Array.from(prompts.tokens, (t, i) => i === 6 ? 17 : t) };
  await refuse(() => model.runWithCache(bad), ["token id 17", "prompt 1", "position 2", "0 to 16"]);
  await refuse(() => model.runWithCache({ ...prompts, count: 0, tokens: new Int32Array(0) }), ["empty"]);
  await refuse(() => model.runWithCache({ ...prompts, count: 4 }), ["12 token ids", "[4, 4]"]);
});

Deno.test("Model.prompts(): texts of one length, BOS first where the model was trained so", () => {
  const words: Record<string, number[]> = { "a b": [3, 4], "b a": [4, 3], "a": [3] };
  const tokenizer = {
    encode: (
      text: string,
      { prependBos }: { prependBos?: boolean },
    ) => [...prependBos ? [1] : [], ...words[text]],
  } as unknown as Tokenizer;
  const { config, weights, processing } = model;
  const named = new Model({ name: "named", config, weights, processing, tokenizer });
  const made = named.prompts(["a b", "b a"]);
  assertEquals([made.count, made.length, [...made.tokens]], [2, 3, [1, 3, 4, 1, 4, 3]]);
  assertEquals([...named.prompts(["a b"], { prependBos: false }).tokens], [3, 4]);
  assertThrows(() => named.prompts(["a b", "a"]), Error, 'got 2 tokens for "a" and 3 for the first');
  assertThrows(() => named.prompts([]), Error, "empty");
  assertThrows(() => model.prompts(["a"]), Error, "no tokenizer.json");
  assertThrows(() => model.cleanup, Error, "no cleanup.json");
});

Deno.test("loadModel() reads a folder, and the embedded model knows its writer", async () => {
  await withFolder(async (folder) => {
    await writeModelFolder(`${folder}/model`, smallModel(51));
    const loaded = await loadModel(`${folder}/model`, { processing: false });
    const [a, b] = [
      await loaded.runWithCache(prompts, ["hook_embed"]),
      await model.runWithCache(prompts, ["hook_embed"]),
    ];
    assertEquals(a.logits.data, b.logits.data);
  });
  const embedded = await loadModel();
  const { writer } = JSON.parse(await Deno.readTextFile(dataPath("models/tiny-gelu-4l/cleanup.json")));
  assertEquals(embedded.cleanup.writer, writer);
  assertEquals(embedded.name, "tiny-gelu-4l");
  const text = embedded.prompts(["The cat"]);
  assertEquals([text.count, text.tokens[0]], [1, (await embeddedPrompts(1, 1)).tokens[0]]); // BOS
});
