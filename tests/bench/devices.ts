/**
 * `deno task bench:devices`: tokens a second on the processor and on a graphics card, and the share of the
 * device's peak, at gelu-4l's and Llama-3.2-1B's dimensions, with random weights. Beside it PyTorch on the
 * same card (devices_torch.py), where PEER_PYTHON names a Python that has it.
 *
 *     PEER_PYTHON=venv/bin/python deno task bench:devices --shape gelu-4l --device cpu,webgpu --tflops 82.6
 *
 * Each is the median of rounds in which all take turns, after a warm-up: a bare product of square matrices,
 * eight in a row; a forward pass without logits; Figures 1 to 3; the same for two removals (a head's output,
 * and rotated). "of bare": FLOPs a second as a part of the bare product's on the same side. "of peak": as a
 * part of --tflops, the float32 peak of the device's data sheet. FLOPs are those of the graph, 2 for each
 * multiply-add. Weights are on the card before the clock starts, tokens are not, and one number a row comes
 * back.
 *
 * Options: --shape gelu-4l | llama-1b | tiny, --device LIST, --prompts N, --length N, --batch N, --rounds N,
 * --square N (of the bare product), --tflops X.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import { outputsOf } from "../../lib/experiments/experiment.ts";
import { nodesOntoWriter } from "../../lib/experiments/node_projections.ts";
import { patchExperiments } from "../../lib/experiments/patched_projections.ts";
import { residualOntoHeads } from "../../lib/experiments/residual_projections.ts";
import { measureRemovals } from "../../lib/experiments/retention/removals.ts";
import { atPositions } from "../../lib/metrics/retention.ts";
import { rotated, rotation } from "../../lib/metrics/rotation.ts";
import type { Device } from "../../lib/tensor/device.ts";
import type { Outputs } from "../../lib/tensor/outputs.ts";
import { cost, type Feeds, run, type RunOptions } from "../../lib/tensor/run.ts";
import { param, type Tensor } from "../../lib/tensor/tensor.ts";
import { feed } from "../../lib/transformer/model.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { medianOf, PEER_NAMES, peerRows, type Row } from "./devices_rows.ts";

const SHAPES: Record<string, ModelConfig> = {
  "gelu-4l": GELU_4L,
  "llama-1b": {
    ...GELU_4L,
    n_layers: 16,
    n_heads: 32,
    n_key_value_heads: 8,
    d_model: 2048,
    d_mlp: 8192,
    d_vocab: 128256,
    act_fn: "silu",
    gated_mlp: true,
    normalization: "RMS",
    positional_embedding_type: "rotary",
    rotary_dim: 64,
    rotary_base: 500000,
  },
  tiny: { ...GELU_4L, d_model: 32, d_head: 4, d_mlp: 64, d_vocab: 101 },
};

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "gelu-4l" },
    device: { type: "string", default: "cpu,webgpu" },
    prompts: { type: "string", default: "8" },
    length: { type: "string", default: "1024" },
    batch: { type: "string", default: "8" },
    rounds: { type: "string", default: "7" },
    square: { type: "string", default: "4096" },
    tflops: { type: "string" },
  },
});
const config = SHAPES[values.shape];
if (!config) {
  throw new Error(`--shape: got "${values.shape}"; expected one of ${Object.keys(SHAPES).join(", ")}`);
}
const numbers = { ...values } as Record<string, string>;
const [count, length, batch, rounds, square] = ["prompts", "length", "batch", "rounds", "square"].map(
  (name) => {
    const value = Number(numbers[name]);
    if (!Number.isInteger(value) || value < 1) {
      throw new Error(`--${name}: got "${numbers[name]}"; expected a number`);
    }
    return value;
  },
);
const PRODUCTS = 8;

const model = randomModel(config), prompts = randomPrompts(config, count, length), clean = model.forward();
const { writer, cleaners } = model.cleanup;

/** x · W · W …: one number a row comes back. */
function bareProducts(): Outputs {
  const matrix = (label: string) =>
    param(
      label,
      new Float32Array(square ** 2).fill(1 / square),
      ["row", "k"].map((name) => ({ name, size: square })),
    );
  const [x, W] = [matrix("x"), matrix("W").rename({ row: "k", k: "n" })];
  let y: Tensor = x;
  for (let i = 0; i < PRODUCTS; i++) y = y.dot(W, "k").rename({ n: "k" });
  return { y: y.select("k", 0) };
}

