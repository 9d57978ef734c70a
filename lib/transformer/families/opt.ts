/**
 * OPT: learned positions whose table begins with two rows that no text uses, LayerNorm, ReLU, tied
 * embeddings. Not OPT-350m, which normalises after the block and projects its embeddings. Source:
 * transformers, models/opt.
 */
import type { ModelConfig } from "../../checkpoints/config.ts";
import type { Family } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { sourcesOf, type Stored } from "./stored.ts";

const UNUSED_POSITIONS = 2;

export const opt: Family = {
  name: "OPT",
  modelType: "opt",
  architectures: ["OPTForCausalLM", "OPTModel"],
  prefix: ["model.decoder.", "decoder."],
  ignored: /^v_head\./,
  read(values) {
    const [n_heads, d_model] = [values.size("num_attention_heads"), values.size("hidden_size")];
    values.only("do_layer_norm_before", true);
    values.only("_remove_final_layer_norm", false);
    values.only("word_embed_proj_dim", d_model);
    const W_U = unembedding(values, true, "embed_tokens.weight", "lm_head.weight");
    const config: ModelConfig = {
      n_layers: values.size("num_hidden_layers", mostLayers),
      n_heads,
      d_model,
      d_head: headSize(values, ["hidden_size", d_model], ["num_attention_heads", n_heads]),
      d_mlp: values.size("ffn_dim"),
      n_ctx: values.size("max_position_embeddings", { fallback: 2048 }),
      d_vocab: values.size("vocab_size"),
      act_fn: activation(values, "activation_function", "relu"),
      attn_only: false,
      normalization: values.flag("layer_norm_elementwise_affine", true) ? "LN" : "LNPre",
      eps: 1e-5,
      default_prepend_bos: true, // </s>
      ...W_U.config,
    };
    const biased = values.flag("enable_bias", true);
    const stored: Stored = {
      embed: "embed_tokens",
      positions: {
        from: "embed_positions",
        rows: { of: config.n_ctx + UNUSED_POSITIONS, at: (i) => i + UNUSED_POSITIONS },
      },
      finalNorm: "final_layer_norm",
      layers: "layers",
      norms: { ln1: "self_attn_layer_norm", ln2: "final_layer_norm" },
      normBias: true,
      qkv: (x) => ({ from: `self_attn.${x.toLowerCase()}_proj` }),
      attentionBias: biased ? "QKVO" : "",
      W_O: "self_attn.out_proj",
      W_in: { from: "fc1" },
      W_out: "fc2",
      mlpBias: biased,
    };
    return {
      config,
      sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]),
    };
  },
};
