/**
 * In place of onnxruntime-node: the same runtime as WebAssembly. It takes one thread, or where the host
 * isolates the page (COOP, COEP) as many as the machine has cores, up to four.
 */
import * as ort from "onnxruntime-web/wasm";
import { addressOf, assetBytes, dropOldAssets, files } from "./assets.ts";

export * from "onnxruntime-web/wasm";

const MODULE = "/runtime/ort-wasm-simd-threaded.mjs", BINARY = "/runtime/ort-wasm-simd-threaded.wasm";

/**
 * A module with one instruction of SIMD: (v128.const). Source:
 * https://github.com/GoogleChromeLabs/wasm-feature-detect
 */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3],
  ...[2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/** Fetches the runtime. Resolves to the threads that it takes. @throws where the browser cannot run it */
export async function prepareRuntime(): Promise<number> {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD)) {
    throw new Error(
      "This browser cannot run the model: it lacks WebAssembly with SIMD. Chrome and Edge have it since 91, Firefox since 89, Safari " +
        "since 16.4. The texts can be read; your edits are kept.",
    );
  }
  const threads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1;
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = { mjs: addressOf(files[MODULE]) };
  ort.env.wasm.wasmBinary = (await assetBytes(BINARY)).buffer;
  dropOldAssets().catch(() => {});
  return threads;
}

/** Of the devices that a model can be loaded for, this one. */
export const listSupportedBackends = (): { name: string }[] => [{ name: "cpu" }];
