/** The largest resident memory of this process so far, in words. */
export async function peakMemory(): Promise<string> {
  try {
    const status = await Deno.readTextFile("/proc/self/status"); // Linux keeps the high-water mark
    const kib = Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]);
    return `peak resident memory ${(kib / 2 ** 20).toFixed(2)} GiB`;
  } catch {
    return `resident memory now ${
      (Deno.memoryUsage().rss / 2 ** 30).toFixed(2)
    } GiB (no peak on this system)`;
  }
}
