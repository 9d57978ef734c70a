/**
 * A run of some seconds that SIGINT ends, for interrupt_test.ts: says "ready" after its first batch, then how
 * it ended.
 */

import { retention } from "../../lib/experiments/retention/retention.ts";
import { shorten } from "../../lib/checkpoints/mod.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";

const stop = new AbortController();
Deno.addSignalListener("SIGINT", () => stop.abort(new Error("interrupted")));
const model = await loadModel();
const prompts = shorten(await promptsFor(model), { count: 30 });
let batches = 0;
try {
  await retention(model, prompts, {
    writer: "all",
    rotations: 1,
    batchSize: 3,
    signal: stop.signal,
    onProgress: () => ++batches === 1 && console.log("ready"),
  });
  console.log("finished");
} catch (error) {
  console.log(`${(error as Error).message} after ${batches} batches`);
}
Deno.exit(0);
