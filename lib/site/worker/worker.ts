/**
 * The kernel of a page: runs its cells, one at a time, away from the page, so that this stays alive and can
 * end it.
 *
 * To the library it looks like Deno's Jupyter kernel: outputs go through `Deno.jupyter.broadcast`, files that
 * `show` saves are handed to the page.
 */
import { inspect } from "loupe";
import * as exports from "./library.ts";
import { onFetch } from "../browser/assets.ts";
import { preload } from "../browser/fs.ts";
import { prepareRuntime } from "../browser/onnxruntime.ts";
import { usualDevice } from "../browser/usual_device.ts";
import { onSaved } from "../browser/write_whole.ts";
import type { FromWorker, OutputMessage, ToWorker } from "./messages.ts";
import { type Fault, faultOf, Scope } from "./scope.ts";

declare const SITE_TYPES: readonly string[];

const post = (message: FromWorker) => self.postMessage(message);
const output = (msg_type: OutputMessage["msg_type"], content: OutputMessage["content"]) =>
  post({ type: "output", output: { msg_type, content } });

/** Longest text of a result. */
const MOST_CHARACTERS = 20_000;

const inspected = (value: unknown) => inspect(value, { depth: 4, truncate: 4000 }).slice(0, MOST_CHARACTERS);

const shown = (value: unknown) => typeof value === "string" ? value : inspected(value);

for (
  const [method, name] of [["log", "stdout"], ["info", "stdout"], ["debug", "stdout"], ["warn", "stderr"], [
    "error",
    "stderr",
  ]] as const
) {
  console[method] = (...values: unknown[]) =>
    output("stream", { name, text: values.map(shown).join(" ") + "\n" });
}

Object.assign(globalThis, {
  Deno: {
    jupyter: {
      broadcast(type: OutputMessage["msg_type"], content: OutputMessage["content"]) {
        output(type, content);
        return Promise.resolve();
      },
    },
  },
});

onFetch((name, done, total) => post({ type: "fetching", name, done, total }));
onSaved((name, content) => post({ type: "file", name, content }));

const scope = new Scope({ exports, types: SITE_TYPES });
let running = "";

/** A card that was lost says so once; afterwards no graph is taken. */
const lostTheCard = ({ name, message }: Fault) =>
  usualDevice() === "webgpu" && (name === "DeviceFailure" || message.startsWith("ONNX Runtime refused"));

async function run({ cell, source }: ToWorker): Promise<void> {
  running = cell;
  try {
    const result = await scope.run(cell, source);
    if (result !== undefined) {
      output("execute_result", {
        execution_count: null,
        data: { "text/plain": inspected(result) },
      });
    }
    post({ type: "done" });
  } catch (error) {
    const fault = faultOf(error, cell);
    post({ type: "done", fault: { ...fault, ends: lostTheCard(fault) } });
  }
}

self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  const { name, message } = faultOf(event.reason, running);
  output("stream", { name: "stderr", text: `A promise that was not awaited failed: ${name}: ${message}\n` });
});

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => void run(data));

try {
  const [runtime] = await Promise.all([prepareRuntime(), preload()]);
  post({ type: "ready", runtime });
} catch (error) {
  post({ type: "failed", message: (error as Error).message });
}
