/**
 * `deno task bench:devices`: tokens a second on the processor and on a graphics card, and the share of the
 * device's peak, at gelu-4l's and Llama-3.2-1B's dimensions, with random weights. Beside it PyTorch on the
 * same card (devices_torch.py), where PEER_PYTHON names a Python that has it.
 *
 *     PEER_PYTHON=venv/bin/python deno task bench:devices --shape gelu-4l --device cpu,webgpu --tflops 82.6
 *
 * Each is the median of rounds in which all of one batch size take turns, after a warm-up: a bare product of
 * square matrices, eight in a row; a forward pass without logits; Figures 1 to 3; the same for two removals
 * (a head's output, and rotated). "of bare": FLOPs a second as a part of the bare product's on the same side.
 * "of peak": as a part of --tflops, the float32 peak of the device's data sheet. FLOPs are those of the
 * graph, 2 for each multiply-add. Weights are on the card before the clock starts, tokens are not, and one
 * number a row comes back.
 *
 * Options: --shape gelu-4l | llama-1b | tiny, --device LIST, --prompts N, --length N, --batch LIST,
 * --rounds N, --seconds N (a case sits out the rounds after so long), --square N (of the bare product),
 * --tflops X, --forward (products and forward passes alone), --json FILE (all rows, also those that failed).
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
import { cost, run } from "../../lib/tensor/run.ts";
import { param, type Tensor } from "../../lib/tensor/tensor.ts";
import { feed } from "../../lib/transformer/model.ts";
import { randomSource } from "../reference/random.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { type Case, measured, PEER_NAMES, peerRows, type Row, tableOf } from "./devices_rows.ts";

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
    seconds: { type: "string", default: "60" },
    square: { type: "string", default: "4096" },
    tflops: { type: "string" },
    forward: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const config = SHAPES[values.shape];
if (!config) {
  throw new Error(`--shape: got "${values.shape}"; expected one of ${Object.keys(SHAPES).join(", ")}`);
}
function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: got "${text}"; expected a number`);
  return value;
}
const [prompts, length, rounds, square, most] =
  (["prompts", "length", "rounds", "square", "seconds"] as const)
    .map((name) => positive(name, values[name]));
const batches = values.batch.split(",").map((text) => positive("batch", text));
const PRODUCTS = 8;

const model = randomModel(config), clean = model.forward();
const { writer, cleaners } = model.cleanup;

/**
 * x · W · W …: one number a row comes back. Of random numbers, since a card computes faster with equal ones,
 * and so large that products stay as large.
 */
function bareProducts(): Outputs {
  const random = randomSource(3), most = Math.sqrt(3 / square);
  const matrix = (label: string) =>
    param(
      label,
      Float32Array.from({ length: square ** 2 }, () => (2 * random() - 1) * most),
      ["row", "k"].map((name) => ({ name, size: square })),
    );
  const [x, W] = [matrix("x"), matrix("W").rename({ row: "k", k: "n" })];
  let y: Tensor = x;
  for (let i = 0; i < PRODUCTS; i++) y = y.dot(W, "k").rename({ n: "k" });
  return { y: y.select("k", 0) };
}

const w = clean.node(writer), sizes = { batch: 1, pos: length };
const end = clean.hook(`blocks.${config.n_layers - 1}.hook_resid_post`).select("d_model", 0);
const figures = outputsOf({
  figure1: residualOntoHeads(clean, 0),
  figure2: nodesOntoWriter(clean, writer, w, { cleaners }),
  ...patchExperiments(model, clean),
});
const removals = [
  { key: writer, writer, delta: atPositions(w) },
  { key: "rotated", writer, delta: atPositions(rotated(w, rotation(config, 1))) },
];
const devices = values.device.split(",") as Device[];

/** All that is measured with batches of one size. Prompts are whole batches. */
function casesOf(batch: number): Case[] {
  const count = Math.ceil(prompts / batch) * batch, tokens = count * length;
  const fed = randomPrompts(config, count, length);
  const one = (name: string, outputs: Outputs): Case => ({
    name,
    batch,
    tokens,
    flops: cost(outputs, sizes).flops * count,
    run: (options) => run(outputs, feed(fed), { ...options, batchSize: batch }),
  });
  const more: Case[] = values.forward ? [] : [one("Figures 1–3", figures), {
    name: "retention of one writer",
    batch,
    tokens,
    run: (options) =>
      measureRemovals(model, fed, clean, removals, { ...options, batchSize: batch, kept: "end" }),
  }];
  return [one(PEER_NAMES.forward, { end }), ...more];
}

const bare = bareProducts();
const product: Case = {
  name: PEER_NAMES.product,
  tokens: 0,
  flops: cost(bare, {}).flops,
  run: (options) => run(bare, {}, options),
};
// Batches of one size at a time: so few graphs that the runtime's sessions are kept (session.ts).
const groups = [[product], ...batches.map(casesOf)], cases = groups.flat();
const rows: Row[] = [];
for (const group of groups) rows.push(...await measured(devices, group, rounds, most));
const save = () => {
  if (!values.json) return;
  Deno.writeTextFileSync(values.json, JSON.stringify({ shape: values.shape, length, square, rows }, null, 1));
};
save(); // PyTorch may fail, or take what time there is
const python = process.env.PEER_PYTHON;
if (python) {
  const shape = { ...config, prompts, length, batches, rounds, seconds: most, square, products: PRODUCTS };
  rows.push(...await peerRows(python, shape, cases));
  save();
} else console.error("PEER_PYTHON names no Python: PyTorch is left out");

console.log(`${values.shape}: ${prompts} or more prompts of ${length} tokens, ${rounds} rounds at most\n`);
console.log(tableOf(rows, values.tflops ? Number(values.tflops) : undefined));
