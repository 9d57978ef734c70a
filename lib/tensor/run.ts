/**
 * Runs expressions: compiles them, once for each batch shape, into one graph that computes just what is asked
 * for, and feeds it batch by batch under a memory budget.
 */
import { setImmediate } from "node:timers";
import type { Device } from "./device.ts";
import { deviceOf } from "./device_of.ts";
import { describe, find, names, shapeOf, type Sizes } from "./dims.ts";
import { bind, type Feeds, inputsOf } from "./inputs.ts";
import { Lowering } from "./lower.ts";
import { type Cost, estimateCost } from "./memory.ts";
import { NdArray, repeated } from "./nd_array.ts";
import type { Data, View } from "./node.ts";
import { type Flat, flattened, nested, type Outputs, type Results } from "./outputs.ts";
import { filesOf, lightened, withKept } from "./prepare.ts";
import { createOnce, type CreateSession, createSession, type Fed } from "./session.ts";

/** How far a run is. */
export interface Progress {
  /** Prompts done. */
  done: number;
  /** Prompts in all. */
  total: number;
  /** Seconds since the run began. */
  seconds: number;
}

/** How a run is divided, watched and ended. None of it changes the results. */
export interface RunOptions {
  /** Prompts in one batch. Default: as many as `memoryBytes` holds by the estimate of memory.ts. */
  batchSize?: number;
  /**
   * Budget for activations, in bytes; one prompt is run in any case. Default 32 MiB: larger batches are
   * slower, since they leave the processor's caches, and smaller ones pay more for each operation. On other
   * devices 256 MiB, which was not measured; and where weights are read from their file, which each batch
   * pays for.
   */
  memoryBytes?: number;
  /**
   * At least so many tokens in a batch, also where `memoryBytes` holds fewer: products with the weights of
   * wide models run at two thirds of their speed with 128 rows (SmolLM2-135M: 71 GFLOP/s with 128, 95 with
   * 512, 105 with 1024). Default 0.
   */
  leastTokens?: number;
  /** Ends the run between two batches; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after each batch. */
  onProgress?: (progress: Progress) => void;
  /** Threads of ONNX Runtime. Default: one for each core. */
  threads?: number;
  /**
   * Where this run computes. Default: the device that its weights were loaded for (`loadModel`), else "cpu".
   */
  device?: Device;
  /** Another runtime, in tests. */
  createSession?: CreateSession;
}

export type { Feeds };

const DEFAULT_MEMORY = 32 * 2 ** 20, DEVICE_MEMORY = 256 * 2 ** 20;
/** Where weights are read from their file, once for each batch. */
const MEMORY_BESIDE_FILES = 256 * 2 ** 20;

/**
 * What `outputs` would cost for prompts of the given sizes, without running anything.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { peakBytes, flops } = cost({ logits: model.forward().logits }, { batch: 1, pos: 256 });
 * console.log(peakBytes, flops); // estimates, before anything runs
 * ```
 */
export function cost(outputs: Outputs, sizes: Readonly<Record<string, number>>, device?: Device): Cost {
  return costOf(flattened(outputs), sizes, device);
}

const usualDevice = (outputs: Flat<View>) => deviceOf(Object.values(outputs).map(({ node }) => node));

function costOf(outputs: Flat<View>, sizes: Sizes, device: Device = usualDevice(outputs)): Cost {
  const { graph, outputs: made } = new Lowering(lightened(outputs), sizes, device);
  return estimateCost(graph.steps, [...made.values()].map(({ from }) => from));
}

/** One batch's results, with the index of its first prompt. */
export interface Batch<T extends Outputs> {
  /** The batch's first prompt. */
  start: number;
  /** Prompts in the whole run. */
  total: number;
  /** The batch's values. */
  results: Results<T>;
}

/**
 * Runs batch by batch and yields each batch's results, for what is folded as it comes.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const logits = model.forward().logits.select("pos", 255);
 * for await (const { start, results } of stream({ logits }, feed(prompts), { batchSize: 2 })) {
 *   console.log(start, results.logits.shape); // 0, then 2: [2, d_vocab]
 * }
 * ```
 */
export async function* stream<T extends Outputs>(
  outputs: T,
  feeds: Feeds,
  options: RunOptions = {},
): AsyncGenerator<Batch<T>> {
  const flat = flattened(outputs);
  for await (const { start, total, arrays, sizes } of batches(flat, feeds, options)) {
    yield { start, total, results: nested(outputs, written(flat, arrays, sizes)) };
  }
}

/** Each result with all its declared dims. */
function written(outputs: Flat<View>, arrays: Flat<NdArray>, sizes: Sizes): Flat<NdArray> {
  const all = Object.entries(outputs).map(([name, { dims }]) => [
    name,
    repeated(arrays[name], names(dims), shapeOf(dims, sizes)),
  ]);
  return Object.fromEntries(all);
}

interface Part {
  start: number;
  total: number;
  /** Results with the dims along which they vary. */
  arrays: Record<string, NdArray>;
  sizes: Sizes;
}

