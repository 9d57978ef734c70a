/**
 * StableLM, Starcoder2, Nemotron and Cohere (Command R): Llama's layout with LayerNorm. StableLM and Nemotron
 * turn a part of each head; Starcoder2 and Nemotron have no gate; Nemotron's norm weights are stored without
 * their 1; Cohere's norms have no bias, its attention and MLP read one norm in parallel, and it turns
 * neighbouring pairs. Source: transformers, models/<the same names>.
 */
import type { Family } from "./layout.ts";
import { biases } from "./llama.ts";
import { ignored, llamaLike } from "./llama_like.ts";
import { rotary } from "./rotary.ts";
import { activation } from "./settings.ts";
import { pairedRows } from "./stored.ts";

const part = "partial_rotary_factor";
const oneNorm = { ln1: "input_layernorm", ln2: "input_layernorm" };

export const stablelm: Family = {
  name: "StableLM",
  modelType: "stablelm",
  architectures: ["StableLmForCausalLM", "StableLmModel"],
  prefix: "model.",
  ignored,
  read(values) {
    values.only("qk_layernorm", false);
    const parallel = values.flag("use_parallel_residual", false);
    return llamaLike(values, {
      eps: values.epsilon("layer_norm_eps", 1e-5),
      rotary: (d_head) => rotary(values, d_head, { part }, { part: 0.25 }),
      config: { normalization: "LN", parallel_attn_mlp: parallel },
      stored: {
        normBias: true,
        attentionBias: values.flag("use_qkv_bias", false) ? "QKV" : "",
        ...(parallel && { norms: oneNorm }),
      },
    });
  },
};

export const starcoder2: Family = {
  name: "Starcoder2",
  modelType: "starcoder2",
  architectures: ["Starcoder2ForCausalLM", "Starcoder2Model"],
  prefix: "model.",
  ignored,
  read(values) {
    const biased = values.flag("use_bias", true);
    return llamaLike(values, {
      act_fn: activation(values, "hidden_act", "gelu_new"),
      eps: values.epsilon("norm_epsilon", 1e-5),
      tied: true,
      sliding: () => values.has("sliding_window"),
      config: { normalization: "LN", gated_mlp: false },
      stored: {
        normBias: true,
        attentionBias: biased ? "QKVO" : "",
        W_in: { from: "mlp.c_fc" },
        W_out: "mlp.c_proj",
        mlpBias: biased,
      },
    });
  },
};

export const nemotron: Family = {
  name: "Nemotron",
  modelType: "nemotron",
  architectures: ["NemotronForCausalLM", "NemotronModel"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      act_fn: activation(values, "hidden_act", "relu2"),
      eps: values.epsilon("norm_eps", 1e-5),
      rotary: (d_head) => rotary(values, d_head, { part }, { part: 0.5 }),
      config: { normalization: "LN", gated_mlp: false },
      stored: { ...biases(values), normBias: true, normAdd: 1 },
    }),
};

export const cohere: Family = {
  name: "Cohere",
  modelType: "cohere",
  architectures: ["CohereForCausalLM", "CohereModel"],
  prefix: "model.",
  ignored,
  read(values) {
    values.only("use_qk_norm", false);
    return llamaLike(values, {
      eps: values.epsilon("layer_norm_eps", 1e-5),
      tied: true,
      rotary: (d_head) => rotary(values, d_head, {}, { base: 500000 }),
      config: { normalization: "LN", parallel_attn_mlp: true },
      stored: (config) => ({
        ...biases(values),
        norms: oneNorm,
        qkv: (x) => ({ from: `self_attn.${x.toLowerCase()}_proj`, ...pairedRows(config, x) }),
      }),
      head: { scale: values.number("logit_scale", 0.0625) },
    });
  },
};
