/**
 * The gateway to ONNX Runtime: the only file that imports it. Sessions hold no weights (those are fed), so
 * they are cheap to make and are cached by their graph.
 */
import { parse } from "node:path";
import "./no_telemetry.ts"; // before the runtime
import * as ort from "onnxruntime-node";
import { checkDevice, type Device, deviceFailed, deviceMissing } from "./device.ts";
import { copyGraph, DeviceArrays } from "./device_arrays.ts";
import { type Data, dtypeOf } from "./node.ts";
import { encodeModel, type OnnxGraph } from "./onnx.ts";

/** An array that a session is given. */
export interface Fed {
  data: Data;
  shape: readonly number[];
  /** The same for all batches, such as a weight: a device keeps it. */
  fixed?: true;
}

/** What `run` needs of a runtime; tests may put another in its place. */
export interface Session {
  run(feeds: ReadonlyMap<string, Fed>): Promise<Map<string, Data>>;
  /** Called when no more batches come. A session without it is kept for runs of the same graph. */
  release?(): Promise<void>;
}

/** @internal */
export type CreateSession = (graph: OnnxGraph, threads?: number, device?: Device) => Promise<Session>;

/** Sessions kept at once. A session of gelu-4l's graph holds its memory arena, so the count is small. */
const CACHED = 4;

interface Entry {
  session: Promise<ort.InferenceSession>;
  /** Runs in progress: a session that is released under one takes the process down. */
  busy: number;
  dropped: boolean;
  /** Weights in files: the session maps them into memory, and its arena holds the largest as float32. */
  files: boolean;
}

const cache = new Map<string, Entry>();

type Options = ort.InferenceSession.SessionOptions;
type Level = Options["graphOptimizationLevel"];

/**
 * The runtime's settings for a device. On a graphics card nothing is left to the processor, which would cost
 * copies both ways: a graph with such a step is refused. The optimiser, and what brings images into the
 * layout "NHWC", stay out of it: they make such steps (a transposed comparison).
 */
function deviceOptions(device: Device): Options {
  if (device === "cpu") return { executionProviders: ["cpu"] };
  if (device !== "webgpu") return { executionProviders: [device, "cpu"] };
  return {
    executionProviders: [{ name: "webgpu", preferredLayout: "NCHW" }],
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 4, // what goes wrong is in the error, too
    extra: { session: { disable_cpu_ep_fallback: "1" } },
  };
}

async function create(
  graph: OnnxGraph,
  threads?: number,
  level: Level = "all",
  device: Device = "cpu",
  options: Options = {},
): Promise<ort.InferenceSession> {
  if (device !== "cpu") await openDevice(device);
  try {
    return await newSession(graph, {
      graphOptimizationLevel: level,
      ...(threads && { intraOpNumThreads: threads }),
      ...deviceOptions(device),
      ...options,
    });
  } catch (error) {
    throw new Error(`ONNX Runtime refused the graph: ${error instanceof Error ? error.message : error}`);
  }
}

function newSession(graph: OnnxGraph, { extra, ...options }: Options): Promise<ort.InferenceSession> {
  // Weights in files are mapped into memory by the runtime, which names them from a folder on.
  const root = graph.external.length > 0 ? parse(graph.external[0].path).root : undefined;
  return ort.InferenceSession.create(encodeModel(graph, root), {
    // Blocks laid out in advance are no faster here, and the first run, which learns the layout, takes its
    // memory beside them.
    enableMemPattern: false,
    // Warnings of the optimiser are about our graph, not about anything that a user could mend.
    logSeverityLevel: 3,
    ...options,
    // The optimiser would make float32 of all weights in advance.
    ...(root !== undefined && { graphOptimizationLevel: "disabled" }),
    extra: {
      session: {
        // Threads that wait for work sleep: those that spin take 0.4 of the processor's time
        // (tests/bench/results.md).
        intra_op: { allow_spinning: "0" },
        ...(root !== undefined && { model_external_initializers_file_folder_path: root }),
        ...(extra?.session as object | undefined),
      },
    },
  });
}

