/**
 * The tiny random checkpoints of tests/reference/families and what transformers and TransformerLens compute
 * with them. A folder with config.json, weights and reference.safetensors is a test by itself: the tests here
 * go over all folders.
 */
import { assert, assertEquals } from "@std/assert";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import { SafetensorsFile } from "../../../lib/checkpoints/safetensors.ts";
import { loadModel, type LoadOptions } from "../../../lib/transformer/load.ts";
import type { Model } from "../../../lib/transformer/model.ts";

const root = new URL("../../reference/families/", import.meta.url).pathname;

/** Names of the recorded checkpoints. */
export const recordedNames = [...Deno.readDirSync(root)].filter((e) => e.isDirectory).map((e) => e.name)
  .sort();

export interface Recorded {
  folder: string;
  prompts: Prompts;
  /** Logits of transformers [batch, pos, d_vocab]; none of base models. */
  logits: Float32Array;
  /** Hook name → value of TransformerLens, weights as they are / processed. */
  plain: Map<string, { dims: number[]; data: Float32Array }>;
  processed: Map<string, { dims: number[]; data: Float32Array }>;
}

export function folderOf(name: string): string {
  return root + name;
}

export type Json = Record<string, unknown>;

/** config.json of a recorded checkpoint, with changes; undefined takes a key away. */
export function configOf(name: string, changes: Json = {}): Json {
  return { ...JSON.parse(Deno.readTextFileSync(`${folderOf(name)}/config.json`)), ...changes };
}

/**
 * Whether TransformerLens recorded hooks of it (else those of transformers stand among `plain`, and
 * `processed` is empty).
 */
export function byTransformerLens(name: string): boolean {
  return typeof JSON.parse(Deno.readTextFileSync(`${folderOf(name)}/reference.json`)).agreement !== "string";
}

export async function recorded(name: string): Promise<Recorded> {
  const file = await SafetensorsFile.open(`${folderOf(name)}/reference.safetensors`);
  const read = async (tensor: string) => {
    const { dims, data } = await file.read(tensor);
    return { dims, data: data as Float32Array };
  };
  const { dims: [count, length] } = await file.read("tokens");
  const tokens = Int32Array.from((await file.read("tokens")).data as Int32Array);
  const hooks = async (prefix: string) => {
    const found = [...file.tensors.keys()].filter((n) => n.startsWith(prefix));
    return new Map(
      await Promise.all(found.map(async (n) => [n.slice(prefix.length), await read(n)] as const)),
    );
  };
  const result = {
    folder: folderOf(name),
    prompts: { tokens, count, length, source: name },
    logits: file.tensors.has("logits") ? (await read("logits")).data : new Float32Array(0),
    plain: await hooks("hooks/"),
    processed: await hooks("processed/"),
  };
  file.close();
  return result;
}

export function load(name: string, processing?: LoadOptions["processing"]): Promise<Model> {
  return loadModel(folderOf(name), { processing });
}

/** Largest difference, as a share of the largest value of `expected`. */
export function off(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  assertEquals(got.length, expected.length);
  let difference = 0, scale = 0;
  for (let i = 0; i < expected.length; i++) {
    assert(Number.isFinite(got[i]), `value ${i} is ${got[i]}`);
    difference = Math.max(difference, Math.abs(got[i] - expected[i]));
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  assert(scale > 0, "nothing to compare: all expected values are 0");
  return difference / scale;
}

/** log P from logits [… , d_vocab], in double precision. */
export function logProbabilities(logits: ArrayLike<number>, d_vocab: number): Float64Array {
  const result = Float64Array.from(logits);
  for (let at = 0; at < result.length; at += d_vocab) {
    const row = result.subarray(at, at + d_vocab);
    const most = Math.max(...row);
    const total = most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
    row.forEach((x, i) => row[i] = x - total);
  }
  return result;
}
