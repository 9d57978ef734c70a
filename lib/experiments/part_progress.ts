/** Progress of several runs over the same prompts, one after the other, told as one. */
import type { RunOptions } from "../tensor/run.ts";

/** Options for part 0 … count − 1; all parts are taken to last equally long. */
export function inParts<T extends RunOptions>(options: T, count: number): (part: number) => T {
  const began = performance.now();
  const { onProgress } = options;
  if (!onProgress) return () => options;
  return (part) => ({
    ...options,
    onProgress: ({ done, total }) =>
      onProgress({
        done: part * total + done,
        total: count * total,
        seconds: (performance.now() - began) / 1000,
      }),
  });
}
