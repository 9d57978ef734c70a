/**
 * Models of which the truth is known: seeded random weights, and a planted writer with planted cleaners.
 *
 * The residual stream is split by a random orthonormal basis: one axis for each position, an 8-dimensional subspace S that the
 * writer L0H2 writes to from the token, S' that it writes to from the position, and the rest for tokens. Embeddings have one norm
 * and are much larger than all else, so LayerNorm divides by nearly the same number σ everywhere. Planted heads attend to their own
 * position (scores come from the position axes alone). A cleaner reads S and writes -σ times what it read: V·O is -σ times the
 * projection onto S, so that together the cleaners write the writer's opposite. An MLP can do the same exactly, since
 * gelu(x) - gelu(-x) = x. All other heads and MLPs are random and small; they write into S as well.
 */
import type { ModelConfig, Prompts } from "../../../lib/checkpoints/mod.ts";
import { writeSafetensors } from "../../../lib/checkpoints/safetensors_write.ts";
import { stateDictShapes } from "../../../lib/checkpoints/state_dict.ts";
import { Random } from "../../../lib/stats/random.ts";
import { Model } from "../../../lib/transformer/model.ts";
import { NO_STEPS } from "../../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../../lib/transformer/weights.ts";

/** What is planted: a clean pair; six heads that share the work; an MLP; only the positional part is erased; a writer without a cleaner;
 * nothing at all, random weights only. */
export const KINDS = ["pair", "shared", "mlp", "positional", "none", "random"] as const;
export type Kind = typeof KINDS[number];

export const WRITER = "L0H2";
export const CLEANERS: Record<Kind, string[]> = {
  pair: ["L2H3"],
  shared: ["L2H1", "L2H2", "L2H3", "L2H4", "L2H5", "L2H6"],
  mlp: ["MLP2"],
  positional: ["L2H3"],
  none: [],
  random: [],
};

const LENGTH = 16;
const CONFIG: ModelConfig = {
  n_layers: 4,
  n_heads: 8,
  d_model: 64,
  d_head: 16,
  d_mlp: 64,
  n_ctx: LENGTH,
  d_vocab: 64,
  act_fn: "gelu",
  attn_only: false,
  normalization: "LNPre",
  eps: 1e-5,
  default_prepend_bos: false,
};

const RANK = 8;
const [FIRST_POSITION, S, S_POSITION, TOKENS] = [1, 1 + LENGTH, 1 + LENGTH + RANK, 1 + LENGTH + 2 * RANK];
/** Norms: embedding, position, and what the writer makes of the token and of the position. */
const EMBED = 8, POSITION = 3;
const WRITTEN: Record<Kind, { token: number; position: number }> = {
  pair: { token: 3, position: 0 },
  shared: { token: 3, position: 0 },
  mlp: { token: 3, position: 0 },
  none: { token: 3, position: 0 },
  random: { token: 0, position: 0 },
  positional: { token: 1, position: 3 },
};
/** About what random heads and MLPs add to the square of the residual stream's norm before the cleaners. */
const NOISE = 4;

/** `count` orthonormal vectors of `d` numbers; the first is constant, so the others have mean 0. Gram–Schmidt, done twice. */
function basis(random: Random, d: number): Float64Array[] {
  const vectors: Float64Array[] = [];
  for (let i = 0; i < d; i++) {
    const v = Float64Array.from({ length: d }, () => i === 0 ? 1 : random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const u of vectors) {
        const dot = u.reduce((sum, x, k) => sum + x * v[k], 0);
        u.forEach((x, k) => v[k] -= dot * x);
      }
    }
    const norm = Math.hypot(...v);
    vectors.push(v.map((x) => x / norm));
  }
  return vectors;
}

