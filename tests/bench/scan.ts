/**
 * `deno task bench:scan`: what the first pass of a scan costs at GPT-2 small's dimensions, with seeded random weights.
 *
 * Interleaved rounds of a plain forward pass (all that the residual stream after the last layer needs; no logits) and of the first
 * pass, which adds all components, their Gram matrix and the folding of its statistics, over the same tokens. Machines are noisy:
 * read the ratio, a median over rounds. Options: --rounds N (default 7), --length N (default 1024), --threads N (default: all cores).
 */
import { parseArgs } from "node:util";
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import { Screen } from "../../lib/experiments/scan/screen.ts";
import { cost, run } from "../../lib/tensor/run.ts";
import { feed } from "../../lib/transformer/model.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { peakMemory } from "./peak_memory.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    length: { type: "string", default: "1024" },
    threads: { type: "string" },
  },
});
const [rounds, length] = [Number(options.rounds), Number(options.length)];
const threads = options.threads ? { threads: Number(options.threads) } : {};

const GPT2_SMALL: ModelConfig = {
  ...GELU_4L,
  n_layers: 12,
  n_heads: 12,
  d_model: 768,
  d_mlp: 3072,
  d_vocab: 50257,
  act_fn: "gelu_new",
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const model = randomModel(GPT2_SMALL);
const prompts = randomPrompts(GPT2_SMALL, 1, length);
const sizes = { batch: 1, pos: length };
// One number of each row is returned: what is measured is the forward pass, not a copy out of the runtime.
const plain = { resid: model.forward().hook("blocks.11.hook_resid_post").select("d_model", 0) };
const screen = new Screen(model);
const before = `peak resident memory ${peakMemory().toFixed(2)} GiB`;

const [forward, pass]: number[][] = [[], []];
for (let round = -1; round < rounds; round++) { // round -1 warms up
  let began = performance.now();
  await run(plain, feed(prompts), { batchSize: 1, ...threads });
  if (round >= 0) forward.push(performance.now() - began);
  screen.state.prompts[0] = 0; // the same prompt again
  began = performance.now();
  await screen.fold(prompts, { batchSize: 1, ...threads });
  if (round >= 0) pass.push(performance.now() - began);
}
const ratios = forward.map((ms, i) => pass[i] / ms);
const [plainCost, passCost] = [cost(plain, sizes), screen.cost(length)];
console.table([
  {
    case: "plain forward",
    "GFLOP": +(plainCost.flops / 1e9).toFixed(0),
    "ms (median)": +median(forward).toFixed(0),
    "tokens/s": Math.round(length / median(forward) * 1000),
  },
  {
    case: "first pass of a scan",
    "GFLOP": +(passCost.flops / 1e9).toFixed(0),
    "ms (median)": +median(pass).toFixed(0),
    "tokens/s": Math.round(length / median(pass) * 1000),
    "× plain forward": +median(ratios).toFixed(2),
  },
]);
const least = Math.min(...pass) / Math.min(...forward);
console.log(`${screen.components.length} components, ${screen.pairs} pairs, prompts of ${length} tokens.`);
console.log(
  `Ratio of the fastest rounds: ${least.toFixed(2)}. All: ${ratios.map((r) => r.toFixed(2)).join(", ")}`,
);
const state = Object.values(screen.state).reduce((sum, { byteLength }) => sum + byteLength, 0);
console.log(
  `Statistics: ${
    (state / 2 ** 20).toFixed(0)
  } MiB. With the weights loaded: ${before}; at the end: ${`peak resident memory ${
    peakMemory().toFixed(2)
  } GiB`}.`,
);
