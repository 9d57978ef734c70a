/**
 * What bench_peer.ts times on this project's side, in a process of its own: the tasks of peer.py, on the same
 * weights and tokens. Arguments: folder (see peer_folder.ts), threads. Lines, answers and names of the
 * medians are those of peer.py --turns.
 */
import process from "node:process";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { type Prompts, selectPrompts } from "../../lib/checkpoints/prompts/prompts.ts";
import { figures1to3, type FirstFigures } from "../../lib/experiments/figures_1_to_3.ts";
import { laterNodes } from "../../lib/metrics/later_nodes.ts";
import { atPositions, removal, responses, retained } from "../../lib/metrics/retention.ts";
import { rotated, rotation } from "../../lib/metrics/rotation.ts";
import { quantiles } from "../../lib/stats/quantiles.ts";
import { run, type RunOptions } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { locations } from "../../lib/transformer/nodes.ts";
import { ROTATION } from "./peer_folder.ts";

const [folder, threads] = Deno.args;

async function readPrompts(file: string): Promise<Prompts> {
  const tensors = await SafetensorsFile.open(file);
  try {
    const { data, dims: [count, length] } = await tensors.read("tokens");
    return { tokens: data as Int32Array<ArrayBuffer>, count, length, source: "random ids" };
  } finally {
    tensors.close();
  }
}

/**
 * Medians of Figures 1 to 3 under the names that peer.py gives them: nodes in the order L0H0 … MLP3, the
 * writer among them (ratio 1).
 */
function figureMedians(model: Model, { fig1, fig2, fig3a, fig3b }: FirstFigures): Record<string, number[]> {
  const { n_layers, n_heads } = model.config;
  const found: Record<string, number[]> = {};
  for (const { location, hook } of locations(model.config)) {
    found[`1 ${hook}`] = fig1.filter((row) => row.location === location).map((row) => row.median);
  }
  const heads = Array.from(
    { length: n_layers * n_heads },
    (_, i) => `L${Math.floor(i / n_heads)}H${i % n_heads}`,
  );
  const nodes = [...heads, ...Array.from({ length: n_layers }, (_, layer) => `MLP${layer}`)];
  found["2"] = nodes.map((node) =>
    node === model.cleanup.writer ? 1 : fig2.find((row) => row.node === node)!.median
  );
  for (const kind of ["clean", "patched"]) {
    found[`3a ${kind}`] = fig3a.filter(({ run }) => run === kind).map(({ median }) => median);
    found[`3b ${kind}`] = fig3b.filter(({ run, kind: node }) => run === kind && node === "head").map((row) =>
      row.median
    );
  }
  return found;
}

/**
 * R at the end of the stream and the response of every later node, of the model's writer and of its output
 * rotated: [run, prompt, pos] and [run, prompt, pos, node]; then their medians over positions ≥ 1.
 */
async function retentionMedians(
  model: Model,
  prompts: Prompts,
  options: RunOptions,
): Promise<Record<string, number[]>> {
  const { config, cleanup: { writer } } = model;
  const clean = model.forward(), w = clean.node(writer), later = laterNodes(config, writer);
  const outputs: Record<string, Tensor> = {};
  for (
    const [name, output] of [["writer", w], ["control", rotated(w, rotation(config, ROTATION))]] as const
  ) {
    const delta = atPositions(output);
    const without = model.forward({ hooks: removal(clean, writer, delta) });
    outputs[`${name} end`] = retained(clean, without, delta, `blocks.${config.n_layers - 1}.hook_resid_post`);
    outputs[`${name} later`] = responses(clean, without, delta, later);
  }
  const results = await run(outputs, feed(prompts), options);
  const median = (data: ArrayLike<number>, of: number, i: number) => {
    const values: number[] = [];
    for (let t = 0; t < data.length / of; t++) if (t % prompts.length > 0) values.push(data[t * of + i]);
    return quantiles(Float64Array.from(values), [0.5])[0];
  };
  return Object.fromEntries(["writer", "control"].map((name) => [
    `retention ${name}`,
    [
      median(results[`${name} end`].data, 1, 0),
      ...later.map((_, i) => median(results[`${name} later`].data, later.length, i)),
    ],
  ]));
}

const model = await loadModel(folder);
const all = await readPrompts(`${folder}/tokens.safetensors`);
const options = { threads: Number(threads) };
const clean = model.forward();
/** One value of each row is fetched where the peer drops the result too: what is timed is the pass. */
const tasks: Record<string, (prompts: Prompts) => Promise<unknown>> = {
  residual: (prompts) =>
    run({ last: clean.hook("ln_final.hook_normalized").select("d_model", 0) }, feed(prompts), options),
  forward: (prompts) => run({ logits: clean.logits }, feed(prompts), options),
  cache: (prompts) => model.runWithCache(prompts, undefined, options),
  figures: async (prompts) => figureMedians(model, (await figures1to3(model, prompts, [{}], options))[0]),
  retention: (prompts) => retentionMedians(model, prompts, options),
};

console.log(JSON.stringify({ ready: true }));
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const line of text.trim().split("\n")) {
    const [task, count] = line.split(" ");
    const began = performance.now(), before = process.cpuUsage();
    let found: unknown;
    if (task === "rest") (globalThis as { gc?: () => void }).gc?.();
    else found = await tasks[task](selectPrompts(all, Array.from({ length: Number(count) }, (_, i) => i)));
    const seconds = (performance.now() - began) / 1000, { user, system } = process.cpuUsage(before);
    const medians = ["figures", "retention"].includes(task) ? found : undefined;
    console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6, medians }));
  }
}
