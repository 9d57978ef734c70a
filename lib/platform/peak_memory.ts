/** The largest resident memory of this process so far: ru_maxrss, which needs no permission. */
import process from "node:process";

/** In GiB. */
export function peakMemory(): number {
  return process.resourceUsage().maxRSS / 2 ** 20; // Deno gives kilobytes, as Node does
}
