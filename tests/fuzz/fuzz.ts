/**
 * `deno task fuzz [target …] [--cases N] [--seed S]`: reads damaged inputs of every kind, each in a worker with limits of time and
 * memory. Anything but success with right shapes, or one clear error of the project, is a failure; one of each kind is left in
 * out/fuzz/ with its seed.
 *
 *     deno task fuzz                              every target, 10,000 cases each
 *     deno task fuzz parquet --cases 100000 --seed 7
 *     deno task fuzz parquet --seed 7 --from 123 --cases 1    one case again
 *
 * A new kind of input is one entry in targets.ts.
 */
import { parseArgs } from "node:util";
import { TARGETS } from "./targets.ts";
import { caseOf, type Order, type Result } from "./worker.ts";

/** One case may take so long. */
const MOST_MS = 5000;
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
}

export interface FuzzOptions {
  /** The first case. Default 0. */
  from?: number;
  /** For one case. Default 5000. */
  mostMs?: number;
  /** Another worker, for tests of this file. */
  worker?: URL;
}

/** Runs `cases` cases of one target. */
export async function fuzz(
  target: string,
  seed: number,
  cases: number,
  { from = 0, mostMs = MOST_MS, worker = WORKER }: FuzzOptions = {},
): Promise<Tally> {
  const tally: Tally = { target, cases: 0, accepted: 0, refused: 0, failures: [] };
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-fuzz-" });
  try {
    for (let next = from; next < from + cases;) {
      const order = { target, seed, from: next, to: from + cases, folder };
      next = await session(order, tally, mostMs, worker);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return tally;
}

/** One worker, until all is done or a case hangs. Returns the next case. */
function session(order: Order, tally: Tally, mostMs: number, url: URL): Promise<number> {
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve } = Promise.withResolvers<number>();
  let current = order.from;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (next: number) => {
    clearTimeout(timer);
    worker.terminate();
    resolve(next);
  };
  const fail = (what: string) => {
    tally.cases++;
    tally.failures.push({ target: order.target, seed: order.seed, index: current, what });
    end(current + 1);
  };
  const watch = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => fail(`it was not done in ${ms / 1000} s`), ms);
  };
  worker.onmessage = ({ data: { index, outcome, what } }: MessageEvent<Result>) => {
    if (index < 0) return end(order.to);
    if (outcome === "begun") {
      current = index;
      return watch(mostMs);
    }
    tally.cases++;
    if (outcome === "accepted") tally.accepted++;
    else if (outcome === "refused") tally.refused++;
    else tally.failures.push({ target: order.target, seed: order.seed, index, what: what! });
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(`the worker ended: ${event.message}`);
  };
  watch(60_000); // its modules load
  worker.postMessage(order);
  return promise;
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
    const option = (fallback: string) => ({ type: "string" as const, default: fallback });
    const { values, positionals } = parseArgs({
      args: Deno.args,
      allowPositionals: true,
      options: { cases: option("10000"), seed: option("1"), from: option("0") },
    });
    targets = positionals.length ? positionals : Object.keys(TARGETS);
    numbers = [values.cases, values.seed, values.from].map(Number);
    const unknown = targets.find((name) => !Object.hasOwn(TARGETS, name));
    if (unknown !== undefined) throw new Error(`there is no target "${unknown}"`);
    if (!numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) throw new Error("expected whole numbers");
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}\n${USAGE}`);
    return 2;
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
