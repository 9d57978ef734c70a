/**
 * Phi-1, 1.5, 2: LayerNorm, one for attention and MLP in parallel, an MLP without a gate, biases everywhere,
 * also of the unembedding; a part of each head is turned. Phi-3, 3.5, 4: Llama with q, k and v in one matrix
 * and gate and up in another; longer contexts by "longrope". Source: transformers, models/phi, phi3.
 */
import type { Family } from "./layout.ts";
import { ignored, llamaLike } from "./llama_like.ts";
import { rotary } from "./rotary.ts";
import { activation } from "./settings.ts";
import { joinedRows } from "./stored.ts";

const part = "partial_rotary_factor";

export const phi: Family = {
  name: "Phi-1, Phi-1.5, Phi-2",
  modelType: "phi",
  architectures: ["PhiForCausalLM", "PhiModel"],
  prefix: "model.",
  ignored,
  read(values) {
    values.only("qk_layernorm", false);
    return llamaLike(values, {
      act_fn: activation(values, "hidden_act", "gelu_new"),
      eps: values.epsilon("layer_norm_eps", 1e-5),
      rotary: (d_head) => rotary(values, d_head, { part }, { part: 0.5 }),
      config: { normalization: "LN", parallel_attn_mlp: true, gated_mlp: false },
      stored: {
        norms: { ln1: "input_layernorm", ln2: "input_layernorm" },
        normBias: true,
        finalNorm: "final_layernorm",
        attentionBias: "QKVO",
        W_O: "self_attn.dense",
        W_in: { from: "mlp.fc1" },
        W_out: "mlp.fc2",
        mlpBias: true,
      },
      head: { bias: true },
    });
  },
};

export const phi3: Family = {
  name: "Phi-3, Phi-4",
  modelType: "phi3",
  architectures: ["Phi3ForCausalLM", "Phi3Model"],
  prefix: "model.",
  ignored,
  read: (values) =>
    llamaLike(values, {
      eps: values.epsilon("rms_norm_eps", 1e-5),
      sliding: () => values.has("sliding_window"),
      rotary: (d_head) => rotary(values, d_head, { part }, { originalLength: 4096 }),
      stored: (config) => ({
        qkv: (x) => ({ from: "self_attn.qkv_proj", ...joinedRows(config, x) }),
        W_gate: { from: "mlp.gate_up_proj", rows: { of: 2 * config.d_mlp, at: (i) => i } },
        W_in: { from: "mlp.gate_up_proj", rows: { of: 2 * config.d_mlp, at: (i) => config.d_mlp + i } },
      }),
    }),
};
