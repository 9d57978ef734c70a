/**
 * Falcon: 7b (one k and v for all heads; one norm for attention and MLP in parallel), 40b and later
 * ("new_decoder_architecture": grouped heads, a norm for each), and rw (ALiBi, attention and MLP one after
 * the other). Falcon3 is Llama. Source: transformers, models/falcon.
 */
import type { ModelConfig } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import { alibiSlopes } from "./alibi.ts";
import type { Family } from "./layout.ts";
import { rotary } from "./rotary.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { groupedRows, sourcesOf, type Stored } from "./stored.ts";

export const falcon: Family = {
  name: "Falcon",
  modelType: "falcon",
  architectures: ["FalconForCausalLM", "FalconModel"],
  prefix: "transformer.",
  ignored: /rotary_emb\.inv_freq$|^v_head\./,
  read(values) {
    values.only("apply_residual_connection_post_layernorm", false);
    const [n_heads, d_model] = [
      values.size("num_attention_heads"),
      values.size(values.has("n_embed") ? "n_embed" : "hidden_size"),
    ];
    const d_head = headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]);
    const grouped = values.flag("new_decoder_architecture", false);
    const one = !grouped && values.flag("multi_query", true);
    const parallel = values.flag("parallel_attn", true);
    if (grouped && !parallel) {
      values.refuse(`"new_decoder_architecture" with "parallel_attn" false is not supported.`);
    }
    const alibi = values.flag("alibi", false);
    if (alibi && (grouped || one)) values.refuse(`"alibi" with heads that share keys is not supported.`);
    const W_U = unembedding(values, true, "word_embeddings.weight", "lm_head.weight");
    const config: ModelConfig = {
      n_layers: values.size("num_hidden_layers", mostLayers),
      n_heads,
      n_key_value_heads: one ? 1 : grouped ? values.size("num_kv_heads", { fallback: n_heads }) : n_heads,
      d_model,
      d_head,
      d_mlp: values.size("ffn_hidden_size", { fallback: 4 * d_model }),
      n_ctx: values.size("max_position_embeddings", { fallback: 2048 }),
      d_vocab: values.size("vocab_size"),
      act_fn: activation(values, "activation", "gelu"),
      attn_only: false,
      normalization: "LN",
      eps: values.epsilon("layer_norm_epsilon", 1e-5),
      default_prepend_bos: false, // its tokenizer puts none
      ...(alibi
        ? {
          positional_embedding_type: "alibi" as const,
          alibi_slopes: alibiSlopes(n_heads),
          alibi_before_scale_in_bfloat16: true,
        }
        : rotary(values, d_head)),
      parallel_attn_mlp: parallel,
      ...W_U.config,
    };
    const biased = values.flag("bias", false);
    const stored: Stored = {
      embed: "word_embeddings",
      finalNorm: "ln_f",
      layers: "h",
      norms: norms(values, { grouped, parallel }),
      normBias: true,
      qkv: (x) => ({ from: "self_attention.query_key_value", ...groupedRows(config, x) }),
      attentionBias: biased ? "QKVO" : "",
      W_O: "self_attention.dense",
      W_in: { from: "mlp.dense_h_to_4h" },
      W_out: "mlp.dense_4h_to_h",
      mlpBias: biased,
    };
    return {
      config,
      sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]),
    };
  },
};

/** One norm or two: "num_ln_in_parallel_attn" says so in the newer kind, whose default is two. */
function norms(values: ConfigValues, kind: { grouped: boolean; parallel: boolean }): Record<string, string> {
  if (!kind.parallel) return { ln1: "input_layernorm", ln2: "post_attention_layernorm" };
  const count = values.size("num_ln_in_parallel_attn", { fallback: kind.grouped ? 2 : 1, most: 2 });
  if (!kind.grouped && count === 2) {
    values.refuse(`"num_ln_in_parallel_attn" 2 needs "new_decoder_architecture".`);
  }
  return count === 2 ? { ln1: "ln_attn", ln2: "ln_mlp" } : { ln1: "input_layernorm", ln2: "input_layernorm" };
}
