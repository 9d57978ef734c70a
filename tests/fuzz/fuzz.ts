/**
 * `deno task fuzz [target …] [--cases N] [--seed S]`: reads damaged inputs of every kind, each in a worker
 * with limits of time and memory. Anything but success with right shapes, or one clear error of the project,
 * is a failure; one of each kind is left in out/fuzz/ with its seed.
 *
 *     deno task fuzz                              every target, 10,000 cases each
 *     deno task fuzz parquet --cases 100000 --seed 7
 *     deno task fuzz parquet --seed 7 --from 123 --cases 1    one case again
 *
 * A new kind of input is one entry in targets.ts.
 */
import { dirname } from "node:path";
import process from "node:process";
import { commandArguments } from "../../lib/cli/command_arguments.ts";
import { makePartialFolder, type PartialFolder, removeLeftovers } from "../../lib/cli/partial_folder.ts";
import { exitCodeOf, SIGNALS } from "../../lib/cli/signals.ts";
import { TARGETS } from "./targets.ts";
import { caseOf, type Order, type Result } from "./worker.ts";

/**
 * One case may take so much processor time: that of the whole process, which does nothing else meanwhile. A
 * process that others starve gets little of it, and that is no fault of the case.
 */
const MOST_CPU_MS = 5000;
/** A case that waits for ever takes none. After so long it runs again, alone; only then is it a failure. */
const MOST_WALL_MS = 120_000;
const LOOK_EVERY_MS = 200;
/**
 * Workers that hung. Deno does not end a loop: each goes on to take up to a core, which is not the next
 * cases' time.
 */
let hung = 0;
const WORKER = new URL("./worker.ts", import.meta.url);

export interface Failure {
  target: string;
  seed: number;
  index: number;
  what: string;
}

export interface Tally {
  target: string;
  cases: number;
  accepted: number;
  refused: number;
  failures: Failure[];
  /**
   * Cases that ran again, alone, since they were not done in time while little processor time was to be had.
   */
  again: number[];
}

export interface FuzzOptions {
  /** The first case. Default 0. */
  from?: number;
  /** Of processor time, for one case. Default 5000. */
  cpuMs?: number;
  /** By the clock, for one case. Default 120,000. */
  wallMs?: number;
  /** Another worker, for tests of this file. */
  worker?: URL;
}

/** Runs `cases` cases of one target. */
export async function fuzz(
  target: string,
  seed: number,
  cases: number,
  { from = 0, cpuMs = MOST_CPU_MS, wallMs = MOST_WALL_MS, worker = WORKER }: FuzzOptions = {},
): Promise<Tally> {
  const tally: Tally = { target, cases: 0, accepted: 0, refused: 0, failures: [], again: [] };
  await using made = await makeFolder();
  const folder = made.path;
  const run = (from: number, to: number) =>
    session({ target, seed, from, to, folder }, tally, { cpuMs, wallMs }, worker);
  const fail = (index: number, what: string) => {
    tally.cases++;
    tally.failures.push({ target, seed, index, what });
  };
  for (let next = from; next < from + cases;) {
    const end = await run(next, from + cases);
    if (end === "done") break;
    next = end.index + 1;
    if (!end.late) {
      fail(end.index, end.what);
      continue;
    }
    tally.again.push(end.index);
    const alone = await run(end.index, next);
    if (alone !== "done") {
      fail(end.index, alone.what + (alone.late ? ", twice, the second time alone" : ""));
    }
  }
  return tally;
}

const PREFIX = "cleanup-lens-fuzz-";

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);

/** The folder of the target that runs. */
let inUse: Promise<PartialFolder> | undefined;

/** A folder for files, locked: what a run that was killed has left is removed. */
async function makeFolder(): Promise<PartialFolder> {
  const some = await Deno.makeTempDir(), parent = dirname(some);
  await Deno.remove(some);
  await removeLeftovers(parent, PREFIX).catch(() => {}); // another user's may not be looked at
  return await (inUse = makePartialFolder(parent, PREFIX));
}

/** Where a worker was stopped. `late`: by the clock alone. */
interface Stop {
  index: number;
  what: string;
  late: boolean;
}

