/**
 * Llama (also SmolLM, SmolLM2, TinyLlama), Mistral and Qwen2 (also Qwen1.5, Qwen2.5): RMSNorm, rotary, grouped-query attention, gated
 * MLP; no biases, but on q, k and v in Qwen2. Matrices are stored [out, in].
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { keyValueDim } from "../../checkpoints/blocks.ts";
import type { Family, Layout, Source } from "./layout.ts";
import { activation, headSize, mostLayers, rotary, slidingWindow, unembedding } from "./settings.ts";

const ignored = /^(model\.)?layers\.\d+\.self_attn\.rotary_emb\.inv_freq$|^lm_head\.weight$/;

export const llama: Family = {
  name: "Llama, SmolLM",
  modelType: "llama",
  architectures: ["LlamaForCausalLM"],
  prefix: "model.",
  ignored,
  read: (values) =>
    layout(values, {
      sliding: () => false,
      attentionBias: values.flag("attention_bias", false) ? ["Q", "K", "V", "O"] : [],
      mlpBias: values.flag("mlp_bias", false),
      prependBos: true,
    }),
};

export const mistral: Family = {
  name: "Mistral",
  modelType: "mistral",
  architectures: ["MistralForCausalLM"],
  prefix: "model.",
  ignored,
  read: (values) =>
    layout(values, {
      sliding: () => values.has("sliding_window"),
      attentionBias: [],
      mlpBias: false,
      prependBos: true,
    }),
};

export const qwen2: Family = {
  name: "Qwen2",
  modelType: "qwen2",
  architectures: ["Qwen2ForCausalLM"],
  prefix: "model.",
  ignored,
  read(values) {
    const use = values.flag("use_sliding_window", false);
    const first = use && !values.has("layer_types") ? values.size("max_window_layers") : 0;
    return layout(values, {
      sliding: (layer) => use && layer >= first,
      attentionBias: ["Q", "K", "V"],
      mlpBias: false,
      prependBos: false, // trained without one
    });
  },
};

interface Kind {
  sliding(layer: number): boolean;
  attentionBias: readonly string[];
  mlpBias: boolean;
  prependBos: boolean;
}

function layout(values: ConfigValues, kind: Kind): Layout {
  const [n_heads, d_model] = [values.size("num_attention_heads"), values.size("hidden_size")];
  const d_head = values.has("head_dim")
    ? values.size("head_dim")
    : headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]);
  const n_key_value_heads = values.size("num_key_value_heads", { fallback: n_heads });
  if (n_heads % n_key_value_heads !== 0) {
    values.refuse(
      `"num_attention_heads" ${n_heads} is not a multiple of "num_key_value_heads" ${n_key_value_heads}.`,
    );
  }
  const n_layers = values.size("num_hidden_layers", mostLayers);
  const n_ctx = values.size("max_position_embeddings", { fallback: 2048 });
  const config: ModelConfig = {
    n_layers,
    n_heads,
    n_key_value_heads,
    d_model,
    d_head,
    d_mlp: values.size("intermediate_size"),
    n_ctx,
    d_vocab: values.size("vocab_size"),
    act_fn: activation(values, "hidden_act", "silu"),
    attn_only: false,
    normalization: "RMS",
    eps: values.epsilon("rms_norm_eps", 1e-6),
    default_prepend_bos: kind.prependBos,
    ...rotary(values, d_head, { base: "rope_theta", part: "partial_rotary_factor" }),
    ...slidingWindow(values, { n_layers, n_ctx }, kind.sliding),
    gated_mlp: true,
  };
  const W_U = unembedding(values, false, "embed_tokens.weight", "lm_head.weight");
  return { config, sources: (p) => sources(config, p, W_U(p), kind) };
}

function sources(config: ModelConfig, p: string, W_U: Source, kind: Kind): Map<string, Source> {
  const found = new Map<string, Source>([
    ["embed.W_E", { from: `${p}embed_tokens.weight`, axes: "d_vocab d_model" }],
    ["ln_final.w", { from: `${p}norm.weight`, axes: "d_model" }],
    ["unembed.W_U", W_U],
  ]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const put = (name: string, from: string, axes: string) =>
      found.set(`blocks.${layer}.${name}`, { from: `${p}layers.${layer}.${from}`, axes });
    put("ln1.w", "input_layernorm.weight", "d_model");
    put("ln2.w", "post_attention_layernorm.weight", "d_model");
    for (const x of "QKV") {
      const heads = x === "Q" ? "head" : keyValueDim(config);
      const from = `self_attn.${x.toLowerCase()}_proj`;
      put(`attn.W_${x}`, `${from}.weight`, `(${heads} d_head) d_model`);
      if (kind.attentionBias.includes(x)) put(`attn.b_${x}`, `${from}.bias`, `(${heads} d_head)`);
    }
    put("attn.W_O", "self_attn.o_proj.weight", "d_model (head d_head)");
    if (kind.attentionBias.includes("O")) put("attn.b_O", "self_attn.o_proj.bias", "d_model");
    for (const [x, from] of [["gate", "gate_proj"], ["in", "up_proj"]]) {
      put(`mlp.W_${x}`, `mlp.${from}.weight`, "d_mlp d_model");
      if (kind.mlpBias) put(`mlp.b_${x}`, `mlp.${from}.bias`, "d_mlp");
    }
    put("mlp.W_out", "mlp.down_proj.weight", "d_model d_mlp");
    if (kind.mlpBias) put("mlp.b_out", "mlp.down_proj.bias", "d_model");
  }
  return found;
}
