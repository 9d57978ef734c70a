/**
 * GPT-Neo (also the TinyStories models): learned positions, LayerNorm, tied embeddings; q · k is not scaled;
 * no biases on q, k, v; layers alternate between global attention and the last "window_size" positions.
 * Matrices are stored [out, in].
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { Family } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { sourcesOf, type Stored } from "./stored.ts";
import { quoted } from "../../checkpoints/quoted.ts";

const stored: Stored = {
  embed: "wte",
  positions: { from: "wpe" },
  finalNorm: "ln_f",
  layers: "h",
  norms: { ln1: "ln_1", ln2: "ln_2" },
  normBias: true,
  qkv: (x) => ({ from: `attn.attention.${x.toLowerCase()}_proj` }),
  attentionBias: "O",
  W_O: "attn.attention.out_proj",
  W_in: { from: "mlp.c_fc" },
  W_out: "mlp.c_proj",
  mlpBias: true,
};

export const gptNeo: Family = {
  name: "GPT-Neo",
  modelType: "gpt_neo",
  architectures: ["GPTNeoForCausalLM", "GPTNeoModel"],
  prefix: "transformer.",
  ignored: /^(transformer\.)?h\.\d+\.attn\.attention\.(bias|masked_bias)$|^v_head\./,
  read(values) {
    const [n_heads, d_model] = [values.size("num_heads"), values.size("hidden_size")];
    const n_layers = values.size("num_layers", mostLayers);
    const n_ctx = values.size("max_position_embeddings", { fallback: 2048 });
    const W_U = unembedding(values, true, "wte.weight", "lm_head.weight");
    const config: ModelConfig = {
      n_layers,
      n_heads,
      d_model,
      d_head: headSize(values, ["hidden_size", d_model], ["num_heads", n_heads]),
      d_mlp: values.size("intermediate_size", { fallback: 4 * d_model }),
      n_ctx,
      d_vocab: values.size("vocab_size"),
      act_fn: activation(values, "activation_function", "gelu_new"),
      attn_only: false,
      normalization: "LN",
      eps: values.epsilon("layer_norm_epsilon", 1e-5),
      default_prepend_bos: true, // <|endoftext|>, as TransformerLens does
      attn_scale: 1,
      ...attentionTypes(values, n_layers, n_ctx),
      ...W_U.config,
    };
    return {
      config,
      sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]),
    };
  },
};

/**
 * "attention_layers" names the kind of each layer; "attention_types" [[["global", "local"], 6]] repeats a
 * pattern 6 times.
 */
function attentionTypes(
  values: ConfigValues,
  n_layers: number,
  n_ctx: number,
): Pick<ModelConfig, "attn_types" | "window_size"> {
  const { attention_layers, attention_types } = values.json;
  const key = Array.isArray(attention_layers) ? "attention_layers" : "attention_types";
  const repeated = attention_layers == null ? repeatedTypes(values, attention_types, n_layers) : [];
  const listed: unknown[] = Array.isArray(attention_layers) ? attention_layers : repeated;
  if (listed.length !== n_layers) {
    values.refuse(`"${key}" names ${listed.length} layers, "num_layers" is ${n_layers}.`);
  }
  const attn_types = listed.map((type) => values.choice(key, ["global", "local"] as const, type));
  const window_size = values.size("window_size", { fallback: 256 });
  return attn_types.includes("local") && window_size < n_ctx ? { attn_types, window_size } : {};
}

/** [[["global", "local"], 6]] → "global", "local", six times. Never longer than the model has layers. */
function repeatedTypes(values: ConfigValues, types: unknown, n_layers: number): unknown[] {
  const repeated: unknown[] = [];
  for (const entry of Array.isArray(types) ? types : []) {
    const [kinds, times] = Array.isArray(entry) ? entry : [];
    if (
      !Array.isArray(kinds) || kinds.length === 0 || !Number.isInteger(times) || times < 1 ||
      repeated.length + times * kinds.length > n_layers
    ) {
      values.refuse(
        `"attention_types" has ${
          quoted(entry)
        }; [["global", "local"], n] was expected, for at most ${n_layers} layers in all.`,
      );
    }
    for (let i = 0; i < times; i++) repeated.push(...kinds);
  }
  return repeated;
}
