// Whole experiments on models that are not like the post's: no unembedding, norms after attention, a soft cap
// of the logits, ALiBi.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { checkAttribution } from "../../lib/experiments/attribution/check_attribution.ts";
import { embeddingNorms } from "../../lib/experiments/embedding_norms.ts";
import { claimsOf } from "../../lib/experiments/findings/claims.ts";
import { findings } from "../../lib/experiments/findings/findings.ts";
import { nodeProjections } from "../../lib/experiments/node_projections.ts";
import { scan } from "../../lib/experiments/scan/scan.ts";
import { load } from "../transformer/families/recorded.ts";
import { randomPrompts } from "../transformer/models.ts";

for (const name of ["llama-base", "gemma2", "olmo2", "bloom"]) {
  Deno.test(`${name}: scan() runs, and says on what it rests`, async () => {
    const model = await load(name);
    const result = await scan(model, randomPrompts(model, 5, 16, 12), { settings: { rotations: 2 } });
    const nodes = model.config.n_layers * (model.config.n_heads + 1) + 1;
    assertEquals(result.writers.length + result.passedOver.length, nodes);
    const { logitAttribution, headOutputs } = result.assumptions;
    assertEquals(headOutputs !== undefined, ["gemma2", "olmo2"].includes(name));
    const said = {
      "llama-base": "none: the files hold a base model",
      "gemma2": "of the logits before their soft cap, 3",
    };
    const expected = said[name as keyof typeof said];
    assert(
      expected ? logitAttribution.startsWith(expected) : logitAttribution === undefined,
      logitAttribution,
    );
  });
}

for (const name of ["gemma2", "olmo2-biases", "bloom"]) {
  Deno.test(`${name}: checkAttribution() of the top two: the terms add up to the difference before a cap`, async () => {
    const model = await load(name); // it throws when they do not
    const { terms, sum } = await checkAttribution(model, randomPrompts(model, 6, 4, 10), {
      most: 2,
      rotations: 1,
    });
    assert(terms.length > model.config.n_layers * model.config.n_heads);
    assert(Math.abs(sum.sum - sum.logitDifference) < 1e-3);
  });
}

Deno.test("A base model: what needs logits is refused, the rest runs", async () => {
  const model = await load("llama-base");
  const prompts = randomPrompts(model, 7, 3, 8);
  await assertRejects(() => checkAttribution(model, prompts, { most: 1 }), Error, "has no unembedding");
  const { rows } = await nodeProjections(model, prompts, { writer: "L0H1", cleaners: ["L1H0"] });
  assert(rows.every((row) => Number.isFinite(row.median)));
});

Deno.test("embeddingNorms(): a layer that reads the stream as it is scales nothing", async () => {
  const model = await load("olmo2", false);
  const { summary } = await embeddingNorms(model, { layer: 0 });
  // By loops, for head 1: ‖e W_V W_O‖, its values those of kv_head 0.
  const data = (weight: string) => model.weights.get(weight)!.data;
  const [W_E, W_V, W_O] = [data("embed.W_E"), data("blocks.0.attn.W_V"), data("blocks.0.attn.W_O")];
  const { d_model: D, d_head: K, d_vocab } = model.config;
  const norms = Array.from({ length: d_vocab }, (_, row) => {
    const out = new Float64Array(D);
    for (let k = 0; k < K; k++) {
      let v = 0;
      for (let m = 0; m < D; m++) v += W_E[row * D + m] * W_V[(m * 2 + 0) * K + k];
      for (let m = 0; m < D; m++) out[m] += v * W_O[(1 * K + k) * D + m];
    }
    return Math.hypot(...out);
  }).sort((a, b) => a - b);
  const { median } = summary.find((row) => row.node === "L0H1" && row.embedding === "token")!;
  assert(Math.abs(median - (norms[d_vocab / 2 - 1] + norms[d_vocab / 2]) / 2) < 1e-4 * median);
});

for (const name of ["gemma2", "llama-base", "bloom"]) {
  Deno.test(`${name}: the post's three questions are answered, in sentences without a hole`, async () => {
    const model = await load(name), writers = ["L0H0", "MLP0"];
    const options = { writers, early: 1, settings: { rotations: 2, examine: 1 } };
    const found = await findings(model, randomPrompts(model, 5, 16, 12), options);
    assertEquals(found.reuse.map(({ writer }) => writer), writers);
    const base = name === "llama-base";
    for (const [i, { putBack, needed }] of found.reuse.entries()) {
      const { says, lost } = found.role[i];
      assertEquals([putBack, needed, says, lost].map((x) => x === undefined), Array(4).fill(base));
    }
    const claims = claimsOf(found);
    assertEquals(claims.filter(({ question }) => question === "role").length, base ? 2 : 6);
    for (const { sentence } of claims) assert(!/NaN|undefined/.test(sentence), sentence);
  });
}
