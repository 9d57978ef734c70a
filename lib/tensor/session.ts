/**
 * The gateway to ONNX Runtime: the only file that imports it. Sessions hold no weights (those are fed), so
 * they are cheap to make and are cached by their graph.
 */
import * as ort from "onnxruntime-node";
import type { Data } from "./node.ts";
import { encodeModel, type OnnxGraph } from "./onnx.ts";

/** What `run` needs of a runtime; tests may put another in its place. */
export interface Session {
  run(feeds: ReadonlyMap<string, { data: Data; shape: readonly number[] }>): Promise<Map<string, Data>>;
  /** Called when no more batches come. A session without it is kept for runs of the same graph. */
  release?(): Promise<void>;
}

/** @internal */
export type CreateSession = (graph: OnnxGraph, threads?: number) => Promise<Session>;

/** Sessions kept at once. A session of gelu-4l's graph holds its memory arena, so the count is small. */
const CACHED = 4;

interface Entry {
  session: Promise<ort.InferenceSession>;
  /** Runs in progress: a session that is released under one takes the process down. */
  busy: number;
  dropped: boolean;
}

const cache = new Map<string, Entry>();

type Level = ort.InferenceSession.SessionOptions["graphOptimizationLevel"];

async function create(
  graph: OnnxGraph,
  threads?: number,
  level: Level = "all",
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(encodeModel(graph), {
      executionProviders: ["cpu"],
      graphOptimizationLevel: level,
      // Blocks laid out in advance are no faster here, and the first run, which learns the layout, takes its
      // memory beside them.
      enableMemPattern: false,
      // Warnings of the optimiser are about our graph, not about anything that a user could mend.
      logSeverityLevel: 3,
      ...(threads && { intraOpNumThreads: threads }),
    });
  } catch (error) {
    throw new Error(`ONNX Runtime refused the graph: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * The session of a graph, made again if others have pushed it out; the least recently used one makes room.
 */
function lookUp(key: string, graph: OnnxGraph, threads?: number): Entry {
  const entry = cache.get(key) ?? { session: create(graph, threads), busy: 0, dropped: false };
  cache.delete(key);
  cache.set(key, entry);
  entry.session.catch(() => cache.delete(key));
  for (const [old, other] of cache) {
    if (cache.size <= CACHED) break;
    cache.delete(old);
    other.dropped = true;
    if (other.busy === 0) release(other);
  }
  return entry;
}

function release(entry: Entry): void {
  entry.session.then((session) => session.release()).catch(() => {});
}

type Fed = Parameters<Session["run"]>[0];

async function runOnce(session: ort.InferenceSession, feeds: Fed): Promise<Map<string, Data>> {
  const tensors: Record<string, ort.Tensor> = {};
  for (const [name, { data, shape }] of feeds) {
    tensors[name] = data instanceof Float32Array
      ? new ort.Tensor("float32", data, [...shape])
      : new ort.Tensor("int32", data, [...shape]);
  }
  const outputs = await session.run(tensors);
  return new Map(Object.entries(outputs).map(([name, t]) => [name, t.data as Data]));
}

/** A session that is kept: a run of the same graph needs no second one. */
export const createSession: CreateSession = async (graph, threads) => {
  const key = `${threads ?? ""} ${JSON.stringify(graph)}`;
  await lookUp(key, graph, threads).session;
  return {
    async run(feeds) {
      const entry = lookUp(key, graph, threads);
      entry.busy++;
      try {
        return await runOnce(await entry.session, feeds);
      } finally {
        if (--entry.busy === 0 && entry.dropped) release(entry);
      }
    },
  };
};

/**
 * A session for one run: of large graphs that do not come again, each would keep its memory arena. The
 * runtime's own optimiser is left out: a graph of 5,700 steps is ready in 0.41 s in place of 0.89, and runs
 * as fast (what can be fused is emitted so).
 */
export const createOnce: CreateSession = async (graph, threads) => {
  const session = await create(graph, threads, "disabled");
  return { run: (feeds) => runOnce(session, feeds), release: () => session.release() };
};
