import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { neuronRows, residualNorms, tokenRows } from "../../lib/experiments/quick_checks.ts";
import { Model } from "../../lib/transformer/model.ts";
import { currentWeights, randomPrompts, rows as tokensOf } from "../transformer/models.ts";
import { dot, letterModel, letters, plainRun, quantile, vector } from "./plain_values.ts";

Deno.test("tokenRows() puts BOS before the model's adversarial prompts and not before answers", () => {
  const { config, weights, processing } = letterModel(131);
  const adversarial = { prompts: [{ text: "cd", correct: "e", incorrect: "f" }], source: "made up" };
  const model = new Model({ name: "m", config, weights, processing, adversarial, tokenizer: letters });
  const withBos = new Model({
    ...model,
    weights: model.weights,
    config: { ...config, default_prepend_bos: true },
    adversarial,
  });
  assertEquals(tokenRows(withBos, ["cd", "cd", "e"]), [
    { text: "cd", position: 0, id: 0, length: 3 },
    { text: "cd", position: 1, id: 2, length: 3 },
    { text: "cd", position: 2, id: 3, length: 3 },
    { text: "e", position: 0, id: 4, length: 1 },
  ]);
  const without = new Model({
    ...model,
    weights: model.weights,
    config: { ...config, default_prepend_bos: false },
    adversarial,
  });
  assertEquals(tokenRows(without, ["cd"]).map((row) => row.id), [2, 3]);
  const bare = new Model({ name: "bare", config, weights, processing, adversarial });
  assertThrows(() => tokenRows(bare, ["cd"]), Error, "model bare has no tokenizer.json");
});

Deno.test("neuronRows() by loops over the stored order of the weights", async () => {
  const model = letterModel(132);
  const { d_model: D, d_mlp: M } = model.config;
  const weights = currentWeights(model);
  const rows = await neuronRows(model, [{ layer: 0, neuron: 3 }, { layer: 1, neuron: 13 }]);
  for (const { layer, neuron, ...got } of rows) {
    const [W_in, W_out, b_in] = ["W_in", "W_out", "b_in"].map((name) =>
      weights.get(`blocks.${layer}.mlp.${name}`)!
    );
    const w = Array.from({ length: D }, (_, m) => W_in[m * M + neuron]);
    const v = Array.from({ length: D }, (_, m) => W_out[neuron * D + m]);
    const [normIn, normOut] = [Math.hypot(...w), Math.hypot(...v)];
    const wanted = {
      cosine: dot(w, v) / normIn / normOut,
      dot: dot(w, v),
      normIn,
      normOut,
      bIn: b_in[neuron],
    };
    for (const [key, value] of Object.entries(wanted)) assertAlmostEquals(got[key as "dot"], value, 1e-6);
  }
  assertEquals(rows.map(({ layer, neuron }) => [layer, neuron]), [[0, 3], [1, 13]]);
});

Deno.test("residualNorms() are medians of lengths", async () => {
  const model = letterModel(133);
  const prompts = randomPrompts(model, 15, 3, 5);
  const rows = await residualNorms(model, prompts, { batchSize: 2 });
  assertEquals(rows.map((row) => row.location), [
    "resid_pre0",
    "resid_mid0",
    "resid_post0",
    "resid_mid1",
    "resid_post1",
  ]);
  const stream = plainRun(model, tokensOf(prompts)).get("blocks.1.hook_resid_mid")!;
  const lengths: number[] = [];
  for (let b = 0; b < 3; b++) for (let t = 0; t < 5; t++) lengths.push(Math.hypot(...vector(stream, b, t)));
  assertAlmostEquals(rows[3].norm, quantile(lengths, 0.5), 1e-5);
});
