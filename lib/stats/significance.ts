/** Bootstrap over blocks of prompts, and the Benjamini–Hochberg procedure over many tests. */
import { Random } from "./random.ts";

/**
 * `times` draws of `blocks` blocks with replacement. The same draws serve all series, so that differences are
 * paired.
 */
export function bootstrapDraws(blocks: number, times: number, seed: number): Int32Array[] {
  const random = new Random(seed);
  return Array.from({ length: times }, () => Int32Array.from({ length: blocks }, () => random.below(blocks)));
}

/**
 * One-sided bootstrap p-value of "the statistic is not below 0": the share of draws in which it is not, the
 * observation counted as one draw, so that it is never 0. Nor is it below 2^-blocks, what a sign test of so
 * many blocks can reach: with few blocks the bootstrap alone would be surer than the data allow (four blocks
 * of one sign happen by chance in one case of 16).
 */
export function pBelowZero(statistic: (draw: Int32Array) => number, draws: readonly Int32Array[]): number {
  let count = 1;
  for (const draw of draws) if (!(statistic(draw) < 0)) count++;
  return Math.max(count / (draws.length + 1), 2 ** -(draws[0]?.length ?? 0));
}

/** The quantiles `at` of a statistic over the draws that gave a number: a percentile bootstrap interval. */
export function bootstrapInterval(
  statistic: (draw: Int32Array) => number,
  draws: readonly Int32Array[],
  at: readonly [number, number] = [0.025, 0.975],
): [low: number, high: number] {
  const values = draws.map(statistic).filter(Number.isFinite).sort((a, b) => a - b);
  const pick = (p: number) => values[Math.min(values.length - 1, Math.floor(p * values.length))] ?? NaN;
  return [pick(at[0]), pick(at[1])];
}

/**
 * Benjamini–Hochberg adjusted p-values, in the order given. Benjamini & Hochberg (1995), J. R. Stat. Soc. B
 * 57.
 */
export function benjaminiHochberg(p: readonly number[]): number[] {
  const order = [...p.keys()].sort((a, b) => p[b] - p[a]); // falling
  const adjusted = new Array<number>(p.length);
  let least = 1;
  order.forEach((index, i) => {
    least = Math.min(least, p[index] * p.length / (p.length - i));
    adjusted[index] = least;
  });
  return adjusted;
}