async function* batches(outputs: Flat<View>, feeds: Feeds, options: RunOptions): AsyncGenerator<Part> {
  if (Object.keys(outputs).length === 0) throw new Error("run: got no outputs; expected at least one tensor");
  const inputs = inputsOf(outputs);
  const { sizes, total } = bind(inputs, feeds);
  // every size is known, or it throws before work is done
  for (const { dims } of Object.values(outputs)) shapeOf(dims, sizes);
  const device = options.device ?? usualDevice(outputs);
  const files = filesOf(Object.values(outputs));
  if (files.length > 0 && device !== "cpu") {
    throw new Error(
      `run: got device "${device}" for weights that stay in their file; these are read by the processor. Load the model with ` +
        `{ device: "${device}" }, which brings them into memory.`,
    );
  }
  const size = Math.min(
    total,
    options.batchSize ??
      Math.max(
        fitting(outputs, sizes, device, options.memoryBytes ?? usualMemory(device, files.length > 0)),
        Math.ceil((options.leastTokens ?? 0) / (sizes.pos ?? 1)),
      ),
  );
  if (!(Number.isInteger(size) && size > 0)) {
    throw new Error(`run: got batchSize ${size}; expected a positive integer`);
  }
  const began = performance.now();
  const create = options.createSession ?? createSession;
  const mustBeUnchanged = () => files.forEach((file) => file.mustBeUnchanged());
  mustBeUnchanged(); // else the runtime refuses the graph
  const prepared = files.length > 0
    ? await withKept(lightened(outputs), createOnce, options.threads)
    : outputs;
  let compiled: { lowering: Lowering; session: Awaited<ReturnType<CreateSession>>; size: number } | undefined;
  try {
    for (let start = 0; start < total; start += size) {
      options.signal?.throwIfAborted();
      mustBeUnchanged();
      const count = Math.min(size, total - start);
      if (compiled?.size !== count) {
        await compiled?.session.release?.();
        const lowering = new Lowering(prepared, { ...sizes, batch: count }, device);
        const session = await create(lowering.graph.finish(), options.threads, device);
        compiled = { lowering, session, size: count };
      }
      const { lowering, session } = compiled;
      const fed = new Map<string, Fed>(lowering.graph.params);
      for (const name of inputs.keys()) {
        const { data, shape } = feeds[name];
        const row = data.length / shape[0];
        fed.set(`in_${name}`, {
          data: data.subarray(start * row, (start + count) * row),
          shape: [count, ...shape.slice(1)],
        });
      }
      const made = await session.run(fed);
      const arrays: Record<string, NdArray> = {};
      for (const [name, { from, names, shape }] of lowering.outputs) {
        arrays[name] = new NdArray(made.get(from)!, names, shape);
      }
      yield { start, total, arrays, sizes: lowering.graph.sizes };
      options.onProgress?.({ done: start + count, total, seconds: (performance.now() - began) / 1000 });
      // ONNX Runtime's call holds the thread; between batches, timers and the interrupt of a notebook get
      // their turn. Ctrl-C and SIGTERM reach Deno through its event loop, which setImmediate alone does not
      // let turn: a run that can be stopped pays for a timer, 2 ms.
      await new Promise((resolve) => options.signal ? setTimeout(resolve, 1) : setImmediate(resolve));
    }
  } finally {
    await compiled?.session.release?.();
  }
}

function usualMemory(device: Device, files: boolean): number {
  return device !== "cpu" ? DEVICE_MEMORY : files ? MEMORY_BESIDE_FILES : DEFAULT_MEMORY;
}

function fitting(outputs: Flat<View>, sizes: Sizes, device: Device, budget: number): number {
  if (!(budget > 0)) throw new Error(`run: got memoryBytes ${budget}; expected a positive number of bytes`);
  const { peakBytes } = costOf(outputs, { ...sizes, batch: 1 }, device);
  return Math.max(1, Math.floor(budget / Math.max(peakBytes, 1)));
}

/**
 * Runs and collects: results have all prompts along "batch", which comes first in each output that depends on
 * a prompt.
 *
 * @example
 * ```ts
 * import { constant, iota } from "./tensor.ts";
 * const x = iota("pos", 4);
 * const { sum, powers } = await run({ sum: x.sum("pos"), powers: [x.mul(x), constant(2)] }, {});
 * console.log(sum.data[0], powers[0].data); // 6; 0, 1, 4, 9
 * ```
 */
export async function run<T extends Outputs>(
  outputs: T,
  feeds: Feeds,
  options: RunOptions = {},
): Promise<Results<T>> {
  if (feeds === undefined || feeds as unknown instanceof Promise) {
    const got = feeds === undefined ? "none" : 'a promise; put "await" before what makes it';
    throw new Error(`run: feeds: got ${got}. Expected what the run reads, such as feed(prompts)`);
  }
  const flat = flattened(outputs);
  for (const [name, { dims }] of Object.entries(flat)) {
    if (find(dims, "batch") && dims[0].name !== "batch") {
      throw new Error(`run: output "${name}" ${describe(dims)}: expected "batch" first; use order()`);
    }
  }
  const parts: Record<string, NdArray[]> = {};
  let bound: Sizes = {};
  for await (const { total, arrays, sizes } of batches(flat, feeds, options)) {
    bound = { ...sizes, batch: total };
    for (const [name, array] of Object.entries(arrays)) {
      if (array.names[0] === "batch") (parts[name] ??= []).push(array);
      else parts[name] = [array];
    }
  }
  const whole = Object.entries(parts).map(([name, arrays]) => [name, joined(arrays)]);
  return nested(outputs, written(flat, Object.fromEntries(whole), bound));
}

/**
 * Batches, one after the other. They are copied into one array when that is first looked at: what nobody
 * looks at is not.
 */
function joined(parts: NdArray[]): NdArray {
  const [{ data: { constructor }, names, shape }] = parts;
  if (parts.length === 1) return parts[0];
  const count = parts.reduce((sum, part) => sum + part.shape[0], 0);
  const join = () => {
    const Values = constructor as new (n: number) => Data;
    const all = new Values(parts.reduce((sum, { data }) => sum + data.length, 0));
    let at = 0;
    for (const { data } of parts.splice(0)) {
      all.set(data, at);
      at += data.length;
    }
    return all;
  };
  return new NdArray(join, names, [count, ...shape.slice(1)]);
}
