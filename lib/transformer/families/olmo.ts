/**
 * OLMo 2 and 3: Llama's layout, but attention and MLP read the stream as it is, and what they write is
 * normalised before it is added; q and k are normalised over all heads together. OLMo 3: three of four layers
 * see a window, and longer contexts ("yarn") are for full layers. Source: transformers, models/olmo2, olmo3.
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family } from "./layout.ts";
import { ignored, type Kind, llamaLike } from "./llama_like.ts";
import { type Rotary, rotary } from "./rotary.ts";

export const olmo2: Family = {
  name: "OLMo 2",
  modelType: "olmo2",
  architectures: ["Olmo2ForCausalLM", "Olmo2Model"],
  prefix: "model.",
  ignored,
  read: (values) => llamaLike(values, postNormed(values)),
};

export const olmo3: Family = {
  name: "OLMo 3",
  modelType: "olmo3",
  architectures: ["Olmo3ForCausalLM", "Olmo3Model"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      ...postNormed(values),
      sliding: (layer) => (layer + 1) % 4 !== 0,
      rotary: (d_head) => olmo3Rotary(values, d_head),
    }),
};

function postNormed(values: ConfigValues): Kind {
  return {
    eps: values.epsilon("rms_norm_eps", 1e-5),
    config: { norm_placement: "after", qk_norm: "all" },
    stored: {
      norms: { ln1_post: "post_attention_layernorm", ln2_post: "post_feedforward_layernorm" },
      attentionBias: values.flag("attention_bias", false) ? "QKVO" : "",
    },
  };
}

/** Local layers have the base of the others, and no scaling. */
function olmo3Rotary(values: ConfigValues, d_head: number): Rotary {
  const base = 500000;
  if (values.has("rope_parameters")) return rotary(values, d_head, {}, { base, localBase: base });
  // Versions of transformers differ in what "rope_theta" at the top says of local layers.
  values.only("rope_theta", base);
  return { ...rotary(values, d_head, {}, { base }), rotary_local: { rotary_base: base } };
}
