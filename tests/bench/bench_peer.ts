/**
 * `deno task bench:peer`: this project beside TransformerLens 3 and 4 and nnsight, on one machine, in one
 * run: the same random weights of gelu-4l's dimensions, the same tokens, the same number of threads. Each
 * peer has a Python of its own, named by an environment variable: PEER_PYTHON (TransformerLens 3,
 * tests/reference/requirements.txt; default python3), PEER_PYTHON_4 (transformer-lens 4) and
 * PEER_PYTHON_NNSIGHT (nnsight). A peer that cannot be imported is left out, with a line that says so.
 *
 * Two processes of each peer (with the C library's default memory management, and with the settings that make
 * PyTorch faster) are loaded; then, peer by peer, one of ours and the peer's take turns, task by task, after
 * a warm-up: whatever else the machine does hits all of them. Medians of Figures 1 to 3 and of the retention
 * must agree to 1e-3 in the warm-up, or the run ends. Reported are medians over the rounds, and medians of
 * each round's ratio, of time and of processor time: on a busy machine the latter says more. Memory is the
 * largest resident memory of the process during the task, from the kernel.
 *
 * The table in tests/bench/results.md is written anew; the text around it stays. Options: --rounds N (default
 * 5), --prompts N (4), --cache-prompts N (2), --peer-batch N (2), --threads N (all cores), --memory GB for
 * the unbatched scripts (8; 0: leave them out), --no-kept (without the second process of each peer).
 */
import { parseArgs } from "node:util";
import { GELU_4L } from "./gelu_4l_config.ts";
import { writePeerFolder } from "./peer_folder.ts";
import { type Agreement, compare } from "./peer_medians.ts";
import { TurnProcess } from "./peer_process.ts";
import { markdown, type Measured, median, type Report, type Row, writeResults } from "./peer_results.ts";
import { type Peer, PEERS, peersThatAreThere } from "./peers.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    prompts: { type: "string", default: "4" },
    "cache-prompts": { type: "string", default: "2" },
    "peer-batch": { type: "string", default: "2" },
    threads: { type: "string", default: `${navigator.hardwareConcurrency}` },
    memory: { type: "string", default: "8" },
    kept: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const LENGTH = 1024;
/** The most that the unbatched scripts try. */
const MOST_PROMPTS = 64;
const here = import.meta.dirname!;
/**
 * Memory is neither mapped anew for every large tensor nor given back: three times as fast here, for more
 * memory.
 */
const KEEP_MEMORY = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "200000000000",
  MALLOC_TOP_PAD_: "100000000",
};

/** From little memory to much, so that what a process keeps of one task hardly counts in the next. */
const TASKS = [
  { task: "residual", what: "forward pass without logits" },
  { task: "figures", what: "Figures 1–3" },
  { task: "retention", what: "retention of one writer, with a control" },
  { task: "forward", what: "forward pass with all logits" },
  { task: "cache", what: "everything cached, with logits" },
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

function ours(): Promise<TurnProcess> {
  const flags = ["--frozen", "--v8-flags=--expose-gc", "--allow-read", "--allow-ffi"];
  return start("ours", Deno.execPath(), ["run", ...flags, `${here}/peer_ours.ts`, folder, options.threads]);
}

function peerArguments(peer: Peer): string[] {
  const sizes = ["--length", `${LENGTH}`, "--threads", options.threads, "--batch", options["peer-batch"]];
  return [`${here}/peer.py`, peer.key, folder, ...sizes];
}

function theirs(peer: Peer, env: Record<string, string> = {}): Promise<TurnProcess> {
  return start(peer.name, peer.python, [...peerArguments(peer), "--turns"], env);
}

async function end(process: TurnProcess): Promise<void> {
  await process.end();
  running.delete(process);
}

/** What a process took since its last rest, over what `own` took in the same rounds. */
function taken({ turns, rested }: TurnProcess, own?: TurnProcess) {
  const seconds = turns.map((turn) => turn.seconds), cpu = turns.map((turn) => turn.cpu);
  const times = own && {
    seconds: seconds.map((s, round) => s / own.turns[round].seconds),
    cpu: cpu.map((s, round) => s / own.turns[round].cpu),
  };
  return { seconds, cpu, times, loaded: rested.now };
}

/**
 * One task. Returns what each side took, ours first, and how far the medians are apart. Ours is a new process
 * each time: its runtime keeps what a task has used, where a peer's process gives it back.
 */
async function measure(task: string, prompts: number, theirs: TurnProcess[]) {
  const all = [await ours(), ...theirs];
  const medians: (Record<string, number[]> | undefined)[] = [];
  for (const process of all) {
    await process.rest();
    medians.push((await process.turn(task, prompts, false)).medians);
  }
  const agreement = compare(all[1].name, medians[0], medians[1]);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (let i = 0; i < all.length; i++) await all[(i + round) % all.length].turn(task, prompts);
  }
  const [own] = all;
  const sides: Measured[] = [];
  for (const [i, process] of all.entries()) {
    const side = i === 0 ? "this project" : process.name + (i === 1 ? "" : ", memory kept");
    sides.push({ side, ...taken(process, i === 0 ? undefined : own), peak: await process.peak() });
  }
  await end(own);
  return { sides, agreement };
}

