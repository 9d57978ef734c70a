/**
 * gelu-4l's dimensions, and prompts of random ids: what a benchmark says of the model without loading the
 * runtime.
 */
import type { Cleanup, ModelConfig } from "../../lib/checkpoints/mod.ts";

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

export const CLEANUP: Cleanup = {
  writer: "L0H2",
  cleaners: ["L2H2", "L2H3", "L2H4", "L2H5", "L2H6", "L2H7"],
  patchedLayers: [2],
  source: "named as in gelu-4l; random weights clean up nothing",
};

export function randomPrompts(config: ModelConfig, count: number, length: number) {
  let state = 7;
  const tokens = Int32Array.from({ length: count * length }, () => {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    return (state >>> 8) % config.d_vocab;
  });
  return { tokens, count, length, source: "seeded random ids" };
}
