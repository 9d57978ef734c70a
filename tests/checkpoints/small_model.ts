/**
 * Small random models for tests: a state dict of the right names and shapes, and a model folder on disk that
 * holds it.
 */
import { type ModelConfig, parseModelConfig } from "../../lib/checkpoints/config.ts";
import type { RawTensor } from "../../lib/checkpoints/dtypes.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { randomNormal, randomSource } from "../reference/random.ts";

/** config.json of a model of 2 layers with 3 heads; `d_head` × heads (12) is not d_model (10) on purpose. */
export const smallConfigJson = {
  d_model: 10,
  n_layers: 2,
  d_mlp: 14,
  d_head: 4,
  n_heads: 3,
  n_ctx: 9,
  d_vocab: 17,
  act_fn: "gelu",
  attn_only: false,
  normalization: "LN",
  eps: 1e-5,
  tokenizer_name: "somebody/tokenizer",
};

export interface SmallModel {
  config: ModelConfig;
  json: Record<string, unknown>;
  tensors: Record<string, RawTensor>;
}

/** Seeded random weights; LayerNorm weights near 1. */
export function smallModel(seed: number, changes: Record<string, unknown> = {}): SmallModel {
  const json = { ...smallConfigJson, ...changes };
  const config = parseModelConfig(json);
  const random = randomSource(seed);
  const tensors: Record<string, RawTensor> = {};
  for (const [name, dims] of stateDictShapes(config)) {
    const data = randomNormal(random, dims.reduce((a, b) => a * b, 1), 0.3);
    if (/ln\w*\.w$/.test(name)) data.forEach((x, i) => data[i] = 1 + x);
    tensors[name] = { dims, dtype: "F32", data };
  }
  return { config, json, tensors };
}

/** Writes config.json and model.safetensors into `folder`. */
export async function writeModelFolder(folder: string, model: SmallModel): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(model.json));
  await writeSafetensors(`${folder}/model.safetensors`, model.tensors);
}

/** Runs `body` with a fresh temporary folder, which is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
