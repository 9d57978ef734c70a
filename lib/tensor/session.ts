/**
 * The gateway to ONNX Runtime: the only file that imports it. Sessions hold no weights (those are fed), so they are cheap to
 * make and are cached by their graph.
 */
import * as ort from "onnxruntime-node";
import type { Data } from "./node.ts";
import { encodeModel, type OnnxGraph } from "./onnx.ts";

/** What `run` needs of a runtime; tests may put another in its place. */
export interface Session {
  run(feeds: ReadonlyMap<string, { data: Data; shape: readonly number[] }>): Promise<Map<string, Data>>;
}

export type CreateSession = (graph: OnnxGraph, threads?: number) => Promise<Session>;

/** Sessions kept at once. A session of gelu-4l's graph holds its memory arena, so the count is small. */
const CACHED = 4;
const cache = new Map<string, { session: Promise<ort.InferenceSession>; busy: number; dropped: boolean }>();

async function create(graph: OnnxGraph, threads?: number): Promise<ort.InferenceSession> {
  return await ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    // Warnings of the optimiser are about our graph, not about anything that a user could mend.
    logSeverityLevel: 3,
    ...(threads && { intraOpNumThreads: threads }),
  });
}

export const createSession: CreateSession = async (graph, threads) => {
  const key = `${threads ?? ""} ${JSON.stringify(graph)}`;
  let entry = cache.get(key);
  if (entry) cache.delete(key);
  else entry = { session: create(graph, threads), busy: 0, dropped: false };
  cache.set(key, entry);
  const held = entry;
  const release = () => held.session.then((s) => s.release(), () => {});
  for (const [old, other] of cache) {
    if (cache.size <= CACHED) break;
    cache.delete(old);
    other.dropped = true;
    if (other.busy === 0) other.session.then((s) => s.release(), () => {});
  }
  const session = await held.session.catch((error) => {
    cache.delete(key);
    throw new Error(`ONNX Runtime refused the graph: ${error instanceof Error ? error.message : error}`);
  });
  return {
    async run(feeds) {
      const tensors: Record<string, ort.Tensor> = {};
      for (const [name, { data, shape }] of feeds) {
        tensors[name] = data instanceof Float32Array
          ? new ort.Tensor("float32", data, [...shape])
          : new ort.Tensor("int32", data, [...shape]);
      }
      held.busy++;
      try {
        const outputs = await session.run(tensors);
        return new Map(Object.entries(outputs).map(([name, t]) => [name, t.data as Data]));
      } finally {
        if (--held.busy === 0 && held.dropped) await release();
      }
    },
  };
};
