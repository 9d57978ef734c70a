/**
 * Run as a process of its own by torch_file_test.ts: reads every weight of a checkpoint, keeps them all, and
 * prints the resident memory before and at its highest (ru_maxrss, the system's own record), in bytes.
 */
import process from "node:process";
import { openCheckpointFile } from "../../lib/checkpoints/checkpoint.ts";

const highest = () => process.resourceUsage().maxRSS * 1024;
const before = highest();
const checkpoint = await openCheckpointFile(Deno.args[0]);
const kept: Float32Array[] = [];
for (const name of checkpoint.names()) {
  if (checkpoint.dtype(name) === "BOOL") continue; // the masks, which are no weights
  kept.push(await checkpoint.read(name));
}
checkpoint.close();
console.log(JSON.stringify({ before, peak: highest(), kept: kept.length }));
