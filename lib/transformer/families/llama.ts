/**
 * Llama (also SmolLM, SmolLM2, TinyLlama), Mistral, Qwen2 (also Qwen1.5, Qwen2.5) and Qwen3: RMSNorm, rotary,
 * grouped-query attention, gated MLP; no biases, but on q, k and v in Qwen2; norms of q and k in Qwen3.
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family } from "./layout.ts";
import { ignored, llamaLike } from "./llama_like.ts";

export const llama: Family = {
  name: "Llama, SmolLM",
  modelType: "llama",
  architectures: ["LlamaForCausalLM", "LlamaModel"],
  prefix: "model.",
  ignored,
  read: (values) => llamaLike(values, { stored: biases(values) }),
};

export const mistral: Family = {
  name: "Mistral",
  modelType: "mistral",
  architectures: ["MistralForCausalLM", "MistralModel"],
  prefix: "model.",
  ignored,
  read: (values) => llamaLike(values, { sliding: () => values.has("sliding_window") }),
};

export const qwen2: Family = {
  name: "Qwen2",
  modelType: "qwen2",
  architectures: ["Qwen2ForCausalLM", "Qwen2Model"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      stored: { attentionBias: "QKV" },
      sliding: qwenWindow(values),
      prependBos: false, // trained without one
    }),
};

export const qwen3: Family = {
  name: "Qwen3",
  modelType: "qwen3",
  architectures: ["Qwen3ForCausalLM", "Qwen3Model"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      d_head: 128,
      stored: biases(values),
      sliding: qwenWindow(values),
      prependBos: false,
      config: { qk_norm: "head" },
    }),
};

/**
 * "attention_bias" is of q, k, v and o, "mlp_bias" of all three matrices of the MLP; neither where
 * config.json does not say.
 */
export function biases(values: ConfigValues): { attentionBias: string; mlpBias: boolean } {
  return {
    attentionBias: values.flag("attention_bias", false) ? "QKVO" : "",
    mlpBias: values.flag("mlp_bias", false),
  };
}

/** Layers from "max_window_layers" on see a window, where it is used at all. */
function qwenWindow(values: ConfigValues): (layer: number) => boolean {
  const use = values.flag("use_sliding_window", false);
  const first = use && !values.has("layer_types") ? values.size("max_window_layers") : 0;
  return (layer) => use && layer >= first;
}
