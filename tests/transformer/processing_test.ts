import { outputSize } from "../../lib/checkpoints/config.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { run } from "../../lib/tensor/run.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS, NO_STEPS, type Processing, processWeights } from "../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../lib/transformer/weights.ts";
import { smallModel } from "../checkpoints/small_model.ts";
import { plainForward } from "../reference/plain_forward.ts";
import {
  embeddedFile,
  embeddedPrompts,
  inStoredOrder,
  randomPrompts,
  rows,
  small,
  variants,
  weightsOf,
} from "./models.ts";

const steps = Object.keys(ALL_STEPS) as (keyof Processing)[];
const choices: [string, Processing][] = [
  ["all steps", ALL_STEPS],
  ["no step", NO_STEPS],
  ...steps.map((step): [string, Processing] => [step, { ...NO_STEPS, [step]: true }]),
  ...steps.map((step): [string, Processing] => [`all but ${step}`, { ...ALL_STEPS, [step]: false }]),
];

/** log P from logits [… , d_vocab], in double precision. */
function logProbabilities(logits: ArrayLike<number>, d_vocab: number): Float64Array {
  const result = Float64Array.from(logits);
  for (let at = 0; at < result.length; at += d_vocab) {
    const row = result.subarray(at, at + d_vocab);
    const most = row.reduce((a, b) => Math.max(a, b));
    const total = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
    row.forEach((x, i) => row[i] = x - total);
  }
  return result;
}

function assertSame(got: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assertEquals(got.length, expected.length);
  for (let i = 0; i < got.length; i++) assertAlmostEquals(got[i], expected[i], 1e-4, `${what} at ${i}`);
}

for (const [kind, changes] of Object.entries(variants)) {
  Deno.test(`Weight processing leaves log-probabilities unchanged, each step alone and all (${kind})`, async () => {
    const { model: raw, stored } = small(31, changes);
    const prompts = randomPrompts(raw, 31, 2, 6);
    const plain = plainForward(raw.config, stored, rows(prompts)).get("logits")!.data;
    const expected = logProbabilities(plain, outputSize(raw.config));
    for (const [what, processing] of choices) {
      const { model } = small(31, changes, processing);
      const pass = model.forward();
      const { logits, logProbs } = await run(
        { logits: pass.logits, logProbs: pass.logProbabilities() },
        feed(prompts),
      );
      assertSame(logProbs.data, expected, what);
      assertSame(logProbabilities(logits.data, outputSize(raw.config)), expected, what);
    }
  });
}

Deno.test("Weight processing leaves the embedded model's log-probabilities unchanged", async () => {
  const prompts = await embeddedPrompts(2, 8);
  const models = [await loadModel(), await loadModel("tiny-gelu-4l", { processing: false })];
  assertEquals(models.map((m) => m.processing), [ALL_STEPS, NO_STEPS]);
  const { config } = models[0];
  const plain = plainForward(config, await embeddedFile(), rows(prompts)).get("logits")!.data;
  const expected = logProbabilities(plain, config.d_vocab);
  for (const model of models) {
    const { logProbs } = await run({ logProbs: model.forward().logProbabilities() }, feed(prompts));
    assertSame(logProbs.data, expected, model.name);
  }
  const partly = await loadModel("tiny-gelu-4l", { processing: { centerUnembed: false } });
  assertEquals(partly.processing, { ...ALL_STEPS, centerUnembed: false });
  const meanBias = (model: Model) => {
    const { data } = model.weights.get("unembed.b_U")!;
    return Math.abs(data.reduce((a, b) => a + b, 0) / data.length);
  };
  assert(meanBias(partly) > 1e-3);
  assert(meanBias(models[0]) < 1e-6);
});

/**
 * One layer, d_model 2, one head of size 1, d_mlp 1, two tokens: every number below can be followed on paper.
 */
