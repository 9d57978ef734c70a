/**
 * In place of onnxruntime-node: the same runtime as WebAssembly. It takes one thread, or where the host
 * isolates the page (COOP, COEP) as many as the machine has cores, up to four. Where the page's reader chose
 * the graphics card it is another build of the runtime, twice as large.
 */
import type { Runtime } from "../worker/messages.ts";
import { addressOf, assetBytes, dropOldAssets, files } from "./assets.ts";
import { usualDevice } from "./usual_device.ts";

const device = usualDevice();
const ort: typeof import("onnxruntime-web/wasm") = device === "webgpu"
  ? await import("onnxruntime-web/webgpu")
  : await import("onnxruntime-web/wasm");

export const { InferenceSession, Tensor } = ort;

const NAME = `/runtime/ort-wasm-simd-threaded${device === "webgpu" ? ".asyncify" : ""}`;

/**
 * A module with one instruction of SIMD: (v128.const). Source:
 * https://github.com/GoogleChromeLabs/wasm-feature-detect
 */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3],
  ...[2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/** Fetches the runtime. Resolves to what it computes with. @throws where the browser cannot run it */
export async function prepareRuntime(): Promise<Runtime> {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD)) {
    throw new Error(
      "This browser cannot run the model: it lacks WebAssembly with SIMD. Chrome and Edge have it since 91, Firefox since 89, Safari " +
        "since 16.4. The texts can be read; your edits are kept.",
    );
  }
  if (device === "webgpu" && !await hasCard()) {
    throw new Error(
      "This browser was asked for the graphics card and gives none (WebGPU). Choose the processor above.",
    );
  }
  const threads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { mjs: addressOf(files[`${NAME}.mjs`]) };
  ort.env.wasm.wasmBinary = (await assetBytes(`${NAME}.wasm`)).buffer;
  dropOldAssets().catch(() => {});
  return { device: device ?? "cpu", threads };
}

/** Of the devices that a model can be loaded for, these. */
export const listSupportedBackends = (): { name: string }[] =>
  device === "webgpu" ? [{ name: "cpu" }, { name: "webgpu" }] : [{ name: "cpu" }];

async function hasCard(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<unknown> } };
  return await gpu?.requestAdapter().catch(() => null) != null;
}
