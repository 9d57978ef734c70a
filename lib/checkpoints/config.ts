/**
 * ModelConfig: all that the forward pass needs to know of a model; and config.json of the TransformerLens toy
 * models (gelu-4l's kind) → ModelConfig. The Hugging Face families are read by lib/transformer/families.
 *
 * Keys read: d_model, n_layers, n_heads, d_head, d_mlp, n_ctx, d_vocab, act_fn, attn_only, normalization or
 * normalization_type, eps, tokenizer_name, default_prepend_bos, d_vocab_out, shortformer_pos. Other keys
 * (learning rate, seed …) are training records and are passed over, except those that would change the
 * forward pass: these are refused by name.
 */

import { ConfigValues } from "./config_values.ts";
import { quoted } from "./quoted.ts";

/**
 * "Pre": without learned weights of its own (they were folded into the next matrices). "none": nothing is
 * normalised.
 */
export type Normalization = "LN" | "LNPre" | "RMS" | "RMSPre" | "none";
/** "gelu" is the exact erf form, "gelu_new" the tanh form, "relu2" max(x, 0)². */
export type Activation = "gelu" | "gelu_new" | "relu" | "relu2" | "silu";

/** Sizes and settings of a model, by TransformerLens' names. */
export interface ModelConfig {
  /** Number of blocks. */
  n_layers: number;
  /** Attention heads a layer. */
  n_heads: number;
  /** Width of the residual stream. */
  d_model: number;
  /** Width of a head. */
  d_head: number;
  /** 0 when `attn_only`. */
  d_mlp: number;
  /** Tokens of the longest prompt. */
  n_ctx: number;
  /** Number of token ids. */
  d_vocab: number;
  /** Of the MLPs. */
  act_fn: Activation;
  /** True: there are no MLPs. */
  attn_only: boolean;
  /** What stands before each branch. */
  normalization: Normalization;
  /** Added to the variance under LayerNorm's root. */
  eps: number;
  /** Whether the model was trained with BOS first, so that text is tokenized with it by default. */
  default_prepend_bos: boolean;
  /** A Hugging Face name, where the model's own folder has no tokenizer. */
  tokenizer_name?: string;

  // What follows is absent in the toy models. Names are TransformerLens', where it has one.

  /** Heads of k and v, each read by n_heads / n_key_value_heads heads of q. Absent: n_heads. */
  n_key_value_heads?: number;
  /** What q · k is divided by. Absent: √d_head. GPT-Neo: 1. */
  attn_scale?: number;
  /** Layer l divides q · k by l + 1 as well. Absent: false. */
  scale_attn_by_inverse_layer_idx?: boolean;
  /**
   * Kind of attention of each layer. "local": the last `window_size` positions alone. Absent: global in all.
   */
  attn_types?: readonly ("global" | "local")[];
  /** Positions that a local layer sees, the own included. */
  window_size?: number;
  /**
   * "standard": a learned W_pos is added to the embedding. Nothing is added in the others: "rotary" turns q
   * and k by their position, "alibi" adds `alibi_slopes` to the scores. Absent: "standard".
   */
  positional_embedding_type?: "standard" | "rotary" | "alibi";
  /** ALiBi: what is added to the scores of a head for each position that the key is further on: [n_heads]. */
  alibi_slopes?: readonly number[];
  /**
   * Falcon's ALiBi: slope · position is rounded to bfloat16, and divided by attn_scale with q · k. Absent:
   * neither.
   */
  alibi_before_scale_in_bfloat16?: boolean;
  /** Rotary models: how many of the d_head dims of q and k are turned, the first ones. */
  rotary_dim?: number;
  /** Rotary models: pair i of rotary_dim / 2 turns by rotary_base^(-2 i / rotary_dim) for each position. */
  rotary_base?: number;
  /** Rotary models: how the turns were slowed for longer contexts. Absent: not at all. */
  rotary_scaling?: RotaryScaling;
  /** Rotary models: base and slowing of local layers, where they have their own. */
  rotary_local?: Pick<ModelConfig, "rotary_base" | "rotary_scaling">;
  /** Rotary models: false for each layer whose q and k are not turned. Absent: all are. */
  rotary_layers?: readonly boolean[];
  /**
   * RMSNorm of q and k before they are turned: "head": over d_head of each head, with one weight [d_head];
   * "all": over all heads of a position together, weight [head, d_head]. Absent: none.
   */
  qk_norm?: "head" | "all";
  /** Scores s become cap · tanh(s / cap) before the mask. Absent: they stay. */
  attn_scores_soft_cap?: number;
  /** Logits x become cap · tanh(x / cap). Absent: they stay. */
  output_logits_soft_cap?: number;
  /**
   * Where the norms of a block stand: on what its branches read, on what they write, or on both. Absent:
   * "before".
   */
  norm_placement?: "before" | "both" | "after";
  /** The token embedding is normalised before it is written. Absent: false. */
  post_embedding_ln?: boolean;
  /** How many logits there are. 0: none, the files hold no unembedding. Absent: d_vocab. */
  d_vocab_out?: number;
  /**
   * Attention and MLP both read the residual stream before the block (ln1 and ln2 of it): there is no
   * resid_mid. Absent: false.
   */
  parallel_attn_mlp?: boolean;
  /** The MLP's hidden layer is act_fn(x · W_gate + b_gate) · (x · W_in + b_in). Absent: false. */
  gated_mlp?: boolean;
}