function tiny(): { weights: Weights; config: ReturnType<typeof smallModel>["config"] } {
  const { config } = smallModel(0, {
    n_layers: 1,
    d_model: 2,
    n_heads: 1,
    d_head: 1,
    d_mlp: 1,
    n_ctx: 1,
    d_vocab: 2,
  });
  const values: [string, number[], number[]][] = [
    ["embed.W_E", [2, 2], [1, 3, 5, 5]],
    ["pos_embed.W_pos", [1, 2], [2, 4]],
    ["blocks.0.ln1.w", [2], [2, 3]],
    ["blocks.0.ln1.b", [2], [1, -1]],
    ["blocks.0.attn.W_Q", [1, 2, 1], [4, 1]],
    ["blocks.0.attn.W_K", [1, 2, 1], [0, 2]],
    ["blocks.0.attn.W_V", [1, 2, 1], [1, 1]],
    ["blocks.0.attn.b_Q", [1, 1], [10]],
    ["blocks.0.attn.b_K", [1, 1], [0]],
    ["blocks.0.attn.b_V", [1, 1], [3]],
    ["blocks.0.attn.W_O", [1, 1, 2], [1, 5]],
    ["blocks.0.attn.b_O", [2], [1, 1]],
    ["blocks.0.ln2.w", [2], [1, 2]],
    ["blocks.0.ln2.b", [2], [0, 1]],
    ["blocks.0.mlp.W_in", [2, 1], [3, 4]],
    ["blocks.0.mlp.b_in", [1], [7]],
    ["blocks.0.mlp.W_out", [1, 2], [6, 2]],
    ["blocks.0.mlp.b_out", [2], [0, 4]],
    ["ln_final.w", [2], [1, 10]],
    ["ln_final.b", [2], [1, 0]],
    ["unembed.W_U", [2, 2], [1, 2, 3, 5]],
    ["unembed.b_U", [2], [0, 1]],
  ];
  return {
    config,
    weights: new Map(values.map(([n, shape, v]) => [n, weight(n, Float32Array.from(v), shape)])),
  };
}

Deno.test("processWeights() by hand", () => {
  const { config, weights } = tiny();
  const before = new Map([...weights].map(([name, { data }]) => [name, data.slice()]));
  const done = processWeights(weights, config, ALL_STEPS);
  const expected: Record<string, number[]> = {
    // Rows minus their mean: (1, 3) − 2, (5, 5) − 5; (2, 4) − 3.
    "embed.W_E": [-1, 1, 0, 0],
    "pos_embed.W_pos": [-1, 1],
    // b_Q: 10 + 4·1 + 1·(−1) = 13. W_Q: (4·2, 1·3) = (8, 3), minus 5.5.
    "blocks.0.attn.b_Q": [13],
    "blocks.0.attn.W_Q": [2.5, -2.5],
    // b_K: 0 + 0·1 + 2·(−1) = −2. W_K: (0, 6) minus 3.
    "blocks.0.attn.b_K": [-2],
    "blocks.0.attn.W_K": [-3, 3],
    // b_V: 3 + 1 − 1 = 3, then folded away. W_V: (2, 3) minus 2.5.
    "blocks.0.attn.b_V": [0],
    "blocks.0.attn.W_V": [-0.5, 0.5],
    // W_O: (1, 5) minus 3. b_O: (1, 1) minus 1, then + 3 · (−2, 2).
    "blocks.0.attn.W_O": [-2, 2],
    "blocks.0.attn.b_O": [-6, 6],
    // b_in: 7 + 3·0 + 4·1 = 11. W_in: (3, 8) minus 5.5.
    "blocks.0.mlp.b_in": [11],
    "blocks.0.mlp.W_in": [-2.5, 2.5],
    // (6, 2) minus 4; (0, 4) minus 2.
    "blocks.0.mlp.W_out": [2, -2],
    "blocks.0.mlp.b_out": [-2, 2],
    // b_U: (0, 1) + 1·(1, 2) + 0 = (1, 3), minus 2. W_U: rows (1, 2), (30, 50); columns minus (15.5, 26):
    // (−14.5, −24), (14.5, 24); rows minus their means −19.25, 19.25.
    "unembed.b_U": [-1, 1],
    "unembed.W_U": [4.75, -4.75, -4.75, 4.75],
  };
  assertEquals([...done.keys()].sort(), Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    assertEquals([...inStoredOrder(name, done.get(name)!)], values, name);
  }
  for (const [name, data] of before) assertEquals(weights.get(name)!.data, data, `${name} was changed`);
});

