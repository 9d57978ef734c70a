/**
 * What is kept of a measurement over prompts: sums alone, so that memory does not grow with prompts, a run
 * that was stopped goes on where it was, and what several machines measured of one set of prompts is joined
 * by adding.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { type Feeds, type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { NdArray } from "../../tensor/nd_array.ts";

/** See RunOptions. */
export const LEAST_TOKENS = 512;

/** Sums by name, and over how many prompts. */
export interface Entry {
  /** The arrays behind it: what is saved, and added when parts are joined. */
  readonly arrays: Readonly<Record<string, Int32Array | Float64Array>>;
  /** Prompts that are in it: the first so many of those that it is measured on. */
  prompts: number;
}

/**
 * What was measured of some prompts, by name.
 * @internal
 */
export type Part = ReadonlyMap<string, Entry>;

/** The prompts that one process measures, and where they stand among all of the measurement. */
export interface Share {
  /** Its own: consecutive ones of all. */
  readonly prompts: Prompts;
  /** Index of the first among all: says which block, which rotated head and which neighbour a prompt has. */
  readonly first: number;
  /** All of the measurement. */
  readonly all: Prompts;
}

/** The share that is everything. */
export const wholeOf = (all: Prompts): Share => ({ prompts: all, first: 0, all });

/** Told when a step of a measurement begins, with the number of its prompts. */
export type OnPass = (name: string, prompts: number) => void;

/** How far a measurement is kept. */
export interface Keeping {
  /** What was measured before, of the same prompts: it is not measured again. */
  done?: Part;
  /** Told after each batch what is measured so far: a place to save it. */
  onMeasured?: (part: Part) => void | Promise<void>;
}

/** Sums of numbers, by name and block of prompts. */
export class Sums implements Entry {
  prompts = 0;
  readonly arrays: { readonly sums: Float64Array };
  readonly #places: ReadonlyMap<string, number>;

  /** @param blocks prompt i of all stands in block i mod `blocks` */
  constructor(readonly names: readonly string[], readonly blocks: number) {
    this.arrays = { sums: new Float64Array(names.length * blocks) };
    this.#places = new Map(names.map((name, i) => [name, i]));
  }

  /** By block. */
  of(name: string): Float64Array {
    const at = this.#places.get(name)! * this.blocks;
    return this.arrays.sums.subarray(at, at + this.blocks);
  }
}

/** Adds what another part holds of an entry. @throws where counts would be more than 32 bits hold */
export function join(to: Entry, from: Entry): void {
  for (const [name, values] of Object.entries(from.arrays)) {
    const sums = to.arrays[name];
    for (let i = 0; i < sums.length; i++) sums[i] += values[i];
    if (sums instanceof Int32Array && sums.some((count) => count < 0)) throw tooMany();
  }
  to.prompts += from.prompts;
}

/** The most tokens that a count of 32 bits holds. */
export const MOST_TOKENS = 2 ** 31 - 1;

export const tooMany = () =>
  new Error(`counts: got more than ${MOST_TOKENS} tokens in one measurement; give fewer prompts.`);

/** The rows from `start` on of everything that is fed. */
export function rowsFrom(feeds: Feeds, start: number): Feeds {
  if (start === 0) return feeds;
  const cut = ({ data, names, shape }: NdArray) =>
    new NdArray(data.subarray(start * data.length / shape[0]), names, [shape[0] - start, ...shape.slice(1)]);
  return Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, cut(array)]));
}

/** Adds up outputs [batch] over the prompts of a share, from where `sums` is on. */
export async function measureSums(
  sums: Sums,
  outputs: Readonly<Record<string, Tensor>>,
  feeds: Feeds,
  { prompts, first }: Pick<Share, "prompts" | "first">,
  options: RunOptions = {},
  onMeasured?: () => void | Promise<void>,
): Promise<void> {
  const begin = sums.prompts;
  if (sums.names.length === 0 || begin === prompts.count) return;
  const run = { leastTokens: LEAST_TOKENS, ...options };
  for await (const { start, results } of stream(outputs, rowsFrom(feeds, begin), run)) {
    let count = 0;
    for (const name of sums.names) {
      const values = results[name].data, to = sums.of(name);
      count = values.length;
      for (let i = 0; i < count; i++) to[(first + begin + start + i) % sums.blocks] += values[i];
    }
    sums.prompts = begin + start + count;
    await onMeasured?.();
  }
}
