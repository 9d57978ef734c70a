/**
 * `deno task bench:scan`: what retention and responses of all nodes cost, as a ratio to a plain forward pass
 * (without logits) of the same tokens, interleaved in one process: on the embedded model with three controls
 * a node, once on few tokens, where compiling the graph is much of it, and once on more; and at GPT-2 small's
 * dimensions (seeded random weights) with one control a layer, as the scan's screen does it.
 *
 * Machines are noisy: read the ratio. Options: --rounds N (default 3), --count N and --length N (prompts at
 * GPT-2 small's size; default 4 of 128), --threads N (default: all cores).
 */
import { parseArgs } from "node:util";
import { type ModelConfig, shorten } from "../../lib/checkpoints/mod.ts";
import { measureRemovals, type Removal } from "../../lib/experiments/retention/removals.ts";
import { scanCost } from "../../lib/experiments/scan/cost.ts";
import { screenRemovals } from "../../lib/experiments/scan/screen.ts";
import { DEFAULT_SETTINGS } from "../../lib/experiments/scan/settings.ts";
import { atPositions } from "../../lib/metrics/retention.ts";
import { rotated, rotation } from "../../lib/metrics/rotation.ts";
import { run } from "../../lib/tensor/run.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { modelNodes } from "../../lib/transformer/nodes.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { peakMemory } from "../../lib/platform/peak_memory.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    count: { type: "string", default: "4" },
    length: { type: "string", default: "128" },
    threads: { type: "string" },
  },
});
const [rounds, count, length] = [options.rounds, options.count, options.length].map(Number);
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

/** Every node's own output and `rotations` rotations of it. */
function allRemovals(model: Model, rotations: number): Removal[] {
  const clean = model.forward();
  const turns = Array.from({ length: rotations }, (_, i) => rotation(model.config, i + 1));
  return modelNodes(model.config).flatMap(({ name: writer }) => {
    const w = clean.node(writer);
    const controls = turns.map((Q, i) => ({
      key: `${writer} ${i}`,
      writer,
      delta: atPositions(rotated(w, Q)),
    }));
    return [{ key: writer, writer, delta: atPositions(w) }, ...controls];
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const GOAL = 110;
const embedded = (count: number) => async () => {
  const model = await loadModel("tiny-gelu-4l");
  const prompts = shorten(await promptsFor(model), { count });
  const name = `embedded model, 3 controls a node, ${count} prompts`;
  return { name, model, prompts, removals: allRemovals(model, 3), feeds: {} };
};
const cases = [
  embedded(8),
  embedded(30),
  () => {
    const model = randomModel(GPT2_SMALL), prompts = randomPrompts(GPT2_SMALL, count, length);
    const { removals, feeds } = screenRemovals(model, model.forward(), { prompts, first: 0 }, 1, 16);
    return { name: "GPT-2 small's size, 1 control a layer", model, prompts, removals, feeds };
  },
];
for (const make of cases) {
  const { name, model, prompts, removals, feeds } = await make();
  const clean = model.forward();
  // One number of each row is returned: what is measured is the forward pass, not a copy out of the runtime.
  const plain = { end: clean.residualStream().at(-1)!.value.select("d_model", 0) };
  const [plains, all]: number[][] = [[], []];
  for (let round = -1; round < rounds; round++) { // round -1 warms up
    let began = performance.now();
    for (let i = 0; i < 5; i++) await run(plain, feed(prompts, model.config), threads);
    plains.push((performance.now() - began) / 5);
    began = performance.now();
    await measureRemovals(model, prompts, clean, removals, { ...threads, feeds, kept: "end" });
    all.push(performance.now() - began);
  }
  const ratios = plains.map((ms, i) => all[i] / ms).slice(1);
  const expected = scanCost(model, { ...prompts, count: 64 }, DEFAULT_SETTINGS);
  console.table([{
    case: name,
    nodes: modelNodes(model.config).length,
    runs: removals.length,
    "plain, ms": +median(plains).toFixed(0),
    "all, ms": +median(all).toFixed(0),
    "× plain forward": +median(ratios).toFixed(0),
    goal: GOAL,
    "cost.ts says (screen)": +(expected.screen.forward / (8 * prompts.length)).toFixed(0),
  }]);
  console.log(
    `Rounds: ${ratios.map((r) => r.toFixed(0)).join(", ")}. Peak resident memory ${
      peakMemory().toFixed(2)
    } GiB.`,
  );
}
