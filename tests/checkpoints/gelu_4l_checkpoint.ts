/**
 * A checkpoint with gelu-4l's exact names, shapes, types and buffers, and seeded random weights: 62,555,136
 * parameters, 250 MB, in PyTorch's format. It stands for the post's model wherever size and format matter and
 * the values do not.
 */
import { parseModelConfig } from "../../lib/checkpoints/config.ts";
import { elementCount } from "../../lib/checkpoints/dtypes.ts";
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { type TorchEntry, writeTorch } from "./write_torch.ts";

/** The keys of gelu-4l's config.json that are read. */
export const gelu4lConfigJson = {
  d_model: 512,
  n_layers: 4,
  d_mlp: 2048,
  d_head: 64,
  n_heads: 8,
  n_ctx: 1024,
  d_vocab: 48262,
  tokenizer_name: "NeelNanda/gpt-neox-tokenizer-digits",
  act_fn: "gelu",
  attn_only: false,
  normalization: "LN",
  shortformer_pos: false,
};

export const gelu4lParameters = 62_555_136;

/**
 * One tensor: uniform numbers of standard deviation `sd` around `mean` (xorshift32, quick enough for 62
 * million).
 */
function uniform(length: number, seed: number, sd: number, mean = 0): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  const scale = sd * Math.sqrt(12) / 2 ** 32;
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = mean + ((state >>> 0) - 2 ** 31) * scale;
  }
  return values;
}

/**
 * The weights of one name, the same each time. LayerNorm weights lie around 1, biases around 0, matrices as
 * wide as they are deep.
 */
export function gelu4lWeights(
  name: string,
  dims: readonly number[],
  seed: number,
): Float32Array<ArrayBuffer> {
  let hash = seed + 1;
  for (const char of name) hash = Math.imul(hash, 31) + char.charCodeAt(0) | 0;
  const isScale = /ln\w*\.w$/.test(name);
  const sd = dims.length === 1 || isScale
    ? 0.1
    : name.startsWith("embed") || name.startsWith("pos")
    ? 0.3
    : 0.04;
  return uniform(elementCount(dims), hash, sd, isScale ? 1 : 0);
}

/**
 * Writes `config.json` and `model_final.pth`, one tensor in memory at a time. `b_U` is left out, as its
 * parameter count says.
 */
export async function writeGelu4l(folder: string, seed = 0): Promise<void> {
  const config = parseModelConfig(gelu4lConfigJson);
  const entries: Record<string, TorchEntry> = {};
  for (const [name, dims] of stateDictShapes(config)) {
    if (name === "unembed.b_U") continue;
    entries[name] = { dtype: "F32", dims, data: () => gelu4lWeights(name, dims, seed) };
    const block = /^(blocks\.\d+\.attn)\.b_O$/.exec(name)?.[1];
    if (block === undefined) continue;
    const { n_ctx } = config;
    const mask = () =>
      Uint8Array.from({ length: n_ctx ** 2 }, (_, i) => i % n_ctx <= Math.floor(i / n_ctx) ? 1 : 0);
    entries[`${block}.mask`] = { dtype: "BOOL", dims: [n_ctx, n_ctx], data: mask };
    entries[`${block}.IGNORE`] = { dtype: "F32", dims: [], data: new Float32Array([-1e5]) };
  }
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(gelu4lConfigJson));
  await writeTorch(`${folder}/model_final.pth`, entries);
}
