/**
 * `deno task bench:large`: what it takes to load and to run a model of a large shape, with random weights in
 * bfloat16 (large_folder.ts). Nothing is downloaded.
 *
 *     deno task bench:large make FOLDER SHAPE [LAYERS]
 *     deno task bench:large ready FOLDER
 *     deno task bench:large forward FOLDER PROMPTS TOKENS
 *     deno task bench:large ratio FOLDER
 *
 * SHAPE is one of large_folder.ts, such as llama-1b; FOLDER lies in out/ or in the system's temporary
 * folder. `ready`: seconds and memory until a model can run. `forward`: a pass with logits, and the peak.
 * `ratio`: weights in the file against weights in memory.
 */
import process from "node:process";
import { peakMemory } from "../../lib/platform/peak_memory.ts";
import { run } from "../../lib/tensor/run.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { randomInt, randomSource } from "../reference/random.ts";
import { makeFolder, SHAPES } from "./large_folder.ts";

function prompts(model: Model, count: number, length: number) {
  const random = randomSource(2);
  const tokens = Int32Array.from({ length: count * length }, () => randomInt(random, model.config.d_vocab));
  return feed({ tokens, count, length, source: "random" }, model.config);
}

/** What is asked of a pass: the last logits alone leave the runtime. */
const lastLogits = (model: Model) => ({ y: model.forward().logits.slice("d_vocab", 0, 8) });
const stream = (model: Model) => ({
  y: model.forward().residualStream().at(-1)!.value.slice("d_model", 0, 8),
});

const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(2);
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

async function ready(folder: string, weights?: "file" | "memory"): Promise<Model> {
  const began = performance.now(), before = cpu();
  const model = await loadModel(folder, { weights });
  const first = prompts(model, 1, 8);
  const load = seconds(began);
  await run(stream(model), first);
  console.log(
    `loaded after ${load} s; first pass over 8 tokens done after ${seconds(began)} s, ${
      (cpu() - before).toFixed(2)
    } CPU s; ` +
      `peak ${peakMemory().toFixed(2)} GiB`,
  );
  return model;
}

/**
 * Weights in the file against weights in memory: in turns in one process, medians of CPU time and of wall
 * time.
 */
async function ratio(folder: string): Promise<void> {
  const file = await loadModel(folder, { weights: "file" }),
    memory = await loadModel(folder, { weights: "memory" });
  for (const [what, of] of [["no logits", stream], ["with logits", lastLogits]] as const) {
    for (const [count, length] of [[1, 64], [8, 64]]) {
      const fed = prompts(file, count, length);
      const took = { file: [] as number[][], memory: [] as number[][] };
      for (let round = 0; round < 4; round++) {
        for (const kind of ["file", "memory"] as const) {
          const from = performance.now(), before = cpu();
          await run(of(kind === "file" ? file : memory), fed, { batchSize: count });
          if (round > 0) took[kind].push([performance.now() - from, 1000 * (cpu() - before)]);
        }
      }
      const median = (kind: "file" | "memory", i: number) =>
        took[kind].map((t) => t[i]).sort((a, b) => a - b)[1];
      console.log(
        `${what}, ${count} × ${length}: file ${median("file", 0).toFixed(0)} ms, memory ${
          median("memory", 0).toFixed(0)
        } ms; ` +
          `ratio ${(median("file", 0) / median("memory", 0)).toFixed(3)}, of CPU time ${
            (median("file", 1) / median("memory", 1)).toFixed(3)
          }`,
      );
    }
  }
}

const [task, folder, ...rest] = Deno.args;
if (task === "make") makeFolder(folder, SHAPES[rest[0]](rest[1] ? Number(rest[1]) : undefined));
else if (task === "ready") await ready(folder, rest[0] as "file" | undefined);
else if (task === "forward") {
  const model = await ready(folder);
  const fed = prompts(model, Number(rest[0]), Number(rest[1])), began = performance.now(), before = cpu();
  const { y } = await run(lastLogits(model), fed);
  console.log(
    `${rest[0]} × ${rest[1]} tokens with logits: ${seconds(began)} s, ${
      (cpu() - before).toFixed(2)
    } CPU s; peak ${peakMemory().toFixed(2)} GiB; finite: ${y.data.every(Number.isFinite)}`,
  );
} else if (task === "ratio") await ratio(folder);
else throw new Error(`got ${task}; expected make, ready, forward or ratio`);
