/**
 * `deno task bench:threads`: one process, and two side by side, by the runtime's settings of threads: how
 * many, and whether a thread that waits for work spins. Two notebooks at once are usual in a workshop.
 *
 * Each process loads the runtime, warms up, and repeats Figures 1 to 3 of the embedded model (20 × 256
 * tokens) and a forward pass at gelu-4l's dimensions (1 × 512) for a while. Reported: milliseconds of wall
 * time and of processor time a repetition, medians over rounds in which all settings take turns, and two side
 * by side as a multiple of one. Other programs on the machine disturb all settings alike; read the ratios.
 *
 * Options: --rounds N (default 3), --seconds N (of one process's work a round; default 4).
 */
import * as ort from "onnxruntime-node";
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { figures1to3 } from "../../lib/experiments/figures_1_to_3.ts";
import { run, type RunOptions } from "../../lib/tensor/run.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";
import { feed } from "../../lib/transformer/model.ts";
import { medianOf } from "./devices_rows.ts";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { inProcess } from "./in_process.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "4" },
    measure: { type: "string" },
  },
});

interface Setting {
  threads?: number;
  spinning: "0" | "1";
}
type Took = Record<string, { ms: number; cpu: number }>;

/** As the library does it, but for this setting, of which it leaves no choice. */
function withSpinning(spinning: Setting["spinning"]): void {
  const create = ort.InferenceSession.create.bind(ort.InferenceSession) as (
    model: Uint8Array,
    options: ort.InferenceSession.SessionOptions,
  ) => Promise<ort.InferenceSession>;
  Object.assign(ort.InferenceSession, {
    create: (model: Uint8Array, options: ort.InferenceSession.SessionOptions) =>
      create(model, { ...options, extra: { session: { "intra_op.allow_spinning": spinning } } }),
  });
}

async function measure({ threads, spinning }: Setting): Promise<Took> {
  withSpinning(spinning);
  const options: RunOptions = threads === undefined ? {} : { threads };
  const small = await loadModel("tiny-gelu-4l"), texts = await promptsFor(small, { count: 20, length: 256 });
  const large = randomModel(GELU_4L), ids = feed(randomPrompts(GELU_4L, 1, 512));
  const end = large.forward().residualStream().at(-1)!.value.select("d_model", 0);
  const work = {
    "Figures 1–3, embedded model": () => figures1to3(small, texts, [{}], options),
    "forward pass, gelu-4l's size": () => run({ end }, ids, options),
  };
  const took: Took = {};
  for (const [name, repeat] of Object.entries(work)) {
    await repeat();
    const [ms, cpu]: number[][] = [[], []];
    const until = performance.now() + 500 * Number(values.seconds);
    while (performance.now() < until || ms.length < 3) {
      const began = performance.now(), before = process.cpuUsage();
      await repeat();
      const { user, system } = process.cpuUsage(before);
      ms.push(performance.now() - began);
      cpu.push((user + system) / 1000);
    }
    took[name] = { ms: medianOf(ms), cpu: medianOf(cpu) };
  }
  return took;
}

const alone = (setting: Setting): Promise<Took> =>
  inProcess(
    import.meta.url,
    ["--allow-read", "--allow-ffi", "--allow-sys"],
    [`--measure=${JSON.stringify(setting)}`, `--seconds=${values.seconds}`],
    `the process with ${JSON.stringify(setting)}`,
  );

if (values.measure) console.log(JSON.stringify(await measure(JSON.parse(values.measure))));
else {
  const cores = availableParallelism(), half = Math.max(1, cores >> 1);
  const settings: Setting[] = [
    { spinning: "1" },
    { spinning: "0" },
    { spinning: "1", threads: half },
    { spinning: "0", threads: half },
  ];
  const found = new Map<string, { one: number[]; two: number[]; cpu: number[]; cpu2: number[] }>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const setting of settings) {
      const one = await alone(setting);
      const two = await Promise.all([alone(setting), alone(setting)]);
      for (const name of Object.keys(one)) {
        const key = `${name} | ${setting.threads ?? cores} | ${setting.spinning}`;
        const all = found.get(key) ?? { one: [], two: [], cpu: [], cpu2: [] };
        found.set(key, all);
        all.one.push(one[name].ms);
        all.cpu.push(one[name].cpu);
        for (const side of two) {
          all.two.push(side[name].ms);
          all.cpu2.push(side[name].cpu);
        }
      }
    }
  }
  console.log(`${cores} cores, ${values.rounds} rounds\n`);
  console.log(
    "| work | threads | spinning | one, ms | CPU ms | two side by side, ms | CPU ms each | two / one |\n" +
      "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
  );
  for (const [key, { one, two, cpu, cpu2 }] of [...found].sort(([a], [b]) => a < b ? -1 : 1)) {
    const numbers = [one, cpu, two, cpu2].map((of) => medianOf(of).toFixed(0));
    console.log(`| ${key} | ${numbers.join(" | ")} | ${(medianOf(two) / medianOf(one)).toFixed(2)} |`);
  }
}
