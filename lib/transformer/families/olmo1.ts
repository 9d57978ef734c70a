/**
 * OLMo 1 (repositories whose names end in -hf): Llama with LayerNorm without weights. Source: transformers,
 * models/olmo.
 */
import { quoted } from "../../checkpoints/quoted.ts";
import type { Family } from "./layout.ts";
import { ignored, llamaLike } from "./llama_like.ts";

export const olmo: Family = {
  name: "OLMo",
  modelType: "olmo",
  architectures: ["OlmoForCausalLM", "OlmoModel"],
  prefix: "model.",
  ignored,
  read(values) {
    if (values.has("clip_qkv")) {
      values.refuse(
        `"clip_qkv" is ${quoted(values.json.clip_qkv)}; q, k and v that are clipped are not supported.`,
      );
    }
    return llamaLike(values, {
      eps: 1e-5,
      config: { normalization: "LNPre" },
      stored: { attentionBias: values.flag("attention_bias", false) ? "QKVO" : "" },
    });
  },
};
