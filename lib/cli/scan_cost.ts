/** What a scan will take, said before it starts, and what it took, said after it. */
import { type Prompts, shorten } from "../checkpoints/mod.ts";
import { LEAST_TOKENS } from "../experiments/retention/sums.ts";
import { type ScanCost, scanCost, statisticsBytes } from "../experiments/scan/cost.ts";
import type { ScanSettings } from "../experiments/scan/settings.ts";
import { peakMemory } from "../platform/peak_memory.ts";
import { type Data, STORED_BYTES } from "../tensor/node.ts";
import { run } from "../tensor/run.ts";
import { leavesIn } from "../tensor/walk.ts";
import { feed, type Model } from "../transformer/model.ts";
import { formatSeconds } from "./progress.ts";

export interface Announced {
  /** Of the first pass, and of all that follows. */
  seconds: { screen: number; rest: number };
  /** Of the first pass. */
  flops: number;
  bytes: number;
  /** The part of `bytes` that the weights are. */
  weights: number;
}

/**
 * Memory that is neither weights nor statistics: Deno, ONNX Runtime and the code; what reading the weights
 * leaves behind until it is collected, a part of their size; and W_U once more, in the order in which single
 * tokens are looked up. Fitted to SmolLM2-135M and the embedded model: tests/bench/results.md.
 */
const RUNTIME_BYTES = 300 * 2 ** 20, READING = 0.6, LOOKED_UP = 2;
/** Passes that are timed, and the time after which no more are. */
const PASSES = 3, ENOUGH_MS = 5000;

/**
 * From shapes alone but for the machine's speed: that is the fastest of some plain forward passes over some
 * of the prompts.
 */
export async function announce(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { screen, rest, flops }: ScanCost = scanCost(model, prompts, settings),
): Promise<Announced> {
  const count = Math.min(prompts.count, Math.max(2, Math.ceil(LEAST_TOKENS / prompts.length)));
  const some = shorten(prompts, { count });
  const plain = { end: model.forward().residualStream().at(-1)!.value.select("d_model", 0) };
  const pass = () => run(plain, feed(some, model.config), { leastTokens: LEAST_TOKENS });
  await pass(); // compiles
  const times: number[] = [];
  while (times.length < PASSES && times.reduce((a, b) => a + b, 0) < ENOUGH_MS) {
    const began = performance.now();
    await pass();
    times.push(performance.now() - began);
  }
  // another program's share is not the model's
  const each = Math.min(...times) / 1000 / (count * prompts.length);
  const weights = weightBytes(model);
  const W_U = 4 * model.config.d_model * model.config.d_vocab;
  return {
    seconds: { screen: screen * each, rest: rest * each },
    flops: screen * flops,
    bytes: (1 + READING) * weights + LOOKED_UP * W_U + statisticsBytes(model, prompts, settings) +
      RUNTIME_BYTES,
    weights,
  };
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
  const { seconds: { screen, rest }, flops, bytes, weights } = expected;
  return `${model.name}: ${prompts.count} prompts of ${prompts.length} tokens (${prompts.source}).\n` +
    `About ${formatSeconds(screen + rest)}: ${formatSeconds(screen)} for the first pass (${
      (flops / 1e12).toPrecision(2)
    } TFLOP), the rest by how many writers there are to examine. About ${gib(bytes)} of memory, ` +
    `${gib(weights)} of it weights.`;
}

/**
 * One line, after it. @param resumed part of the first pass was done before, so that the time is no measure
 * of the announced
 */
export function afterwards({ seconds, bytes }: Announced, tookMs: number, resumed: boolean): string {
  const peak = peakMemory() * 2 ** 30;
  const announced = `${formatSeconds(seconds.screen + seconds.rest)} and ${gib(bytes)} were announced`;
  return `Took ${formatSeconds(tookMs / 1000)} and ${gib(peak)} at most; ${announced}${
    resumed ? ", for all of it from the beginning" : ""
  }.`;
}
