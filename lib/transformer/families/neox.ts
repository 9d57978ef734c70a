/**
 * GPT-NeoX and Pythia: rotary on a part of each head, LayerNorm, untied embeddings; attention and MLP in parallel unless
 * "use_parallel_residual" is false. Matrices are stored [out, in]; q, k and v of a head lie together, head after head.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { Family, Source } from "./layout.ts";
import { activation, headSize, mostLayers, rotary, unembedding } from "./settings.ts";

export const neox: Family = {
  name: "GPT-NeoX, Pythia",
  modelType: "gpt_neox",
  architectures: ["GPTNeoXForCausalLM"],
  prefix: "gpt_neox.",
  ignored: /layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$|^embed_out\.weight$/,
  read(values) {
    const [n_heads, d_model] = [values.size("num_attention_heads"), values.size("hidden_size")];
    const d_head = headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]);
    const config: ModelConfig = {
      n_layers: values.size("num_hidden_layers", mostLayers),
      n_heads,
      d_model,
      d_head,
      d_mlp: values.size("intermediate_size"),
      n_ctx: values.size("max_position_embeddings", { fallback: 2048 }),
      d_vocab: values.size("vocab_size"),
      act_fn: activation(values, "hidden_act", "gelu"),
      attn_only: false,
      normalization: "LN",
      eps: values.epsilon("layer_norm_eps", 1e-5),
      default_prepend_bos: true, // <|endoftext|>, as TransformerLens does
      ...rotary(values, d_head, { base: "rotary_emb_base", part: "rotary_pct" }, 0.25),
      parallel_attn_mlp: values.flag("use_parallel_residual", true),
    };
    const biased = values.flag("attention_bias", true);
    const W_U = unembedding(values, false, "embed_in.weight", "embed_out.weight");
    return { config, sources: (p) => sources(config, p, W_U(p), biased) };
  },
};

function sources(config: ModelConfig, p: string, W_U: Source, biased: boolean): Map<string, Source> {
  const found = new Map<string, Source>([
    ["embed.W_E", { from: `${p}embed_in.weight`, axes: "d_vocab d_model" }],
    ["ln_final.w", { from: `${p}final_layer_norm.weight`, axes: "d_model" }],
    ["ln_final.b", { from: `${p}final_layer_norm.bias`, axes: "d_model" }],
    ["unembed.W_U", W_U],
  ]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const put = (name: string, from: string, axes: string, part?: Source["part"]) =>
      found.set(`blocks.${layer}.${name}`, { from: `${p}layers.${layer}.${from}`, axes, part });
    for (const [ln, from] of [["ln1", "input_layernorm"], ["ln2", "post_attention_layernorm"]]) {
      put(`${ln}.w`, `${from}.weight`, "d_model");
      put(`${ln}.b`, `${from}.bias`, "d_model");
    }
    for (const part of [0, 1, 2] as const) {
      put(`attn.W_${"QKV"[part]}`, "attention.query_key_value.weight", "(head part d_head) d_model", part);
      if (biased) put(`attn.b_${"QKV"[part]}`, "attention.query_key_value.bias", "(head part d_head)", part);
    }
    put("attn.W_O", "attention.dense.weight", "d_model (head d_head)");
    if (biased) put("attn.b_O", "attention.dense.bias", "d_model");
    put("mlp.W_in", "mlp.dense_h_to_4h.weight", "d_mlp d_model");
    put("mlp.b_in", "mlp.dense_h_to_4h.bias", "d_mlp");
    put("mlp.W_out", "mlp.dense_4h_to_h.weight", "d_model d_mlp");
    put("mlp.b_out", "mlp.dense_4h_to_h.bias", "d_model");
  }
  return found;
}
