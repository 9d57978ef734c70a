/**
 * The state of a first pass as a file, so that a scan that was interrupted goes on where it was, and another scan of the same model
 * and prompts with other settings need not repeat the pass.
 *
 * A safetensors file with the arrays of ScreenState; its metadata hold a key, SHA-256 over everything that the pass depends on: the
 * weights, the settings of the model, the prompts, and the form of the state.
 */
import { bytesOf, type RawTensor } from "../../checkpoints/dtypes.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { SafetensorsFile } from "../../checkpoints/safetensors.ts";
import { writeSafetensors } from "../../checkpoints/safetensors_write.ts";
import { BINS } from "../../stats/histogram.ts";
import type { Model } from "../../transformer/model.ts";
import { POSITION_BINS, Screen, type ScreenState } from "./screen.ts";

/** Goes up when what is folded changes. */
const FORM = 2;

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the first pass over `prompts` depends on, as a hash. */
export async function screenKey(model: Model, prompts: Prompts): Promise<string> {
  const parts = [`form ${FORM}, ${BINS} bins, ${POSITION_BINS} position bins`, JSON.stringify(model.config)];
  for (const name of [...model.weights.keys()].sort()) {
    parts.push(
      `${name} ${await digest(bytesOf(model.weights.get(name)!.data as Float32Array<ArrayBuffer>))}`,
    );
  }
  parts.push(`prompts ${prompts.count} × ${prompts.length} ${await digest(bytesOf(prompts.tokens))}`);
  return await digest(new TextEncoder().encode(parts.join("\n")));
}

/** Writes the state; never half of it. */
export async function saveScreen(path: string, screen: Screen, key: string): Promise<void> {
  const tensors: Record<string, RawTensor> = {};
  for (const [name, data] of Object.entries(screen.state)) {
    tensors[name] = { dtype: data instanceof Float64Array ? "F64" : "I32", dims: [data.length], data };
  }
  await writeSafetensors(path, tensors, { key });
}

/** The screen that was saved under `key`. `undefined`: there is no such file, or it belongs to something else or is damaged. */
export async function loadScreen(path: string, model: Model, key: string): Promise<Screen | undefined> {
  let file: SafetensorsFile | undefined;
  try {
    await Deno.stat(path);
    file = await SafetensorsFile.open(path);
    if (file.metadata.key !== key) return undefined;
    const fresh = new Screen(model).state;
    const state: Record<string, unknown> = {};
    for (const [name, { length, constructor }] of Object.entries(fresh)) {
      const { data } = await file.read(name);
      if (data.length !== length || data.constructor !== constructor) return undefined;
      state[name] = data;
    }
    return new Screen(model, state as unknown as ScreenState);
  } catch {
    return undefined; // a file that cannot be read is no state: the pass begins anew and replaces it
  } finally {
    file?.close();
  }
}
