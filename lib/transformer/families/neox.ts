/**
 * GPT-NeoX and Pythia: rotary on a part of each head, LayerNorm, untied embeddings; attention and MLP in
 * parallel unless "use_parallel_residual" is false. Matrices are stored [out, in]; q, k and v of a head lie
 * together, head after head.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { Family } from "./layout.ts";
import { rotary } from "./rotary.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { groupedRows, sourcesOf, type Stored } from "./stored.ts";

export const neox: Family = {
  name: "GPT-NeoX, Pythia",
  modelType: "gpt_neox",
  architectures: ["GPTNeoXForCausalLM", "GPTNeoXModel"],
  prefix: "gpt_neox.",
  ignored: /layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$|^v_head\./,
  read(values) {
    const [n_heads, d_model] = [values.size("num_attention_heads"), values.size("hidden_size")];
    const d_head = headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]);
    const W_U = unembedding(values, false, "embed_in.weight", "embed_out.weight");
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
      ...rotary(values, d_head, { base: "rotary_emb_base", part: "rotary_pct" }, { part: 0.25 }),
      parallel_attn_mlp: values.flag("use_parallel_residual", true),
      ...W_U.config,
    };
    const biased = values.flag("attention_bias", true);
    const stored: Stored = {
      embed: "embed_in",
      finalNorm: "final_layer_norm",
      layers: "layers",
      norms: { ln1: "input_layernorm", ln2: "post_attention_layernorm" },
      normBias: true,
      qkv: (x) => ({ from: "attention.query_key_value", ...groupedRows(config, x) }),
      attentionBias: biased ? "QKVO" : "",
      W_O: "attention.dense",
      W_in: { from: "mlp.dense_h_to_4h" },
      W_out: "mlp.dense_4h_to_h",
      mlpBias: true,
    };
    return {
      config,
      sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]),
    };
  },
};
