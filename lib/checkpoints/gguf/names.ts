/**
 * What GGUF calls things → what Hugging Face's files call them, for the architectures that are read: names of
 * tensors, settings, and for Llama the order of the rows of W_Q and W_K.
 *
 * Source: gguf-py's tensor_mapping.py and llama.cpp's convert_hf_to_gguf.py. Llama's conversion permutes W_Q
 * and W_K, so that the two numbers that the rotation turns together lie side by side and not half a head
 * apart; here that is undone.
 */
import { ConfigValues } from "../config_values.ts";
import { quoted } from "../quoted.ts";
import type { GgufMetadata } from "./gguf_file.ts";

export interface Architecture {
  /** GGUF's name of a tensor → the Hugging Face one; undefined for what is no weight. */
  tensor(name: string): string | undefined;
  /** Matrices that are stored the other way round there. */
  transposed?: RegExp;
  /** Rows that lie in pairs, with the setting that says in how many heads. */
  paired?: { tensors: RegExp; heads: "head_count" | "head_count_kv" }[];
  /** config.json. */
  config(
    values: ConfigValues,
    more: { vocab: number; tied: boolean; prefix: string },
  ): Record<string, unknown>;
}

const LLAMA_PARTS: Record<string, string> = {
  attn_norm: "input_layernorm",
  ffn_norm: "post_attention_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const GPT2_PARTS: Record<string, string> = {
  attn_norm: "ln_1",
  attn_qkv: "attn.c_attn",
  attn_output: "attn.c_proj",
  ffn_norm: "ln_2",
  ffn_up: "mlp.c_fc",
  ffn_down: "mlp.c_proj",
};

function named(top: Record<string, string>, layers: string, parts: Record<string, string>) {
  return (name: string) => {
    if (Object.hasOwn(top, name)) return top[name];
    const [, layer, part, kind] = /^blk\.(\d{1,4})\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
    if (part === undefined || !Object.hasOwn(parts, part)) return undefined;
    return `${layers}.${layer}.${parts[part]}.${kind}`;
  };
}

const llamaNames = named(
  {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
  },
  "model.layers",
  LLAMA_PARTS,
);

const llamaConfig =
  (model_type: string, architecture: string): Architecture["config"] => (values, { vocab, tied, prefix }) => {
    const size = (key: string) => values.size(`${prefix}.${key}`);
    const heads = size("attention.head_count");
    const kind = values.json[`${prefix}.rope.scaling.type`] ?? "none";
    const factor = values.json[`${prefix}.rope.scaling.factor`];
    const original = values.json[`${prefix}.rope.scaling.original_context_length`];
    return {
      model_type,
      architectures: [architecture],
      vocab_size: vocab,
      hidden_size: size("embedding_length"),
      num_hidden_layers: size("block_count"),
      intermediate_size: size("feed_forward_length"),
      max_position_embeddings: size("context_length"),
      num_attention_heads: heads,
      num_key_value_heads: values.size(`${prefix}.attention.head_count_kv`, { fallback: heads }),
      ...(values.has(`${prefix}.attention.key_length`) ? { head_dim: size("attention.key_length") } : {}),
      rms_norm_eps: values.epsilon(`${prefix}.attention.layer_norm_rms_epsilon`, 1e-6),
      rope_theta: values.number(`${prefix}.rope.freq_base`, 10000),
      rope_scaling: kind === "none" ? null : {
        type: kind,
        factor,
        ...(original === undefined ? {} : { original_max_position_embeddings: original }),
      },
      hidden_act: "silu",
      tie_word_embeddings: tied,
    };
  };

/** By general.architecture. */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: {
    tensor: llamaNames,
    paired: [
      { tensors: /\.q_proj\./, heads: "head_count" },
      { tensors: /\.k_proj\./, heads: "head_count_kv" },
    ],
    config: llamaConfig("llama", "LlamaForCausalLM"),
  },
  qwen2: { tensor: llamaNames, config: llamaConfig("qwen2", "Qwen2ForCausalLM") },
  gpt2: {
    tensor: named(
      {
        "token_embd.weight": "transformer.wte.weight",
        "position_embd.weight": "transformer.wpe.weight",
        "output_norm.weight": "transformer.ln_f.weight",
        "output_norm.bias": "transformer.ln_f.bias",
        "output.weight": "lm_head.weight",
      },
      "transformer.h",
      GPT2_PARTS,
    ),
    transposed: /\.(c_attn|c_proj|c_fc)\.weight$/,
    config: (values, { vocab, prefix }) => {
      const size = (key: string) => values.size(`${prefix}.${key}`);
      return {
        model_type: "gpt2",
        architectures: ["GPT2LMHeadModel"],
        vocab_size: vocab,
        n_embd: size("embedding_length"),
        n_layer: size("block_count"),
        n_head: size("attention.head_count"),
        n_positions: size("context_length"),
        n_inner: size("feed_forward_length"),
        layer_norm_epsilon: values.epsilon(`${prefix}.attention.layer_norm_epsilon`, 1e-5),
        activation_function: "gelu_new",
        tie_word_embeddings: true,
      };
    },
  },
};

/** Numbers of a header, where 64-bit ones are bigints. @throws for an architecture that is not read */
export function architectureOf(metadata: GgufMetadata, path: string) {
  const prefix = metadata["general.architecture"];
  if (typeof prefix !== "string" || !Object.hasOwn(ARCHITECTURES, prefix)) {
    throw new Error(
      `${path}: "general.architecture" is ${quoted(prefix)}; of GGUF files these are read: ` +
        `${Object.keys(ARCHITECTURES).join(", ")}. The model's original files may be supported.`,
    );
  }
  const numbers = Object.entries(metadata).map((
    [key, value],
  ) => [key, typeof value === "bigint" ? Number(value) : value]);
  const values = new ConfigValues(Object.fromEntries(numbers), path);
  return { prefix, architecture: ARCHITECTURES[prefix], values };
}
