/**
 * `deno task bench:peer`: this project beside TransformerLens 3 and 4 and nnsight, on one machine, in one run: the same random weights of
 * gelu-4l's dimensions, the same tokens, the same number of threads. Each peer has a Python of its own, named by an environment variable:
 * PEER_PYTHON (TransformerLens 3, tests/reference/requirements.txt; default python3), PEER_PYTHON_4 (transformer-lens 4) and
 * PEER_PYTHON_NNSIGHT (nnsight). A peer that cannot be imported is left out, with a line that says so.
 *
 * First all compute Figures 1 to 3 and the retention of one writer on one prompt: their medians must agree to 1e-3, or nothing is timed.
 * Then, for each task and peer, one process of ours and two of the peer (with the C library's default memory management, and with the
 * settings that make PyTorch faster) are loaded, warmed up, and take turns: whatever else the machine does hits all of them. Reported are
 * medians over the rounds, and medians of each round's ratio. Memory is the largest resident memory of the process after loading, from
 * the kernel.
 *
 * The table in tests/bench/results.md is written anew; the text around it stays. Options: --rounds N (default 5), --prompts N (4),
 * --cache-prompts N (2), --peer-batch N (2), --threads N (all cores), --memory GB for the unbatched scripts (8; 0: leave them out).
 */
import { parseArgs } from "node:util";
import { GELU_4L } from "./gelu_4l_config.ts";
import { writePeerFolder } from "./peer_folder.ts";
import { type Agreement, compare } from "./peer_medians.ts";
import { TurnProcess } from "./peer_process.ts";
import { markdown, type Measured, median, type Row, writeResults } from "./peer_results.ts";
import { type Peer, PEERS, peersThatAreThere } from "./peers.ts";

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
/** The most that the unbatched scripts try. */
const MOST_PROMPTS = 64;
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
  { task: "cache", what: "everything cached, with logits" },
  { task: "figures", what: "Figures 1–3" },
  { task: "retention", what: "retention of one writer, with a control" },
];

const peers = await peersThatAreThere();
if (peers.length === 0) {
  console.error(
    "bench:peer compares with other libraries, and none of them is there.\n" +
      "Make a Python environment, python -m venv venv && venv/bin/pip install -r tests/reference/requirements.txt,\n" +
      `and name its interpreter: ${PEERS[0].variable}=venv/bin/python deno task bench:peer`,
  );
  Deno.exit(1);
}
const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-peer-" });
const running = new Set<TurnProcess>();

async function start(name: string, command: string, args: string[], env: Record<string, string> = {}) {
  const started = await TurnProcess.start(name, peers[0].python, command, args, env);
  running.add(started);
  return started;
}

function ours(prompts: number): Promise<TurnProcess> {
  const flags = ["--frozen", "--v8-flags=--expose-gc", "--allow-read", "--allow-ffi"];
  const args = ["run", ...flags, `${here}/peer_ours.ts`, folder, `${prompts}`, options.threads];
  return start("ours", Deno.execPath(), args);
}

function peerArguments(peer: Peer, prompts: number): string[] {
  const sizes = ["--prompts", `${prompts}`, "--length", `${LENGTH}`, "--threads", options.threads];
  return [`${here}/peer.py`, peer.key, folder, ...sizes];
}

function theirs(peer: Peer, prompts: number, env: Record<string, string> = {}): Promise<TurnProcess> {
  const args = [...peerArguments(peer, prompts), "--batch", options["peer-batch"], "--turns"];
  return start(peer.name, peer.python, args, env);
}

async function finish(process: TurnProcess) {
  const finished = await process.finish();
  running.delete(process);
  return finished;
}

/** What every peer's process says last, with how far its medians are from ours on one prompt. @throws when they differ */
async function sameNumbers(): Promise<Agreement[]> {
  const last: Record<string, unknown>[] = [];
  for (const side of [undefined, ...peers]) {
    const process = await (side ? theirs(side, 1) : ours(1));
    for (const task of ["figures", "retention"]) await process.turn(task);
    last.push((await finish(process)).last);
  }
  return peers.map((peer, i) => compare(peer.name, last[0], last[i + 1]));
}

async function measure({ task, what }: { task: string; what: string }): Promise<Row> {
  const prompts = Number(task === "cache" ? options["cache-prompts"] : options.prompts);
  const own = await ours(prompts);
  await own.turn(task, false);
  const sides: Measured[] = [];
  for (const peer of peers) {
    const pair = await Promise.all([theirs(peer, prompts), theirs(peer, prompts, KEEP_MEMORY)]);
    for (const process of pair) await process.turn(task, false);
    const all = [own, ...pair], before = own.seconds.length;
    for (let round = 0; round < Number(options.rounds); round++) {
      for (let i = 0; i < all.length; i++) await all[(i + round) % all.length].turn(task);
    }
    for (const [i, process] of pair.entries()) {
      const { peak } = await finish(process);
      const times = process.seconds.map((s, round) => s / own.seconds[before + round]);
      const side = peer.name + (i === 0 ? "" : ", memory kept");
      sides.push({ side, seconds: process.seconds, times, peak, loaded: process.loaded.now });
    }
  }
  const { peak } = await finish(own);
  const mine = { side: "this project", seconds: own.seconds, peak, loaded: own.loaded.now };
  const row = { what, prompts, sides: [mine, ...sides] };
  console.log(
    what,
    row.sides.map(({ side, seconds, peak }) =>
      `${side}: ${median(seconds).toFixed(2)} s, ${peak.toFixed(0)} MiB`
    ),
  );
  return row;
}

/** The authors' scripts with every prompt in one batch, once, beside ours on as many prompts. */
async function unbatched(peer: Peer): Promise<Row> {
  const asked = ["--task", "unbatched", "--memory", options.memory, "--repeat", "1"];
  const args = [...peerArguments(peer, MOST_PROMPTS), ...asked];
  const { success, stdout } = await new Deno.Command(peer.python, { args, stderr: "null" }).output();
  if (!success) {
    throw new Error("bench:peer: the unbatched peer failed; run peer.py --task unbatched by hand to see why");
  }
  const found = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  const process = await ours(found.prompts);
  await process.turn("figures", false);
  await process.turn("figures");
  const { peak } = await finish(process);
  const times = [found.seconds[0] / process.seconds[0]];
  return {
    what: `Figures 1–3, unbatched in ${options.memory} GB: the authors' scripts`,
    prompts: found.prompts,
    sides: [
      { side: "this project", seconds: process.seconds, peak, loaded: process.loaded.now },
      { side: peer.name, seconds: found.seconds, times, peak: found.peakMB, loaded: found.loadedMB },
    ],
  };
}

try {
  await writePeerFolder(folder, MOST_PROMPTS, LENGTH);
  const load = Deno.loadavg()[0];
  const agreements = await sameNumbers();
  for (const { said } of agreements) console.log(said);
  const rows: Row[] = [];
  /** After every task, so that a run that is cut short leaves what it has measured. */
  const write = async (row: Row) => {
    rows.push(row);
    const loads = [load, Deno.loadavg()[0]];
    const report = { rows, agreements, options, length: LENGTH, load: loads, config: GELU_4L };
    await writeResults(`${here}/results.md`, markdown(report));
  };
  for (const task of TASKS) await write(await measure(task));
  const lens3 = peers.find(({ key }) => key === "lens3");
  if (lens3 && Number(options.memory) > 0) await write(await unbatched(lens3));
} finally {
  for (const process of running) process.kill();
  await Deno.remove(folder, { recursive: true });
}