/** One worker, until all of its cases are done or one is stopped. */
async function session(
  order: Order,
  tally: Tally,
  { cpuMs, wallMs }: { cpuMs: number; wallMs: number },
  url: URL,
): Promise<"done" | Stop> {
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve } = Promise.withResolvers<"done" | Stop>();
  let index = order.from, cpu = process.cpuUsage(), wall = performance.now();
  let loaded = false;
  const begin = () => [cpu, wall] = [process.cpuUsage(), performance.now()];
  const stop = (what: string, late = false) => resolve({ index, what, late });
  const look = setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    const waited = performance.now() - wall, spent = Math.max(0, (user + system) / 1000 - hung * waited);
    if (loaded && spent > cpuMs) {
      stop(`it was not done in ${cpuMs / 1000} s of processor time`);
      hung++;
    } else if (waited > (loaded ? wallMs : MOST_WALL_MS)) {
      stop(
        `it was not done in ${(waited / 1000).toFixed(1)} s, ${
          (spent / 1000).toFixed(1)
        } of them processor time`,
        true,
      );
    }
  }, Math.min(LOOK_EVERY_MS, cpuMs / 4));
  worker.onmessage = ({ data }: MessageEvent<Result>) => {
    if (data.index < 0) return resolve("done");
    if (data.outcome === "begun") {
      [index, loaded] = [data.index, true];
      begin();
      return;
    }
    tally.cases++;
    if (data.outcome === "accepted") tally.accepted++;
    else if (data.outcome === "refused") tally.refused++;
    else tally.failures.push({ target: order.target, seed: order.seed, index: data.index, what: data.what! });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    stop(`the worker ended: ${event.message}`);
  };
  worker.postMessage(order);
  try {
    return await promise;
  } finally {
    clearInterval(look);
    worker.terminate();
  }
}

export function line({ target, cases, accepted, refused, failures }: Tally): string {
  const counts = [cases, accepted, refused, failures.length].map((n) => String(n).padStart(9)).join("");
  return `${target.padEnd(12)}${counts}`;
}

/** One failure of each kind: digits and quoted texts do not make a kind. */
function kindsOf(failures: readonly Failure[]): Failure[] {
  const kind = ({ what }: Failure) => what.replace(/\d+|"[^"]*"|\/\S+/g, "").slice(0, 200);
  return [...new Map(failures.map((failure) => [kind(failure), failure])).values()].slice(0, 20);
}

const USAGE = `deno task fuzz [target …] [--cases N] [--seed S] [--from I]
targets: ${Object.keys(TARGETS).join(", ")}`;

async function main(): Promise<number> {
  let targets: string[], numbers: number[];
  try {
    const { values: given, positionals } = commandArguments(Deno.args, {
      cases: "string",
      seed: "string",
      from: "string",
    });
    const values = { cases: "10000", seed: "1", from: "0", ...given };
    targets = positionals.length ? positionals : Object.keys(TARGETS);
    numbers = (["cases", "seed", "from"] as const).map((name) => {
      const number = Number(values[name]), least = name === "cases" ? 1 : 0;
      if (Number.isSafeInteger(number) && number >= least) return number;
      throw new Error(`--${name}: got "${values[name]}"; expected a whole number of at least ${least}`);
    });
    const unknown = targets.find((name) => !Object.hasOwn(TARGETS, name));
    if (unknown !== undefined) throw new Error(`there is no target "${unknown}"`);
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  for (const signal of SIGNALS) {
    Deno.addSignalListener(signal, async () => {
      const made = await inUse;
      // The worker may write a file while the folder is removed, which then is not empty.
      for (let tries = 0; made && tries < 100 && await isThere(made.path); tries++) {
        await made[Symbol.asyncDispose]();
      }
      Deno.exit(exitCodeOf(signal));
    });
  }
  const [cases, seed, from] = numbers;
  console.log(
    `${"seed " + seed}`.padEnd(12) +
      ["cases", "accepted", "refused", "failures"].map((s) => s.padStart(9)).join(""),
  );
  let failed = false;
  for (const target of targets) {
    const tally = await fuzz(target, seed, cases, { from });
    console.log(line(tally));
    if (tally.again.length) {
      console.log(`  ran again alone, for want of processor time: ${tally.again.join(", ")}`);
    }
    for (const { index, what } of kindsOf(tally.failures)) {
      const path = `out/fuzz/${target}-seed${seed}-case${index}.bin`;
      await Deno.mkdir("out/fuzz", { recursive: true });
      await Deno.writeFile(path, caseOf(target, seed, index));
      console.log(`  ${path}: ${what.split("\n").slice(0, 6).join("\n    ")}`);
    }
    failed ||= tally.failures.length > 0;
  }
  return failed ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main());
