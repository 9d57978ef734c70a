/**
 * GPT-2: learned positions, LayerNorm, tied embeddings. Matrices are stored [in, out] (Conv1D), q, k and v in one. The first files on
 * the hub have no "transformer." before the names, and causal masks among the tensors.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { Family, Source } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";

export const gpt2: Family = {
  name: "GPT-2",
  modelType: "gpt2",
  architectures: ["GPT2LMHeadModel", "GPT2Model"],
  prefix: "transformer.",
  ignored: /^(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)$|^lm_head\.weight$/,
  read(values) {
    values.only("add_cross_attention", false);
    const [n_heads, d_model] = [values.size("n_head"), values.size("n_embd")];
    const d_head = headSize(values, ["n_embd", d_model], ["n_head", n_heads]);
    const config: ModelConfig = {
      n_layers: values.size("n_layer", mostLayers),
      n_heads,
      d_model,
      d_head,
      d_mlp: values.size("n_inner", { fallback: 4 * d_model }),
      n_ctx: values.size("n_positions", { fallback: values.has("n_ctx") ? values.size("n_ctx") : 1024 }),
      d_vocab: values.size("vocab_size"),
      act_fn: activation(values, "activation_function", "gelu_new"),
      attn_only: false,
      normalization: "LN",
      eps: values.epsilon("layer_norm_epsilon", 1e-5),
      default_prepend_bos: true, // <|endoftext|>, as TransformerLens does; it stood between the texts in training
      attn_scale: values.flag("scale_attn_weights", true) ? Math.sqrt(d_head) : 1,
      scale_attn_by_inverse_layer_idx: values.flag("scale_attn_by_inverse_layer_idx", false),
    };
    const W_U = unembedding(values, true, "wte.weight", "lm_head.weight");
    return { config, sources: (p) => sources(config, p, W_U(p)) };
  },
};

function sources(config: ModelConfig, p: string, W_U: Source): Map<string, Source> {
  const found = new Map<string, Source>([
    ["embed.W_E", { from: `${p}wte.weight`, axes: "d_vocab d_model" }],
    ["pos_embed.W_pos", { from: `${p}wpe.weight`, axes: "pos d_model" }],
    ["ln_final.w", { from: `${p}ln_f.weight`, axes: "d_model" }],
    ["ln_final.b", { from: `${p}ln_f.bias`, axes: "d_model" }],
    ["unembed.W_U", W_U],
  ]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const put = (name: string, from: string, axes: string, part?: Source["part"]) =>
      found.set(`blocks.${layer}.${name}`, { from: `${p}h.${layer}.${from}`, axes, part });
    for (const i of [1, 2]) {
      put(`ln${i}.w`, `ln_${i}.weight`, "d_model");
      put(`ln${i}.b`, `ln_${i}.bias`, "d_model");
    }
    for (const part of [0, 1, 2] as const) {
      put(`attn.W_${"QKV"[part]}`, "attn.c_attn.weight", "d_model (part head d_head)", part);
      put(`attn.b_${"QKV"[part]}`, "attn.c_attn.bias", "(part head d_head)", part);
    }
    put("attn.W_O", "attn.c_proj.weight", "(head d_head) d_model");
    put("attn.b_O", "attn.c_proj.bias", "d_model");
    put("mlp.W_in", "mlp.c_fc.weight", "d_model d_mlp");
    put("mlp.b_in", "mlp.c_fc.bias", "d_mlp");
    put("mlp.W_out", "mlp.c_proj.weight", "d_mlp d_model");
    put("mlp.b_out", "mlp.c_proj.bias", "d_model");
  }
  return found;
}
