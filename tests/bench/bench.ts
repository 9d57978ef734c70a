/**
 * `deno task bench`: how fast and how small the engine is at gelu-4l's dimensions, with seeded random
 * weights.
 *
 * 1. Figures 1, 2 and 3 (clean and patched run) over 300 × 1024 tokens in one pass: time and peak resident
 *    memory.
 * 2. Interleaved rounds of a bare MatMul, a plain forward pass (all that the residual stream after the last
 *    layer needs; no logits), Figures 1–2 and Figures 1–3. Machines are noisy: read the ratios, which are
 *    medians over rounds, not the seconds.
 *
 * FLOPs are those of the graph: 2 for each multiply-add of matrix products, attention over all pairs of
 * positions. Options: --prompts N (default 300), --rounds N (default 7), --threads N (default: all cores).
 */
import { parseArgs } from "node:util";
import { nodesOntoWriter } from "../../lib/experiments/node_projections.ts";
import { measure } from "../../lib/experiments/experiment.ts";
import { patchExperiments } from "../../lib/experiments/patched_projections.ts";
import { residualOntoHeads } from "../../lib/experiments/residual_projections.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import type { Outputs } from "../../lib/tensor/outputs.ts";
import { cost, type Feeds, run } from "../../lib/tensor/run.ts";
import { input, param } from "../../lib/tensor/tensor.ts";
import { feed } from "../../lib/transformer/model.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { peakMemory } from "../../lib/platform/peak_memory.ts";

const { values: options } = parseArgs({
  options: {
    prompts: { type: "string", default: "300" },
    rounds: { type: "string", default: "7" },
    threads: { type: "string" },
  },
});
const threads = options.threads ? Number(options.threads) : undefined;
const LENGTH = 1024;

const model = randomModel(GELU_4L);
const clean = model.forward();
const { writer, cleaners } = model.cleanup;
const experiments = {
  figure1: residualOntoHeads(clean, 0),
  figure2: nodesOntoWriter(clean, writer, clean.node(writer), { cleaners }),
  ...patchExperiments(model, clean),
};

/** 1. The whole job, first, so that nothing else has touched the memory. */
async function wholeJob(count: number): Promise<void> {
  const prompts = randomPrompts(GELU_4L, count, LENGTH);
  const began = performance.now();
  await measure(model, prompts, experiments, {
    threads,
    onProgress: ({ done, total, seconds }) => {
      if (Deno.stderr.isTerminal()) {
        console.error(`\x1b[A\x1b[2K${done}/${total} prompts, ${seconds.toFixed(0)} s`);
      }
    },
  });
  const seconds = (performance.now() - began) / 1000;
  const memory = peakMemory().toFixed(2);
  console.log(
    `Figures 1–3, ${count} × ${LENGTH} tokens: ${seconds.toFixed(1)} s, peak resident memory ${memory} GiB`,
  );
}

interface Case {
  name: string;
  outputs: Outputs;
  feeds: Feeds;
  sizes: Record<string, number>;
  seconds: number[];
}

function cases(): Case[] {
  const batch = 2, rows = batch * LENGTH, [inner, outer] = [GELU_4L.d_mlp, GELU_4L.d_mlp];
  const x = input("x", [{ name: "batch", size: "batch" }, { name: "k", size: inner }], { dtype: "float32" });
  const dims = [{ name: "k", size: inner }, { name: "n", size: outer }];
  const w = param("w", new Float32Array(inner * outer).fill(0.01), dims);
  const ones = new NdArray(new Float32Array(rows * inner).fill(0.1), ["batch", "k"], [rows, inner]);
  const prompts = feed(randomPrompts(GELU_4L, batch, LENGTH));
  const sizes = { batch, pos: LENGTH };
  // One number of each row is returned: what is measured is the product, not a copy out of the runtime.
  const resid = clean.hook(`blocks.${GELU_4L.n_layers - 1}.hook_resid_post`);
  const plain = { resid: resid.select("d_model", 0) };
  const collect = (names: (keyof typeof experiments)[]): Outputs =>
    Object.fromEntries(names.map((name) => [name, experiments[name].outputs]));
  const one = (name: string, outputs: Outputs): Case => ({
    name,
    outputs,
    feeds: prompts,
    sizes,
    seconds: [],
  });
  return [
    {
      name: "bare MatMul",
      outputs: { y: x.dot(w, "k").select("n", 0) },
      feeds: { x: ones },
      sizes: { batch: rows },
      seconds: [],
    },
    one("plain forward", plain),
    one("Figures 1–2", collect(["figure1", "figure2"])),
    one("Figures 1–3", collect(["figure1", "figure2", "locations", "clean", "patched"])),
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** 2. Each round runs every case once, so that a slow moment of the machine hits all of them. */
async function rounds(count: number): Promise<void> {
  const all = cases();
  for (let round = -1; round < count; round++) { // round -1 warms up
    for (const { outputs, feeds, sizes, seconds } of all) {
      const began = performance.now();
      await run(outputs, feeds, { batchSize: sizes.batch, threads });
      if (round >= 0) seconds.push((performance.now() - began) / 1000);
    }
  }
  const [bare, plain] = all;
  const flops = (c: Case) => cost(c.outputs, c.sizes).flops;
  const table = all.map((c) => {
    const speed = median(c.seconds.map((s, i) => flops(c) / s / (flops(bare) / bare.seconds[i])));
    const ofPlain = median(c.seconds.map((s, i) => s / plain.seconds[i]));
    return {
      case: c.name,
      "GFLOP": +(flops(c) / 1e9).toFixed(1),
      "ms (median)": +(1000 * median(c.seconds)).toFixed(0),
      "GFLOP/s (best)": +(flops(c) / Math.min(...c.seconds) / 1e9).toFixed(0),
      "% of bare MatMul": +(100 * speed).toFixed(0),
      "× plain forward": c === bare ? "" : ofPlain.toFixed(2),
      "tokens/s": c === bare ? "" : Math.round(c.sizes.batch * LENGTH / median(c.seconds)),
    };
  });
  console.table(table);
}

await wholeJob(Number(options.prompts));
await rounds(Number(options.rounds));
