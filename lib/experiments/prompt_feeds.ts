/** Prompts as a run is fed with them where they are not simply fed whole. */
import type { Prompts } from "../checkpoints/mod.ts";
import { NdArray } from "../tensor/nd_array.ts";
import type { Feeds } from "../tensor/run.ts";

/**
 * Positions start … start + length - 1 of every prompt: [batch, pos]. With start 1, the next token of each
 * position.
 */
export function cutPrompts(
  { tokens, count, length: whole }: Prompts,
  start: number,
  length: number,
): NdArray {
  const data = new Int32Array(count * length);
  for (let b = 0; b < count; b++) {
    const from = b * whole + start;
    data.set(tokens.subarray(from, from + length), b * length);
  }
  return new NdArray(data, ["batch", "pos"], [count, length]);
}

/** One prompt, `times` times: [batch, pos]. */
export function repeatPrompt({ tokens, length }: Prompts, times: number): NdArray {
  const data = new Int32Array(times * length);
  for (let i = 0; i < times; i++) data.set(tokens, i * length);
  return new NdArray(data, ["batch", "pos"], [times, length]);
}

/** What is fed for one prompt, `times` times. */
export function repeatFeeds(feeds: Feeds, times: number): Record<string, NdArray> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { data, names, shape }]) => {
      const all = new (data.constructor as new (n: number) => typeof data)(times * data.length);
      for (let i = 0; i < times; i++) all.set(data, i * data.length);
      return [name, new NdArray(all, names, [times * shape[0], ...shape.slice(1)])];
    }),
  );
}