/**
 * How turns were changed for contexts longer than those of the first training. "linear": every turn is
 * divided by `factor`. "llama3" and "yarn": slow turns are, fast ones are not, those between in part.
 * "longrope": turn i is divided by short_factor[i].
 */
export interface RotaryScaling {
  /** Which formula. */
  rope_type: "linear" | "llama3" | "yarn" | "longrope";
  /** By how much the context was stretched. */
  factor?: number;
  /** llama3: wavelengths above the original context divided by this are stretched wholly. */
  low_freq_factor?: number;
  /** llama3: wavelengths below the original context divided by this are left. */
  high_freq_factor?: number;
  /** Context before it was stretched. */
  original_max_position_embeddings?: number;
  /** yarn: turns over the original length from which on a turn is kept, and up to which it is divided. */
  beta_fast?: number;
  /** yarn: the other end of that range. */
  beta_slow?: number;
  /** yarn: whether the pairs where the ramp begins and ends are whole numbers. */
  truncate?: boolean;
  /** longrope: a factor for each frequency, in prompts no longer than the original context. */
  short_factor?: readonly number[];
  /** What cos and sin are multiplied by. Absent: 1. */
  attention_factor?: number;
}

/** How many logits there are; 0 in a model without unembedding. */
export function outputSize(config: ModelConfig): number {
  return config.d_vocab_out ?? config.d_vocab;
}

/** Heads of k and v. */
export function keyValueHeads(config: ModelConfig): number {
  return config.n_key_value_heads ?? config.n_heads;
}

const normalizations: readonly Normalization[] = ["LN", "LNPre", "RMS", "RMSPre"];
const activations: readonly Activation[] = ["gelu", "gelu_new", "relu", "silu"];

/**
 * Keys that change the forward pass, with the one value under which this library computes the right thing.
 */
const onlyValue: Record<string, unknown> = {
  shortformer_pos: false,
  positional_embedding_type: "standard",
  parallel_attn_mlp: false,
  use_attn_scale: true,
  use_local_attn: false,
  scale_attn_by_inverse_layer_idx: false,
  gated_mlp: false,
  attention_dir: "causal",
  final_rms: false,
  tie_word_embeddings: false,
};

/** Limits that no model of this kind comes near; beyond them a config is damaged. */
const most = {
  n_layers: 1000,
  n_heads: 1000,
  d_vocab: 1e7,
  n_ctx: 1e7,
  d_model: 1e6,
  d_head: 1e5,
  d_mlp: 1e7,
};

/**
 * Checks a parsed config.json. `source` names it in errors.
 *
 * @throws on a missing, contradictory or unsupported setting.
 */
export function parseModelConfig(json: Record<string, unknown>, source = "config.json"): ModelConfig {
  const values = new ConfigValues(json, source);
  const size = (key: keyof typeof most) => values.size(key, { most: most[key] });
  for (const [key, value] of Object.entries(onlyValue)) values.only(key, value);
  const { normalization, normalization_type } = json;
  if (
    normalization !== undefined && normalization_type !== undefined && normalization !== normalization_type
  ) {
    values.refuse(
      `"normalization" is ${quoted(normalization)}, "normalization_type" ${quoted(normalization_type)}.`,
    );
  }
  const attn_only = values.flag("attn_only", false);
  const tokenizer = json.tokenizer_name ?? undefined;
  if (tokenizer !== undefined && typeof tokenizer !== "string") {
    values.refuse(`"tokenizer_name" must be text.`);
  }
  return {
    n_layers: size("n_layers"),
    n_heads: size("n_heads"),
    d_model: size("d_model"),
    d_head: size("d_head"),
    d_mlp: attn_only ? 0 : size("d_mlp"),
    n_ctx: size("n_ctx"),
    d_vocab: size("d_vocab"),
    ...(values.has("d_vocab_out") && json.d_vocab_out !== json.d_vocab && json.d_vocab_out !== -1
      ? { d_vocab_out: values.size("d_vocab_out", { most: most.d_vocab }) }
      : {}),
    act_fn: attn_only && json.act_fn == null ? "gelu" : values.choice("act_fn", activations),
    attn_only,
    normalization: normalizationOf(values),
    // absent in gelu-4l's own file; its training code and TransformerLens use 1e-5
    eps: values.epsilon("eps", 1e-5),
    default_prepend_bos: values.flag("default_prepend_bos", true),
    ...(tokenizer === undefined ? {} : { tokenizer_name: tokenizer as string }),
  };
}

/** By either key; null under the second is TransformerLens' way to write that nothing is normalised. */
function normalizationOf(values: ConfigValues): Normalization {
  const { normalization, normalization_type } = values.json;
  if (normalization === undefined && normalization_type === null) return "none";
  const key = normalization === undefined && normalization_type !== undefined
    ? "normalization_type"
    : "normalization";
  return values.choice(key, normalizations);
}
