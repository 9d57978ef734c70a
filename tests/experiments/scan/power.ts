/**
 * How often what is planted is found, and what is found where nothing is: `deno run --allow-read --allow-env
 * --allow-sys --allow-ffi tests/experiments/scan/power.ts [seeds] [kinds] [first seed]`. Default: 100 seeds
 * of each kind, from 1 on. Kinds: names, with commas between. A line for each kind, as soon as it is done;
 * then the table. What is measured: planted/verdict_of.ts.
 *
 * All models have one shape, so most scans ask for graphs that were compiled before: these are kept. One
 * thread; run several ranges of seeds side by side.
 */
import { createOnce, type CreateSession, type Session } from "../../../lib/tensor/session.ts";
import { KIND_NAMES, type KindName, KINDS, plantedModel, plantedPrompts } from "./planted/kinds.ts";
import { type Score, score, wilson } from "./planted/score.ts";
import type { Truth } from "./planted/truth.ts";
import { verdictOf } from "./planted/verdict_of.ts";

const seeds = Number(Deno.args[0] ?? 100);
const wanted = Deno.args[1] ? Deno.args[1].split(",") : KIND_NAMES;
const from = Number(Deno.args[2] ?? 1);
for (const kind of wanted) {
  if (!(kind in KINDS)) {
    throw new Error(`power: got kind "${kind}"; expected one of ${KIND_NAMES.join(", ")}`);
  }
}

/** Compiled graphs, the last ones that were asked for. */
const sessions = new Map<string, Promise<Session>>();
const KEPT = 150;

const keptSessions: CreateSession = async (graph, threads) => {
  const key = JSON.stringify(graph);
  const session = sessions.get(key) ?? createOnce(graph, threads);
  sessions.delete(key);
  sessions.set(key, session);
  if (sessions.size > KEPT) {
    const [[oldest, unused]] = sessions;
    sessions.delete(oldest);
    await (await unused).release?.();
  }
  const { run } = await session;
  return { run };
};

/** "97 (92 … 99)": a count, and the 95 % interval of the share as percentages. */
function withInterval(k: number, n: number): string {
  const [low, high] = wilson(k, n).map((x) => Math.round(100 * x));
  return `${k} (${low} … ${high})`;
}

function row(kind: KindName, scores: readonly Score[]) {
  const truth: Truth = KINDS[kind].truth;
  const times = (test: (one: Score) => boolean) => withInterval(scores.filter(test).length, scores.length);
  const total = (number: (one: Score) => number) => scores.reduce((sum, one) => sum + number(one), 0);
  const planted = truth.writers.length > 0;
  return {
    planted: kind,
    seeds: scores.length,
    found: planted ? times((s) => s.found) : "–",
    "exactly its cleaners": planted ? times((s) => s.cleaners) : "–",
    "its route": planted ? times((s) => s.route) : "–",
    "cleaners missed": total((s) => s.missed),
    "other cleaners": total((s) => s.otherCleaners),
    "with another writer": times((s) => s.otherWriters.length > 0),
    "other writers": scores.flatMap((s) => s.otherWriters).join(" "),
  };
}

const rows = [];
for (const kind of wanted as KindName[]) {
  const scores: Score[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const options = { threads: 1, createSession: keptSessions };
    scores.push(
      score(KINDS[kind].truth, await verdictOf(plantedModel(kind, seed), plantedPrompts(seed), options)),
    );
  }
  rows.push(row(kind, scores));
  console.log(JSON.stringify(rows.at(-1)));
}
console.table(rows);
