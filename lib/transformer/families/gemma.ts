/**
 * Gemma 1, 2 and 3 (text; also the text part of a multimodal file): Llama's layout; norm weights are stored
 * without their 1, the embedding is multiplied by √d_model, embeddings are tied. Gemma 2 and 3 also normalise
 * what attention and MLP write, and divide scores by √query_pre_attn_scalar; Gemma 2 caps scores and logits;
 * Gemma 3 normalises q and k, and turns its local layers otherwise. Source: transformers, models/gemma,
 * gemma2, gemma3.
 */
import type { Activation, ModelConfig } from "../../checkpoints/config.ts";
import { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family } from "./layout.ts";
import { ignored, type Kind, llamaLike } from "./llama_like.ts";
import { rotary } from "./rotary.ts";
import { activation } from "./settings.ts";

export const gemma: Family = {
  name: "Gemma",
  modelType: "gemma",
  architectures: ["GemmaForCausalLM", "GemmaModel"],
  prefix: "model.",
  ignored,
  read(values) {
    // In this family's first files "gelu" stands for the tanh form.
    const said = activation(
      values,
      values.has("hidden_activation") ? "hidden_activation" : "hidden_act",
      "gelu_new",
    );
    return llamaLike(values, common(values, said === "gelu" ? "gelu_new" : said));
  },
};

export const gemma2: Family = {
  name: "Gemma 2",
  modelType: "gemma2",
  architectures: ["Gemma2ForCausalLM", "Gemma2Model"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, withPostNorms(values, { sliding: (layer) => (layer + 1) % 2 !== 0 }, [50, 30])),
};

/**
 * What Gemma 3's multimodal files leave out of "text_config": the defaults of transformers' Gemma3TextConfig.
 */
const GEMMA3_DEFAULTS = {
  vocab_size: 262208,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 131072,
  sliding_window: 4096,
};

const complete = (values: ConfigValues) =>
  new ConfigValues({ ...GEMMA3_DEFAULTS, ...values.json }, values.source);

const gemma3Kind = (values: ConfigValues): Kind => {
  const pattern = ["sliding_window_pattern", "_sliding_window_pattern"].find((key) => values.has(key));
  const every = pattern ? values.size(pattern) : 6;
  return withPostNorms(values, {
    sliding: (layer) => (layer + 1) % every !== 0,
    rotary: (d_head) =>
      rotary(values, d_head, { base: "rope_theta", localBase: "rope_local_base_freq" }, {
        base: 1e6,
        localBase: 1e4,
      }),
    config: { qk_norm: "head" },
  });
};

export const gemma3: Family = {
  name: "Gemma 3",
  modelType: "gemma3_text",
  architectures: ["Gemma3ForCausalLM", "Gemma3TextModel"],
  prefix: ["model.", "language_model.model."],
  ignored,
  read: (values) => llamaLike(complete(values), gemma3Kind(complete(values))),
};

export const gemma3Multimodal: Family = {
  name: "Gemma 3 with vision (its text part)",
  modelType: "gemma3",
  architectures: ["Gemma3ForConditionalGeneration"],
  inside: "text_config",
  prefix: ["language_model.model.", "model.language_model."],
  ignored: /rotary_emb\.inv_freq$|^(model\.)?(vision_tower|multi_modal_projector)\./,
  read: (values) =>
    llamaLike(complete(values), {
      ...gemma3Kind(complete(values)),
      head: { names: ["lm_head.weight", "language_model.lm_head.weight"] },
    }),
};

function common(values: ConfigValues, act_fn: Activation): Kind {
  values.only("use_bidirectional_attention", false);
  return {
    act_fn,
    d_head: 256,
    tied: true,
    stored: {
      normAdd: 1,
      attentionBias: values.flag("attention_bias", false) ? "QKVO" : "",
      scales: { embed: Math.sqrt(values.size("hidden_size")) },
    },
  };
}

/** `caps`: of scores and of logits, where config.json has no such key; a null in it is none. */
function withPostNorms(values: ConfigValues, kind: Kind, caps: readonly [number?, number?] = []): Kind {
  const shared = common(values, activation(values, "hidden_activation", "gelu_new"));
  const cap = (key: string, fallback?: number) =>
    values.has(key) ? values.number(key) : values.json[key] === null ? undefined : fallback;
  const [scores, logits] = [cap("attn_logit_softcapping", caps[0]), cap("final_logit_softcapping", caps[1])];
  const config: Partial<ModelConfig> = {
    norm_placement: "both",
    attn_scale: Math.sqrt(values.number("query_pre_attn_scalar", 256)),
    ...(scores !== undefined && { attn_scores_soft_cap: scores }),
    ...(logits !== undefined && { output_logits_soft_cap: logits }),
  };
  return {
    ...shared,
    ...kind,
    config: { ...config, ...kind.config },
    stored: {
      ...shared.stored,
      norms: {
        ln1: "input_layernorm",
        ln1_post: "post_attention_layernorm",
        ln2: "pre_feedforward_layernorm",
        ln2_post: "post_feedforward_layernorm",
      },
    },
  };
}
