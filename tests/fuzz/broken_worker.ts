/**
 * A worker whose case 1 never ends, whose case 2 throws where nobody catches it, whose case 3 fails, whose
 * case 5 waits for ever and whose case 6 does so the first time. For fuzz_test.ts.
 */
import type { Order, Result } from "./worker.ts";

const post = (result: Result) => (self as unknown as Worker).postMessage(result);
const forEver = () => new Promise<never>(() => {});

self.addEventListener("message", async ({ data }: MessageEvent<Order>) => {
  for (let index = data.from; index < data.to; index++) {
    post({ index, outcome: "begun" });
    if (index === 1) { while (true); }
    if (index === 2) {
      setTimeout(() => {
        throw new Error("in a timer");
      });
      await forEver();
    }
    if (index === 5 || (index === 6 && isFirst(data.folder))) await forEver();
    post(index === 3 ? { index, outcome: "failed", what: "wrong" } : { index, outcome: "accepted" });
  }
  post({ index: -1, outcome: "accepted" });
});

function isFirst(folder: string): boolean {
  try {
    Deno.writeFileSync(`${folder}/begun`, new Uint8Array(), { createNew: true });
    return true;
  } catch {
    return false;
  }
}