/** The authors' scripts with every prompt in one batch, once, beside ours on as many prompts. */
async function unbatched(peer: Peer): Promise<Row> {
  const asked = ["--task", "unbatched", "--memory", options.memory, "--prompts", `${MOST_PROMPTS}`];
  const args = [...peerArguments(peer), ...asked];
  const { success, stdout } = await new Deno.Command(peer.python, { args, stderr: "null" }).output();
  if (!success) {
    throw new Error("bench:peer: the unbatched peer failed; run peer.py --task unbatched by hand to see why");
  }
  const found = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  const process = await ours();
  await process.rest();
  await process.turn("figures", found.prompts, false);
  await process.turn("figures", found.prompts);
  const mine = { side: "this project", ...taken(process), peak: await process.peak() };
  await end(process);
  const times = { seconds: [found.seconds[0] / mine.seconds[0]], cpu: [found.cpu[0] / mine.cpu[0]] };
  const { seconds, cpu, peakMB: peak, loadedMB: loaded } = found;
  return {
    what: `Figures 1–3, unbatched in ${options.memory} GB: the authors' scripts`,
    prompts: found.prompts,
    sides: [mine, { side: peer.name, seconds, cpu, times, peak, loaded }],
  };
}

try {
  await writePeerFolder(folder, MOST_PROMPTS, LENGTH);
  const load = Deno.loadavg()[0];
  const rows: Row[] = TASKS.map(({ task, what }) => {
    return { what, prompts: Number(options[task === "cache" ? "cache-prompts" : "prompts"]), sides: [] };
  });
  const about: Report["peers"] = [];
  /** After every task, so that a run that is cut short leaves what it has measured. */
  const write = async () => {
    const loads = [load, Deno.loadavg()[0]];
    const measured = rows.filter(({ sides }) => sides.length > 0);
    const report = { rows: measured, peers: about, options, length: LENGTH, load: loads, config: GELU_4L };
    await writeResults(`${here}/results.md`, markdown(report));
  };
  const loaded = await Promise.all(
    peers.map((peer) => Promise.all([theirs(peer), ...options.kept ? [theirs(peer, KEEP_MEMORY)] : []])),
  );
  for (const [k, peer] of peers.entries()) {
    const agreements: Record<string, Agreement> = {};
    about.push({ name: peer.name, about: loaded[k][0].about, agreements });
    for (const [i, { task, what }] of TASKS.entries()) {
      const { sides: [mine, ...others], agreement } = await measure(task, rows[i].prompts, loaded[k]);
      if (agreement.count > 0) agreements[what] = agreement;
      const [before] = rows[i].sides;
      const seconds = [...before?.seconds ?? [], ...mine.seconds], cpu = [...before?.cpu ?? [], ...mine.cpu];
      const pooled = { ...mine, seconds, cpu, peak: Math.max(mine.peak, before?.peak ?? 0) };
      rows[i].sides = [pooled, ...rows[i].sides.slice(1), ...others];
      console.log(
        what,
        [mine, ...others].map(({ side, cpu }) => `${side}: ${median(cpu).toFixed(2)} processor seconds`).join(
          ", ",
        ),
      );
      await write();
    }
    for (const process of loaded[k]) await end(process);
  }
  const lens3 = peers.find(({ key }) => key === "lens3");
  if (lens3 && Number(options.memory) > 0) {
    rows.push(await unbatched(lens3));
    await write();
  }
} finally {
  for (const process of running) process.kill();
  await Deno.remove(folder, { recursive: true });
}
