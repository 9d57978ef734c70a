/** What a scan will take, said before it starts, and what it took, said after it. */
import process from "node:process";
import { type Prompts, shorten } from "../checkpoints/mod.ts";
import {
  activationBytes,
  type ScanCost,
  scanCost,
  statisticsBytes,
  type Work,
} from "../experiments/scan/cost.ts";
import { batchesOf, passes } from "../experiments/scan/prompts.ts";
import type { ScanSettings } from "../experiments/scan/settings.ts";
import { peakMemory } from "../platform/peak_memory.ts";
import { type Data, STORED_BYTES } from "../tensor/node.ts";
import { run } from "../tensor/run.ts";
import { createOnce } from "../tensor/session.ts";
import { leavesIn } from "../tensor/walk.ts";
import { feed, type Model } from "../transformer/model.ts";
import { formatSeconds } from "./progress.ts";

export interface Announced {
  /** Of the first pass, and of all that follows. */
  seconds: { screen: number; rest: number };
  /** Seconds that a token takes in a plain forward pass: by the clock, and of the processor's time. */
  token: { seconds: number; cpu: number };
  /** Of the first pass. */
  flops: number;
  bytes: number;
  /** The part of `bytes` that the weights are. */
  weights: number;
}

/**
 * Memory that is neither there before the scan nor statistics nor activations: what building and compiling
 * graphs of thousands of steps takes. Measured: tests/bench/results.md.
 */
const GRAPH_BYTES = 150 * 2 ** 20;
/** Passes are timed until there are as many and they took as long together, or took far longer. */
const PASSES = 3, LEAST_MS = 500, ENOUGH_MS = 5000;

/**
 * Time: from shapes alone but for the machine's speed, which is the fastest of some plain forward passes in
 * batches of the scan's size. Memory: what is there after these, and what the graphs to come will hold.
 * @param activations bytes of the activations of the largest graph
 */
export async function announce(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { screen, rest, flops }: ScanCost = scanCost(model, prompts, settings),
  activations = activationBytes(model, prompts, settings),
): Promise<Announced> {
  const { batch } = batchesOf(model, prompts.length);
  const count = Math.min(passes(prompts, settings).screened.count, batch);
  const some = shorten(prompts, { count });
  // One that is kept would map the file all the time.
  const once = model.inMemory ? {} : { createSession: createOnce };
  const plain = { end: model.forward().residualStream().at(-1)!.value.select("d_model", 0) };
  const pass = () => run(plain, feed(some, model.config), { batchSize: count, ...once });
  await pass(); // compiles
  const times: number[] = [], cpu: number[] = [];
  for (let all = 0; all < ENOUGH_MS && (times.length < PASSES || all < LEAST_MS); all += times.at(-1)!) {
    const began = performance.now(), before = cpuSeconds();
    await pass();
    times.push(performance.now() - began);
    cpu.push(cpuSeconds() - before);
  }
  // another program's share is not the model's
  const tokens = count * prompts.length;
  const token = { seconds: Math.min(...times) / 1000 / tokens, cpu: Math.min(...cpu) / tokens };
  const seconds = (work: Work) => secondsOf(work, token.seconds);
  const weights = weightBytes(model);
  // A file is mapped with each graph.
  const there = process.memoryUsage().rss + (model.inMemory ? 0 : weights);
  return {
    seconds: { screen: seconds(screen), rest: seconds(rest) },
    token,
    flops: screen.forward * flops,
    bytes: Math.max(
      peakMemory() * 2 ** 30,
      there + activations + statisticsBytes(model, prompts, settings) + GRAPH_BYTES,
    ),
    weights,
  };
}

/** @param each seconds of a token in a plain forward pass */
export const secondsOf = ({ forward, compiling }: Work, each: number): number => forward * each + compiling;

/** Of the processor, in this process so far, by all its threads. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Arrays, and what lies in files: that is mapped into memory. Those that several weights share once. */
export function weightBytes({ params }: Model): number {
  const found = new Map<Data | string, number>();
  for (const { op, dims } of leavesIn(params.names().map((name) => params.get(name).node))) {
    if (op.kind === "param") found.set(op.data, op.data.byteLength);
    else {
      const { file, offset, type } = op.values;
      found.set(`${file.path} ${offset}`, dims.reduce((n, d) => n * Number(d.size), STORED_BYTES[type]));
    }
  }
  return [...found.values()].reduce((a, b) => a + b, 0);
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toPrecision(2)} GiB`;

/** Two lines for the terminal, before the work. */
export function announcement(model: Model, prompts: Prompts, expected: Announced): string {
  const { seconds: { screen, rest }, flops } = expected;
  return `${model.name}: ${prompts.count} prompts of ${prompts.length} tokens (${prompts.source}).\n` +
    `About ${formatSeconds(screen + rest)}: ${formatSeconds(screen)} for the first pass (${
      (flops / 1e12).toPrecision(2)
    } TFLOP), and up to ${
      formatSeconds(rest)
    } by how many writers there are to examine, if other programs leave as ` +
    `much of the machine as now. ${memory(expected)}`;
}

const memory = ({ bytes, weights }: Announced) =>
  `About ${gib(bytes)} of memory, ${gib(weights)} of it weights.`;

/** One line, before a share of a pass. */
export const shareAnnouncement = (expected: Announced): string =>
  `About ${formatSeconds(expected.seconds.screen)}. ${memory(expected)}`;

/**
 * One line, after it. @param resumed part of the first pass was done before, so that the time is no measure
 * of the announced
 */
export function afterwards({ seconds, bytes }: Announced, tookMs: number, resumed: boolean): string {
  const peak = peakMemory() * 2 ** 30, cpu = formatSeconds(cpuSeconds());
  const announced = `${formatSeconds(seconds.screen + seconds.rest)} and ${gib(bytes)} were announced`;
  return `Took ${formatSeconds(tookMs / 1000)} (${cpu} of processor time) and ${
    gib(peak)
  } at most; ${announced}${resumed ? ", for all of it from the beginning" : ""}.`;
}
