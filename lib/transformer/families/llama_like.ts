/**
 * The layout that most families share with Llama: "model.layers.N.self_attn.q_proj.weight", matrices stored
 * [out, in], rotary positions, grouped-query attention. What differs is a {@linkcode Kind}; what a kind
 * leaves out is as in Llama.
 */
import type { Activation, ModelConfig } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Layout } from "./layout.ts";
import { type Rotary, rotary, turnedLength } from "./rotary.ts";
import { activation, headSize, mostLayers, slidingWindow, unembedding } from "./settings.ts";
import { sourcesOf, type Stored } from "./stored.ts";

export interface Kind {
  act_fn?: Activation;
  eps?: number;
  /** Size of a head where "head_dim" does not say. Default: d_model / n_heads. */
  d_head?: number;
  /** Default: all of a head, with the base "rope_theta". */
  rotary?(d_head: number): Rotary;
  /** Which layers see the last positions alone, where config.json has no "layer_types". */
  sliding?(layer: number): boolean;
  /** Whether "tie_word_embeddings" is true where config.json does not say. */
  tied?: boolean;
  /** Default: true. */
  prependBos?: boolean;
  /** More of the configuration: kinds and places of norms, soft caps … */
  config?: Partial<ModelConfig>;
  /** Names that are not Llama's. */
  stored?: Partial<Stored> | ((config: ModelConfig) => Partial<Stored>);
  /** The unembedding: its names, whether it has a bias, a factor. */
  head?: { names?: readonly string[]; bias?: boolean; scale?: number };
}

const llamaNames: Stored = {
  embed: "embed_tokens",
  finalNorm: "norm",
  layers: "layers",
  norms: { ln1: "input_layernorm", ln2: "post_attention_layernorm" },
  qkv: (x) => ({ from: `self_attn.${x.toLowerCase()}_proj` }),
  qkNorm: (x) => `self_attn.${x}_norm`,
  W_O: "self_attn.o_proj",
  W_gate: { from: "mlp.gate_proj" },
  W_in: { from: "mlp.up_proj" },
  W_out: "mlp.down_proj",
};

/**
 * Tensors of files that no forward pass reads: buffers of older versions, the value head of a reward model.
 */
export const ignored = /rotary_emb\.inv_freq$|^v_head\./;

export function llamaLike(values: ConfigValues, kind: Kind = {}): Layout {
  const [n_heads, d_model] = [values.size("num_attention_heads"), values.size("hidden_size")];
  const d_head = values.has("head_dim")
    ? values.size("head_dim")
    : kind.d_head ?? headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]);
  const n_key_value_heads = values.size("num_key_value_heads", { fallback: n_heads });
  if (n_heads % n_key_value_heads !== 0) {
    values.refuse(
      `"num_attention_heads" ${n_heads} is not a multiple of "num_key_value_heads" ${n_key_value_heads}.`,
    );
  }
  const n_layers = values.size("num_hidden_layers", mostLayers);
  const turned = kind.rotary?.(d_head) ?? rotary(values, d_head);
  const n_ctx = turnedLength(values.size("max_position_embeddings", { fallback: 2048 }), turned);
  const { names = ["lm_head.weight"], ...head } = kind.head ?? {};
  const W_U = unembedding(values, kind.tied ?? false, "embed_tokens.weight", names, head);
  const config: ModelConfig = {
    n_layers,
    n_heads,
    n_key_value_heads,
    d_model,
    d_head,
    d_mlp: values.size("intermediate_size"),
    n_ctx,
    d_vocab: values.size("vocab_size"),
    act_fn: kind.act_fn ?? activation(values, "hidden_act", "silu"),
    attn_only: false,
    normalization: "RMS",
    eps: kind.eps ?? values.epsilon("rms_norm_eps", 1e-6),
    default_prepend_bos: kind.prependBos ?? true,
    ...turned,
    ...slidingWindow(values, { n_layers, n_ctx }, kind.sliding ?? (() => false)),
    gated_mlp: true,
    ...W_U.config,
    ...kind.config,
  };
  const own = typeof kind.stored === "function" ? kind.stored(config) : kind.stored;
  const stored: Stored = { ...llamaNames, ...own };
  if (!config.gated_mlp) delete stored.W_gate;
  return { config, sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]) };
}
