/**
 * What bench_peer.ts times on this project's side, in a process of its own: the tasks of peer.py, on the same weights and tokens.
 * Arguments: folder (config.json, model.safetensors, cleanup.json, tokens.safetensors), task, prompts, threads.
 * Says {"ready": true} when the model is loaded, runs once for every line that it reads, answers {"seconds": …}, and at the end of
 * its input prints the figures' medians. Lines and names of the medians are those of peer.py.
 */
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import type { Prompts } from "../../lib/checkpoints/mod.ts";
import { figures1to3, type FirstFigures } from "../../lib/experiments/figures_1_to_3.ts";
import { run } from "../../lib/tensor/run.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { locations } from "../../lib/transformer/nodes.ts";

const [folder, task, count, threads] = Deno.args;

async function readPrompts(file: string): Promise<Prompts> {
  const tensors = await SafetensorsFile.open(file);
  try {
    const { data, dims: [, length] } = await tensors.read("tokens");
    const tokens = (data as Int32Array).slice(0, Number(count) * length);
    return { tokens, count: Number(count), length, source: "random ids" };
  } finally {
    tensors.close();
  }
}

/** Medians under the names that peer.py gives them: nodes in the order L0H0 … MLP3, the writer among them (ratio 1). */
function medians(model: Model, { fig1, fig2, fig3a, fig3b }: FirstFigures): Record<string, number[]> {
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

const model = await loadModel(folder);
const prompts = await readPrompts(`${folder}/tokens.safetensors`);
const options = { threads: Number(threads) };
const clean = model.forward();
let figures: FirstFigures | undefined;
/** One value of each row is fetched where the peer drops the result too: what is timed is the pass. */
const tasks: Record<string, () => Promise<unknown>> = {
  residual: () =>
    run({ last: clean.hook("ln_final.hook_normalized").select("d_model", 0) }, feed(prompts), options),
  forward: () => run({ logits: clean.logits }, feed(prompts), options),
  cache: () => model.runWithCache(prompts, undefined, options),
  figures: async () => [figures] = await figures1to3(model, prompts, [{}], options),
};

(globalThis as { gc?: () => void }).gc?.(); // what loading left is not the tasks'; the peer does the same
console.log(JSON.stringify({ ready: true }));
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const _line of text.trim().split("\n")) {
    const began = performance.now();
    await tasks[task]();
    console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
  }
}
console.log(JSON.stringify(figures ? { medians: medians(model, figures) } : {}));
