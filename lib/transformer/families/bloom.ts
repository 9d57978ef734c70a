/**
 * BLOOM: ALiBi in place of positions, the embedding normalised, LayerNorm, biases, q, k and v of a head
 * together. Embeddings are tied. Source: transformers, models/bloom.
 */
import type { ModelConfig } from "../../checkpoints/config.ts";
import { alibiSlopes } from "./alibi.ts";
import type { Family } from "./layout.ts";
import { headSize, mostLayers, unembedding } from "./settings.ts";
import { groupedRows, sourcesOf, type Stored } from "./stored.ts";

export const bloom: Family = {
  name: "BLOOM",
  modelType: "bloom",
  architectures: ["BloomForCausalLM", "BloomModel"],
  prefix: "transformer.",
  ignored: /^v_head\./,
  read(values) {
    values.only("apply_residual_connection_post_layernorm", false);
    // Files of 2022 and newer ones call the same things otherwise.
    const [heads, width, layers] = [["n_head", "num_attention_heads"], ["n_embed", "hidden_size"], [
      "n_layer",
      "num_hidden_layers",
    ]].map(([key, other]) => values.has(key) ? key : other);
    const [n_heads, d_model] = [values.size(heads), values.size(width)];
    const W_U = unembedding(values, true, "word_embeddings.weight", "lm_head.weight");
    const config: ModelConfig = {
      n_layers: values.size(layers, mostLayers),
      n_heads,
      d_model,
      d_head: headSize(values, [width, d_model], [heads, n_heads]),
      d_mlp: 4 * d_model,
      n_ctx: values.size("seq_length", { fallback: 2048 }),
      d_vocab: values.size("vocab_size"),
      act_fn: "gelu_new",
      attn_only: false,
      normalization: "LN",
      eps: values.epsilon("layer_norm_epsilon", 1e-5),
      default_prepend_bos: false, // its tokenizer puts none
      positional_embedding_type: "alibi",
      alibi_slopes: alibiSlopes(n_heads),
      post_embedding_ln: true,
      ...W_U.config,
    };
    const stored: Stored = {
      embed: "word_embeddings",
      embedNorm: "word_embeddings_layernorm",
      finalNorm: "ln_f",
      layers: "h",
      norms: { ln1: "input_layernorm", ln2: "post_attention_layernorm" },
      normBias: true,
      qkv: (x) => ({ from: "self_attention.query_key_value", ...groupedRows(config, x) }),
      attentionBias: "QKVO",
      W_O: "self_attention.dense",
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
