/** Numbers with their bootstrap intervals over prompts, from sums by prompt. */
import { bootstrapDraws, bootstrapInterval } from "../../stats/significance.ts";
import type { Estimate } from "../rows.ts";

const DRAWS = 1000;

/** Draws of `blocks` prompts or blocks of them, the same for all numbers of a census. */
export const draws = (blocks: number, seed: number): Int32Array[] => bootstrapDraws(blocks, DRAWS, seed);

/** A statistic of all blocks, or of those drawn. */
export function estimate(statistic: (draw?: Int32Array) => number, drawn: readonly Int32Array[]): Estimate {
  return { value: statistic(), interval: bootstrapInterval(statistic, drawn) };
}

/** Mean over the entries of `values`, or over those drawn. */
export function meanOf(values: ArrayLike<number>, draw?: Int32Array): number {
  const n = draw?.length ?? values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[draw ? draw[i] : i];
  return sum / n;
}