/** The weights as a state dict stores them. `strength`: the part of the writer's output that the cleaners erase together. */
export function plantedWeights(
  kind: Kind,
  seed: number,
  strength = 1,
): Map<string, Float32Array<ArrayBuffer>> {
  const random = new Random(seed * 977 + KINDS.indexOf(kind));
  const { d_model: d, d_head, d_mlp, d_vocab } = CONFIG;
  const axes = basis(random, d);
  const arrays = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, shape] of stateDictShapes(CONFIG)) {
    const size = shape.reduce((a, b) => a * b, 1);
    const sd = /W_[QKV]$|W_in$/.test(name)
      ? 0.125
      : /W_O$/.test(name)
      ? 0.025
      : /W_out$/.test(name)
      ? 0.015
      : /W_U$/.test(name)
      ? 0.2
      : 0;
    arrays.set(name, Float32Array.from({ length: size }, () => sd === 0 ? 0 : sd * random.normal()));
  }
  const set = (name: string, at: number, value: number) => arrays.get(name)![at] = value;

  for (let token = 0; token < d_vocab; token++) {
    const parts = Array.from({ length: d - TOKENS }, () => random.normal());
    const norm = Math.hypot(...parts);
    for (let k = 0; k < d; k++) {
      set(
        "embed.W_E",
        token * d + k,
        EMBED / norm * parts.reduce((sum, x, i) => sum + x * axes[TOKENS + i][k], 0),
      );
    }
  }
  for (let t = 0; t < LENGTH; t++) {
    for (let k = 0; k < d; k++) {
      set("pos_embed.W_pos", t * d + k, POSITION * axes[FIRST_POSITION + t][k]);
    }
  }

  /** Makes a head attend to its own position, and sets W_V and W_O column by column, row by row. */
  const plantHead = (
    layer: number,
    head: number,
    read: (k: number, m: number) => number,
    write: (k: number, m: number) => number,
  ) => {
    for (let k = 0; k < d_head; k++) {
      for (let m = 0; m < d; m++) {
        const attn = `blocks.${layer}.attn`, column = (head * d + m) * d_head + k;
        set(`${attn}.W_Q`, column, 4 * axes[FIRST_POSITION + k][m]);
        set(`${attn}.W_K`, column, 4 * axes[FIRST_POSITION + k][m]);
        set(`${attn}.W_V`, column, read(k, m));
        set(`${attn}.W_O`, (head * d_head + k) * d + m, write(k, m));
      }
    }
  };

  const { token, position } = WRITTEN[kind];
  const sigma0 = Math.hypot(EMBED, POSITION) / Math.sqrt(d);
  const tokenMap = Array.from(
    { length: RANK },
    () => Float64Array.from({ length: d - TOKENS }, () => random.normal()),
  );
  const positionMap = Array.from(
    { length: RANK },
    () => Float64Array.from({ length: LENGTH }, () => random.normal()),
  );
  const tokenSize = token * sigma0 * Math.sqrt((d - TOKENS) / RANK) / EMBED;
  const positionSize = position * sigma0 / Math.sqrt(RANK) / POSITION;
  if (kind === "random") return arrays;
  plantHead(
    0,
    2,
    (k, m) =>
      k < RANK
        ? tokenSize / Math.sqrt(d - TOKENS) * tokenMap[k].reduce((s, x, i) => s + x * axes[TOKENS + i][m], 0)
        : positionSize * positionMap[k - RANK].reduce((s, x, i) => s + x * axes[FIRST_POSITION + i][m], 0),
    (k, m) => axes[k < RANK ? S + k : S_POSITION + k - RANK][m],
  );

  const sigma = Math.sqrt(EMBED ** 2 + POSITION ** 2 + token ** 2 + position ** 2 + NOISE) / Math.sqrt(d);
  const from = kind === "positional" ? S_POSITION : S;
  for (const name of CLEANERS[kind]) {
    if (name === "MLP2") {
      for (let k = 0; k < 2 * RANK; k++) {
        const sign = k < RANK ? 1 : -1;
        for (let m = 0; m < d; m++) {
          set("blocks.2.mlp.W_in", m * d_mlp + k, sign * axes[S + k % RANK][m]);
          set("blocks.2.mlp.W_out", k * d + m, -sign * strength * sigma * axes[S + k % RANK][m]);
        }
      }
      continue;
    }
    const part = strength * sigma / CLEANERS[kind].length;
    plantHead(
      2,
      Number(name.at(-1)),
      (k, m) => k < RANK ? axes[from + k][m] : 0,
      (k, m) => k < RANK ? -part * axes[from + k][m] : 0,
    );
  }

  return arrays;
}

export function plantedModel(kind: Kind, seed: number, strength = 1): Model {
  const arrays = plantedWeights(kind, seed, strength);
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(CONFIG)) {
    weights.set(name, weight(name, arrays.get(name)!, shape));
  }
  return new Model({ name: `planted ${kind} ${seed}`, config: CONFIG, weights, processing: NO_STEPS });
}

/** Writes the model as a folder: config.json and model.safetensors. */
export async function writePlanted(folder: string, kind: Kind, seed: number): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(CONFIG));
  const arrays = plantedWeights(kind, seed);
  const tensors = [...stateDictShapes(CONFIG)].map(([name, dims]) =>
    [name, { dtype: "F32" as const, dims, data: arrays.get(name)! }] as const
  );
  await writeSafetensors(`${folder}/model.safetensors`, Object.fromEntries(tensors));
}

export function plantedPrompts(seed: number, count = 48): Prompts {
  const random = new Random(seed * 31 + 5);
  const tokens = Int32Array.from({ length: count * LENGTH }, () => random.below(CONFIG.d_vocab));
  return { tokens, count, length: LENGTH, source: `${count} random prompts, seed ${seed}` };
}
