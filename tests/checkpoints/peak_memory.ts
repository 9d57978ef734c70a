/**
 * Run as a process of its own by torch_file_test.ts: reads every weight of a checkpoint, keeps them all, and prints the resident
 * memory before and at its highest, in bytes. On Linux the highest is the kernel's own record (VmHWM); elsewhere it is sampled.
 */
import { openCheckpointFile } from "../../lib/checkpoints/checkpoint.ts";

function resident(): number {
  try {
    const highest = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync("/proc/self/status"));
    if (highest) return Number(highest[1]) * 1024;
  } catch {
    // not Linux
  }
  return Deno.memoryUsage().rss;
}

const before = resident();
const checkpoint = await openCheckpointFile(Deno.args[0]);
const kept: Float32Array[] = [];
let peak = before;
for (const name of checkpoint.names()) {
  if (checkpoint.dtype(name) === "BOOL") continue; // the masks, which are no weights
  kept.push(await checkpoint.read(name));
  peak = Math.max(peak, resident());
}
checkpoint.close();
console.log(JSON.stringify({ before, peak, kept: kept.length }));
