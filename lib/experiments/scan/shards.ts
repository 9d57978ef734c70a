/**
 * Shards: the prompts of each pass dealt out to several processes, of one machine or of many, in the batches
 * in which one process would measure them.
 */
import { type Prompts, selectPrompts } from "../../checkpoints/mod.ts";
import type { Share } from "../retention/sums.ts";

export interface Shard {
  /** From 0. */
  index: number;
  count: number;
}

/** "3/8": the fourth of eight. @throws for what is none */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (Number.isSafeInteger(shard.count) && shard.index < shard.count) return shard;
  throw new Error(
    `--shard: got "${text}"; expected i/n with i from 0 to n − 1, such as 0/8 for the first of 8`,
  );
}

/** How many batches there are to deal out. */
export const batchCount = (count: number, batch: number): number => Math.ceil(count / batch);

/** Index of a shard's first prompt, and of the one after its last: whole batches. */
export function rangeOf(count: number, batch: number, shard: Shard): [first: number, end: number] {
  const batches = batchCount(count, batch);
  const from = (index: number) => Math.min(count, batch * Math.floor(index * batches / shard.count));
  return [from(shard.index), from(shard.index + 1)];
}

/** A shard's prompts of a pass. */
export function shareOf(all: Prompts, batch: number, shard: Shard): Share {
  const [first, end] = rangeOf(all.count, batch, shard);
  const rows = Array.from({ length: end - first }, (_, i) => first + i);
  return { prompts: selectPrompts(all, rows), first, all };
}
