/**
 * `deno task bench:peer`: this project beside TransformerLens, on one machine, in one run: the same random weights of gelu-4l's
 * dimensions, the same tokens, the same number of threads. Needs Python with tests/reference/requirements.txt; which one says the
 * environment variable PEER_PYTHON (default python3).
 *
 * First both compute Figures 1 to 3 of one prompt: their medians must agree to 1e-3, or nothing is timed. Then, for each task, one
 * process of ours and two of the peer (with the C library's default memory management, and with the settings that make PyTorch
 * faster) are loaded, warmed up, and take turns: whatever else the machine does hits all three. Reported are medians over the rounds,
 * and medians of each round's ratio. Memory is the largest resident memory of the process after loading, from the kernel.
 *
 * The table in tests/bench/results.md is written anew; the text around it stays. Options: --rounds N (default 5), --prompts N (4),
 * --cache-prompts N (2), --peer-batch N (2), --threads N (all cores), --memory GB for the unbatched peer (8; 0: leave it out).
 */
import { parseArgs } from "node:util";
import { GELU_4L } from "./gelu_4l_config.ts";
import { writePeerFolder } from "./peer_folder.ts";
import { TurnProcess } from "./peer_process.ts";
import { markdown, type Measured, median, type Row, writeResults } from "./peer_results.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    prompts: { type: "string", default: "4" },
    "cache-prompts": { type: "string", default: "2" },
    "peer-batch": { type: "string", default: "2" },
    threads: { type: "string", default: `${navigator.hardwareConcurrency}` },
    memory: { type: "string", default: "8" },
  },
});
const LENGTH = 1024;
const python = Deno.env.get("PEER_PYTHON") ?? "python3";
const here = import.meta.dirname!;
/** Memory is neither mapped anew for every large tensor nor given back: three times as fast here, for more memory. */
const KEEP_MEMORY = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "200000000000",
  MALLOC_TOP_PAD_: "100000000",
};

const TASKS = [
  { task: "residual", what: "forward pass without logits" },
  { task: "forward", what: "forward pass with all logits" },
  { task: "cache", what: "runWithCache of everything, with logits" },
  { task: "figures", what: "Figures 1–3" },
];

async function requirePeer(): Promise<void> {
  const code =
    "from importlib.metadata import version as v; import transformer_lens; print(v('transformer-lens'))";
  const { success } = await new Deno.Command(python, { args: ["-c", code], stderr: "null" }).output()
    .catch(() => ({ success: false }));
  if (success) return;
  console.error(
    `bench:peer compares with TransformerLens, and ${python} cannot import transformer_lens.\n` +
      "Make a Python environment, python -m venv venv && venv/bin/pip install -r tests/reference/requirements.txt,\n" +
      "and name its interpreter: PEER_PYTHON=venv/bin/python deno task bench:peer",
  );
  Deno.exit(1);
}

const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-peer-" });
const running = new Set<TurnProcess>();

async function ours(task: string, prompts: number): Promise<TurnProcess> {
  const flags = ["--frozen", "--v8-flags=--expose-gc", "--allow-read", "--allow-ffi"];
  const args = ["run", ...flags, `${here}/peer_ours.ts`, folder, task, `${prompts}`, options.threads];
  const started = await TurnProcess.start("ours", python, Deno.execPath(), args);
  running.add(started);
  return started;
}

function peerArguments(task: string, prompts: number): string[] {
  return [
    ...[`${here}/peer.py`, `${folder}/model.safetensors`, "--tokens", `${folder}/tokens.safetensors`],
    ...["--task", task, "--prompts", `${prompts}`, "--length", `${LENGTH}`, "--threads", options.threads],
  ];
}

async function peer(task: string, prompts: number, env: Record<string, string> = {}): Promise<TurnProcess> {
  const args = [...peerArguments(task, prompts), "--batch", options["peer-batch"], "--turns"];
  const started = await TurnProcess.start("TransformerLens", python, python, args, env);
  running.add(started);
  return started;
}

