import { outputSize } from "../../lib/checkpoints/config.ts";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Prompts } from "../../lib/checkpoints/mod.ts";
import {
  attributionTerms,
  attributionVector,
  directLogitAttribution,
  readDifference,
  topTwo,
  unembedding,
} from "../../lib/metrics/attribution.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { run } from "../../lib/tensor/run.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS, NO_STEPS } from "../../lib/transformer/processing.ts";
import { folderOf, recordedNames } from "../transformer/families/recorded.ts";
import { currentWeights, randomPrompts, small, variants } from "../transformer/models.ts";
import { dot, letterModel, mean, plainRun, vector } from "../experiments/plain_values.ts";

const tokens = [[0, 4, 9, 2], [0, 1, 1, 16]];
const prompts = { tokens: Int32Array.from(tokens.flat()), count: 2, length: 4, source: "test" };

for (const processed of [true, false]) {
  Deno.test(`DLA is ((c − mean(c)) / s) · (W_U[:, t1] − W_U[:, t2]), weights ${processed ? "processed" : "as stored"}`, async () => {
    const model = letterModel(8, processed);
    const clean = model.forward();
    const { first, second } = topTwo(clean);
    const u = attributionVector(clean, unembedding(clean, first).sub(unembedding(clean, second)));
    const made = await run(
      { dla: directLogitAttribution(clean.node("L1H2"), u), first, second },
      feed(prompts),
    );

    const plain = plainRun(model, tokens);
    const weights = currentWeights(model);
    const { d_model, d_vocab } = model.config;
    const W_U = weights.get("unembed.W_U")!, ln = weights.get("ln_final.w");
    for (let batch = 0; batch < 2; batch++) {
      for (let pos = 0; pos < 4; pos++) {
        const logits = [...vector(plain.get("logits")!, batch, pos)];
        const [t1, t2] = logits.map((_, i) => i).sort((a, b) => logits[b] - logits[a]);
        const at = batch * 4 + pos;
        assertEquals([made.first.data[at], made.second.data[at]], [t1, t2]);
        const c = [...vector(plain.get("blocks.1.attn.hook_result")!, batch, pos, 2)];
        const scale = vector(plain.get("ln_final.hook_scale")!, batch, pos)[0];
        const centred = c.map((x, i) => (x - mean(c)) / scale * (ln ? ln[i] : 1));
        const direction = Array.from(
          { length: d_model },
          (_, i) => W_U[i * d_vocab + t1] - W_U[i * d_vocab + t2],
        );
        assertAlmostEquals(made.dla.data[at], dot(centred, direction), 1e-4);
      }
    }
  });
}

/**
 * Largest |Σ DLA - logit difference| as a part of Σ |DLA|, over all tokens, for answers that are not the most
 * probable ones.
 */
async function offSum(model: Model, prompts: Prompts): Promise<number> {
  const clean = model.forward();
  const [first, second] = [model.tokens("first"), model.tokens("second")];
  const { names, values } = attributionTerms(clean, first, second);
  const logits = clean.linearLogits; // before a soft cap
  const difference = logits.pick("d_vocab", first).sub(logits.pick("d_vocab", second));
  const u = unembedding(clean, first).sub(unembedding(clean, second));
  const read = readDifference(clean, u);
  const shape = [prompts.count, prompts.length];
  const ids = (start: number) =>
    new NdArray(
      prompts.tokens.map((_, i) => (start + 5 * i) % outputSize(model.config)),
      ["batch", "pos"],
      shape,
    );
  const made = await run({ values, difference, read }, { ...feed(prompts), first: ids(1), second: ids(4) });
  let worst = 0;
  made.difference.data.forEach((expected: number, t: number) => {
    const terms = [...made.values.data.subarray(t * names.length, (t + 1) * names.length)];
    const sum = terms.reduce((a, b) => a + b), gross = terms.reduce((a, b) => a + Math.abs(b), 0);
    worst = Math.max(worst, Math.abs(sum - expected) / gross);
    const without = expected - terms[names.indexOf("b_U")]; // readDifference leaves it out
    worst = Math.max(worst, Math.abs(made.read.data[t] - without) / gross);
  });
  return worst;
}

Deno.test("DLA of all nodes and biases adds up to the logit difference, in every kind of model", async () => {
  for (const changes of Object.values(variants)) {
    for (const steps of [NO_STEPS, ALL_STEPS]) {
      const { model } = small(9, changes, steps);
      const off = await offSum(model, randomPrompts(model, 9, 2, 6));
      assert(off < 1e-5, `${JSON.stringify(changes)}: ${off}`);
    }
  }
});

Deno.test("DLA of all nodes and biases adds up to the logit difference, in every family", async () => {
  for (const name of recordedNames) {
    for (const options of [{}, { processing: false }] as const) {
      const model = await loadModel(folderOf(name), options);
      if (outputSize(model.config) === 0) continue; // a base model
      const off = await offSum(model, randomPrompts(model, 3, 2, 8));
      assert(off < 1e-5, `${name}: ${off}`);
    }
  }
});
