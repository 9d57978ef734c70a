/**
 * Granite 3: Llama with four factors: of the embedding, of what attention and MLP write, of the logits, and
 * of the scores in place of 1/√d_head. Three of them are part of the weights here. Source: transformers,
 * models/granite.
 */
import type { Family } from "./layout.ts";
import { biases } from "./llama.ts";
import { ignored, llamaLike } from "./llama_like.ts";

export const granite: Family = {
  name: "Granite",
  modelType: "granite",
  architectures: ["GraniteForCausalLM", "GraniteModel"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      config: { attn_scale: 1 / values.number("attention_multiplier", 1) },
      stored: {
        ...biases(values),
        scales: {
          embed: values.number("embedding_multiplier", 1),
          residual: values.number("residual_multiplier", 1),
        },
      },
      head: { scale: 1 / values.number("logits_scaling", 1) },
    }),
};
