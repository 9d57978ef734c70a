/** Runs cases of one target, one after the other, and says of each what came of it. Started by fuzz.ts. */
import { peakMemory } from "../../lib/platform/peak_memory.ts";
import { randomSource } from "../reference/random.ts";
import { TARGETS } from "./targets.ts";
import { unclear } from "./verdict.ts";

export interface Order {
  target: string;
  seed: number;
  from: number;
  to: number;
  /** Empty, for files. */
  folder: string;
}

export interface Result {
  /** Number of the case; -1: all are done. */
  index: number;
  outcome: "begun" | "accepted" | "refused" | "failed";
  /** What is wrong, where it failed. */
  what?: string;
}

/** More than this for one small input is too much. */
const MOST_MIB = 256;

/** The bytes of case `index`. */
export function caseOf(target: string, seed: number, index: number): Uint8Array<ArrayBuffer> {
  const name = [...target].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7);
  return TARGETS[target].make(
    randomSource((name ^ Math.imul(seed, 0x9e3779b1)) + Math.imul(index, 0x85ebca6b)),
  );
}

const post = (result: Result) => (self as unknown as Worker).postMessage(result);

/** Errors that nobody awaited, since the last case. */
let unheard: string[] = [];

async function one({ target, seed, folder }: Order, index: number): Promise<Result> {
  const before = peakMemory();
  let result: Result = { index, outcome: "accepted" };
  try {
    await TARGETS[target].read(caseOf(target, seed, index), folder);
  } catch (error) {
    const what = unclear(error);
    result = what === undefined ? { index, outcome: "refused" } : { index, outcome: "failed", what };
  }
  // rejections that nobody heard come now
  if (index % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  if (unheard.length > 0) result = { index, outcome: "failed", what: `unheard: ${unheard.join("; ")}` };
  unheard = [];
  const taken = Math.round(1024 * (peakMemory() - before));
  if (taken > MOST_MIB) result = { index, outcome: "failed", what: `it took ${taken} MiB of memory` };
  return result;
}

if ("WorkerGlobalScope" in self) {
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unheard.push(String(event.reason?.stack ?? event.reason));
  });
  self.addEventListener("message", async ({ data }: MessageEvent<Order>) => {
    for (let index = data.from; index < data.to; index++) {
      post({ index, outcome: "begun" });
      post(await one(data, index));
    }
    post({ index: -1, outcome: "accepted" });
  });
}