Deno.test("processWeights(): what each step does to the weights of a random model", () => {
  const made = smallModel(32);
  const done = processWeights(weightsOf(made), made.config, ALL_STEPS);
  const { d_model, d_vocab, n_heads, d_head } = made.config;
  const values = (name: string) => inStoredOrder(name, done.get(name)!);
  const mean = (data: Float32Array, start: number, step: number, count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += data[start + i * step];
    return sum / count;
  };
  for (
    const name of [
      "embed.W_E",
      "pos_embed.W_pos",
      "blocks.1.attn.W_O",
      "blocks.0.mlp.W_out",
      "blocks.1.attn.b_O",
    ]
  ) {
    const data = values(name);
    for (let at = 0; at < data.length; at += d_model) {
      assertAlmostEquals(mean(data, at, 1, d_model), 0, 1e-6, name);
    }
  }
  const W_V = values("blocks.1.attn.W_V");
  for (let head = 0; head < n_heads; head++) {
    for (let k = 0; k < d_head; k++) {
      assertAlmostEquals(mean(W_V, head * d_model * d_head + k, d_head, d_model), 0, 1e-6);
    }
  }
  const W_U = values("unembed.W_U");
  for (let m = 0; m < d_model; m++) assertAlmostEquals(mean(W_U, m * d_vocab, 1, d_vocab), 0, 1e-6);
  for (let v = 0; v < d_vocab; v++) assertAlmostEquals(mean(W_U, v, d_vocab, d_model), 0, 1e-6);
  assert(![...done.keys()].some((name) => /ln/.test(name)));
});

Deno.test("processWeights(): RMSNorm models are not centred", () => {
  const made = smallModel(33, { normalization: "RMS" });
  const weights = weightsOf(made);
  const done = processWeights(weights, made.config, ALL_STEPS);
  assertEquals(done.get("embed.W_E")!.data, weights.get("embed.W_E")!.data);
  assertEquals(done.get("blocks.0.mlp.W_out")!.data, weights.get("blocks.0.mlp.W_out")!.data);
});

Deno.test("processWeights() names a weight that is missing", () => {
  const { config, weights } = tiny();
  weights.delete("blocks.0.attn.b_Q");
  assertThrows(() => processWeights(weights, config, ALL_STEPS), Error, '"blocks.0.attn.b_Q"');
});

Deno.test("Weight processing: the embedded model's weights are those of TransformerLens", async () => {
  const file = new URL("../reference/data/tiny-gelu-4l.json", import.meta.url);
  const { processedWeights } = JSON.parse(await Deno.readTextFile(file)) as {
    processedWeights: Record<string, { shape: number[]; sum: number; norm: number; wave: number }>;
  };
  const { weights } = await loadModel();
  for (const [name, { shape, norm, wave }] of Object.entries(processedWeights)) {
    const data = inStoredOrder(name, weights.get(name)!);
    assertEquals(data.length, shape.reduce((a, b) => a * b, 1), name);
    let squares = 0, sine = 0;
    data.forEach((w, i) => {
      squares += w * w;
      sine += w * Math.sin(i + 1);
    });
    assertAlmostEquals(Math.sqrt(squares), norm, 1e-5 * norm, `norm of ${name}`);
    assertAlmostEquals(sine, wave, 1e-5 * norm, `order of ${name}`);
  }
  assertEquals(Object.keys(processedWeights).length, weights.size);
});
