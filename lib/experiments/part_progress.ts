/** Progress of several runs over the same prompts, one after the other, told as one. */
import type { RunOptions } from "../tensor/run.ts";

/**
 * Options for part 0 … count − 1. `weights`: how long the parts last, in any unit; default: all equally long.
 */
export function inParts<T extends RunOptions>(
  options: T,
  count: number,
  weights: readonly number[] = new Array(count).fill(1),
): (part: number) => T {
  const began = performance.now();
  const { onProgress } = options;
  if (!onProgress) return () => options;
  return (part) => ({
    ...options,
    onProgress: ({ done, total }) =>
      onProgress({
        done: weights.slice(0, part).reduce((sum, w) => sum + w, 0) * total + weights[part] * done,
        total: weights.reduce((sum, w) => sum + w, 0) * total,
        seconds: (performance.now() - began) / 1000,
      }),
  });
}
