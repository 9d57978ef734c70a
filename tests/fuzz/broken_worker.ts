/** A worker whose case 1 never ends, whose case 2 throws where nobody catches it, and whose case 3 fails. For fuzz_test.ts. */
import type { Order, Result } from "./worker.ts";

const post = (result: Result) => (self as unknown as Worker).postMessage(result);

self.addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  for (let index = data.from; index < data.to; index++) {
    post({ index, outcome: "begun" });
    if (index === 1) { while (true); }
    if (index === 2) {
      setTimeout(() => {
        throw new Error("in a timer");
      });
      await new Promise(() => {});
    }
    post(index === 3 ? { index, outcome: "failed", what: "wrong" } : { index, outcome: "accepted" });
  }
  post({ index: -1, outcome: "accepted" });
});
