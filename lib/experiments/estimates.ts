/** Numbers with their bootstrap intervals over prompts, and rows without the intervals. */
import { bootstrapDraws, bootstrapInterval } from "../stats/significance.ts";
import type { Estimate } from "./rows.ts";

const DRAWS = 1000;

/** Draws of `blocks` prompts or blocks of them, the same for all numbers of one experiment. */
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

const isEstimate = (value: unknown): value is Estimate =>
  typeof value === "object" && value !== null && "value" in value && "interval" in value;

/**
 * Each row with the value of every estimate in its place; the intervals are left out.
 *
 * @example
 * ```ts
 * const rows = [{ node: "L2H3", left: { value: 0.2, interval: [0.1, 0.3] } }];
 * console.log(valuesOf(rows)); // [{ node: "L2H3", left: 0.2 }]
 * ```
 */
export function valuesOf(rows: readonly object[]): Record<string, unknown>[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, isEstimate(value) ? value.value : value]),
    )
  );
}