interface Case {
  name: string;
  tokens: number;
  flops?: number;
  run: (options: RunOptions) => Promise<unknown>;
}

const one = (
  name: string,
  outputs: Outputs,
  feeds: Feeds,
  tokens: number,
  sizes: Record<string, number>,
): Case => ({
  name,
  tokens,
  flops: cost(outputs, sizes).flops * (sizes.batch ? count : 1),
  run: (options) => run(outputs, feeds, options),
});

const w = clean.node(writer), sizes = { batch: 1, pos: length }, tokens = count * length;
const end = clean.hook(`blocks.${config.n_layers - 1}.hook_resid_post`).select("d_model", 0);
const figures = {
  figure1: residualOntoHeads(clean, 0),
  figure2: nodesOntoWriter(clean, writer, w, { cleaners }),
  ...patchExperiments(model, clean),
};
const removals = [
  { key: writer, writer, delta: atPositions(w) },
  { key: "rotated", writer, delta: atPositions(rotated(w, rotation(config, 1))) },
];
const cases: Case[] = [
  one("bare product", bareProducts(), {}, 0, {}),
  one("forward pass", { end }, feed(prompts), tokens, sizes),
  one("Figures 1–3", outputsOf(figures), feed(prompts), tokens, sizes),
  {
    name: "retention of one writer",
    tokens,
    run: (options) => measureRemovals(model, prompts, clean, removals, { ...options, kept: "end" }),
  },
];

const devices = values.device.split(",") as Device[];
const times = new Map<string, number[]>();
for (let round = -1; round < rounds; round++) { // round -1 compiles, and sends the weights
  for (const device of devices) {
    for (const { name, run } of cases) {
      const began = performance.now();
      await run({ device, batchSize: batch });
      if (round < 0) continue;
      const key = `${device} ${name}`;
      times.set(key, [...times.get(key) ?? [], (performance.now() - began) / 1000]);
    }
  }
}
const rows: Row[] = devices.flatMap((device) =>
  cases.map(({ name, tokens, flops }) => ({
    side: `this project, ${device}`,
    name,
    tokens,
    ...(flops !== undefined && { flops }),
    seconds: medianOf(times.get(`${device} ${name}`)!),
  }))
);
const python = process.env.PEER_PYTHON;
if (python) {
  const shape = { ...config, count, length, batch, rounds, square, products: PRODUCTS };
  const flopsOf = (name: string) => cases.find((one) => one.name === name)?.flops;
  rows.push(...await peerRows(python, shape, flopsOf));
} else console.error("PEER_PYTHON names no Python: PyTorch is left out");

const TFLOPS = values.tflops ? Number(values.tflops) : undefined;
console.log(`${values.shape}: ${count} × ${length} tokens, batches of ${batch}, ${rounds} rounds\n`);
console.log(
  `| side | what | tokens/s | TFLOP/s | of bare | of peak |\n| --- | --- | ---: | ---: | ---: | ---: |`,
);
for (const { side, name, tokens, flops, seconds } of rows) {
  const rate = flops === undefined ? undefined : flops / seconds / 1e12;
  const bare = rows.find((row) => row.side === side && row.name === PEER_NAMES.product)!;
  const part = (of?: number) => rate && of ? `${Math.round(100 * rate / of)} %` : "";
  console.log(
    `| ${side} | ${name} | ${tokens ? Math.round(tokens / seconds) : ""} | ${rate?.toPrecision(3) ?? ""} | ${
      part(bare.flops! / bare.seconds / 1e12)
    } | ${part(TFLOPS)} |`,
  );
}