/** Both sides' medians of Figures 1 to 3 for one prompt. @throws when they differ. Returns the peer's versions and machine. */
async function sameNumbers(): Promise<Record<string, unknown>> {
  const last: Record<string, unknown>[] = [];
  for (const start of [ours, peer]) {
    const process = await start("figures", 1);
    await process.turn();
    last.push((await process.finish()).last);
  }
  const [mine, theirs] = last.map(({ medians }) => medians as Record<string, number[]>);
  let worst = 0, count = 0;
  for (const [name, values] of Object.entries(theirs)) {
    values.forEach((value, i) => {
      const error = Math.abs(value - (mine[name]?.[i] ?? NaN));
      if (!(error <= 1e-3 * Math.max(1, Math.abs(value)))) {
        throw new Error(
          `bench:peer: "${name}" ${i}: got a median of ${mine[name]?.[i]}; TransformerLens has ${value}`,
        );
      }
      worst = Math.max(worst, error);
      count++;
    });
  }
  console.log(`${count} medians of Figures 1–3 agree; largest difference ${worst.toExponential(1)}`);
  return { ...last[1], medians: undefined, count, worst };
}

async function measure({ task, what }: { task: string; what: string }): Promise<Row> {
  const prompts = Number(task === "cache" ? options["cache-prompts"] : options.prompts);
  const all = [await ours(task, prompts), await peer(task, prompts), await peer(task, prompts, KEEP_MEMORY)];
  for (const process of all) await process.turn(false);
  for (let round = 0; round < Number(options.rounds); round++) {
    const order = all.map((_, i) => all[(i + round) % all.length]);
    for (const process of order) await process.turn();
  }
  const sides: Measured[] = [];
  for (const process of all) {
    const { peak } = await process.finish();
    running.delete(process);
    sides.push({ seconds: process.seconds, peak, loaded: process.loaded.now });
  }
  const row = { what, prompts, sides };
  console.log(
    what,
    sides.map(({ seconds, peak }) => `${median(seconds).toFixed(2)} s, ${peak.toFixed(0)} MiB`),
  );
  return row;
}

/** The authors' scripts with every prompt in one batch, once, beside ours on as many prompts. */
async function unbatched(): Promise<Row> {
  const args = [...peerArguments("unbatched", 64), "--memory", options.memory, "--repeat", "1"];
  const tokens = args.indexOf("--tokens");
  args.splice(tokens, 2); // any number of prompts: made by peer.py's own rule
  const { success, stdout } = await new Deno.Command(python, { args, stderr: "null" }).output();
  if (!success) {
    throw new Error("bench:peer: the unbatched peer failed; run peer.py --task unbatched by hand to see why");
  }
  const theirs = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  await writePeerFolder(folder, theirs.prompts, LENGTH);
  const process = await ours("figures", theirs.prompts);
  await process.turn(false);
  await process.turn();
  const { peak } = await process.finish();
  const mine = { seconds: process.seconds, peak, loaded: process.loaded.now };
  return {
    what: `Figures 1–3, unbatched in ${options.memory} GB: the authors' scripts`,
    prompts: theirs.prompts,
    sides: [mine, { seconds: theirs.seconds, peak: theirs.peakMB, loaded: theirs.loadedMB }],
  };
}

await requirePeer();
try {
  const most = Math.max(Number(options.prompts), Number(options["cache-prompts"]));
  await writePeerFolder(folder, most, LENGTH);
  const load = Deno.loadavg()[0];
  const about = await sameNumbers();
  const rows: Row[] = [];
  /** After every task, so that a run that is cut short leaves what it has measured. */
  const write = async (row: Row) => {
    rows.push(row);
    const report = { rows, about, options, length: LENGTH, load: [load, Deno.loadavg()[0]], config: GELU_4L };
    await writeResults(`${here}/results.md`, markdown(report));
  };
  for (const task of TASKS) await write(await measure(task));
  if (Number(options.memory) > 0) await write(await unbatched());
} finally {
  for (const process of running) process.kill();
  await Deno.remove(folder, { recursive: true });
}