/** One session of each device that is in use: the device is let go with its last session. */
const open = new Map<Device, Promise<ort.InferenceSession>>();

/** Starts a device, so that one that is missing is found before any work. @throws when it does not compute */
export async function openDevice(device: Device): Promise<void> {
  const lists = ort.listSupportedBackends().map(({ name }) => name);
  checkDevice(device, lists);
  let started = open.get(device);
  if (!started) open.set(device, started = startDevice(device));
  try {
    await started;
  } catch (error) {
    open.delete(device);
    throw deviceMissing(device, lists, error);
  }
}

async function startDevice(device: Device): Promise<ort.InferenceSession> {
  const session = await newSession(copyGraph("float32", [1]), deviceOptions(device));
  const { y } = await session.run({ x: tensorOf(Float32Array.of(1.5), [1]) });
  if (y.data[0] !== 1.5) throw new Error(`it copied 1.5 as ${y.data[0]}`);
  return session;
}

const tensorOf = (data: Data, shape: readonly number[]): ort.Tensor =>
  new ort.Tensor(dtypeOf(data), data, [...shape]);

/** Weights on the graphics card. */
const onCard = new DeviceArrays(
  (graph) => create(graph, undefined, "disabled", "webgpu", { preferredOutputLocation: "gpu-buffer" }),
  tensorOf,
);

/**
 * The session of a graph, made again if others have pushed it out; the least recently used one makes room,
 * and of those with weights in files there is one.
 */
function lookUp(key: string, graph: OnnxGraph, threads?: number, device?: Device): Entry {
  const files = graph.external.length > 0, known = cache.get(key);
  if (!known && files) drop((other) => other.files); // before the next one takes as much
  const entry = known ?? { session: create(graph, threads, "all", device), busy: 0, dropped: false, files };
  cache.delete(key);
  cache.set(key, entry);
  entry.session.catch(() => cache.delete(key));
  drop(() => cache.size > CACHED);
  return entry;
}

/** Lets the oldest sessions go, as long as `unwanted` says so of one. */
function drop(unwanted: (entry: Entry) => boolean): void {
  for (const [key, entry] of cache) {
    if (!unwanted(entry)) continue;
    cache.delete(key);
    entry.dropped = true;
    if (entry.busy === 0) release(entry);
  }
}

function release(entry: Entry): void {
  entry.session.then((session) => session.release()).catch(() => {});
}

async function runOnce(
  session: ort.InferenceSession,
  feeds: Parameters<Session["run"]>[0],
  device: Device = "cpu",
): Promise<Map<string, Data>> {
  try {
    const tensors: Record<string, ort.Tensor> = {};
    for (const [name, { data, shape, fixed }] of feeds) {
      tensors[name] = fixed && device === "webgpu" ? await onCard.get(data, shape) : tensorOf(data, shape);
    }
    const outputs = await session.run(tensors);
    return new Map(Object.entries(outputs).map(([name, t]) => [name, t.data as Data]));
  } catch (error) {
    throw device === "cpu" ? error : deviceFailed(device, error);
  }
}

/** A session that is kept: a run of the same graph needs no second one. */
export const createSession: CreateSession = async (graph, threads, device) => {
  const key = `${threads ?? ""} ${device ?? ""} ${JSON.stringify(graph)}`;
  await lookUp(key, graph, threads, device).session;
  return {
    async run(feeds) {
      const entry = lookUp(key, graph, threads, device);
      entry.busy++;
      try {
        return await runOnce(await entry.session, feeds, device);
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
export const createOnce: CreateSession = async (graph, threads, device) => {
  if (graph.external.length > 0) drop((other) => other.files); // each would map the whole file
  const session = await create(graph, threads, "disabled", device);
  return { run: (feeds) => runOnce(session, feeds, device), release: () => session.release() };
};
