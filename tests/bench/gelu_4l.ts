/** A model with gelu-4l's dimensions and seeded random weights: what a benchmark needs, without a download. */
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { Model } from "../../lib/transformer/model.ts";
import { NO_STEPS } from "../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../lib/transformer/weights.ts";

export const GELU_4L: ModelConfig = {
  n_layers: 4,
  n_heads: 8,
  d_model: 512,
  d_head: 64,
  d_mlp: 2048,
  n_ctx: 1024,
  d_vocab: 48262,
  act_fn: "gelu",
  attn_only: false,
  normalization: "LNPre",
  eps: 1e-5,
  default_prepend_bos: true,
};

/** Uniform in ±0.035 (the standard deviation of GPT-2's initialisation), by a multiplicative congruential generator. */
export function randomWeights(config: ModelConfig, seed = 1): Weights {
  let state = seed;
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(config)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      data[i] = state / 2 ** 31 * 0.035;
    }
    weights.set(name, weight(name, data, shape));
  }
  return weights;
}

export function randomModel(config: ModelConfig, name = "random weights"): Model {
  const cleanup = {
    writer: "L0H2",
    cleaners: ["L2H2", "L2H3", "L2H4", "L2H5", "L2H6", "L2H7"],
    patchedLayers: [2],
    source: "named as in gelu-4l; random weights clean up nothing",
  };
  return new Model({ name, config, weights: randomWeights(config), processing: NO_STEPS, cleanup });
}

export function randomPrompts(config: ModelConfig, count: number, length: number) {
  let state = 7;
  const tokens = Int32Array.from({ length: count * length }, () => {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    return (state >>> 8) % config.d_vocab;
  });
  return { tokens, count, length, source: "seeded random ids" };
}
