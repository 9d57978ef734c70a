/**
 * GPT-Neo (also the TinyStories models): learned positions, LayerNorm, tied embeddings; q · k is not scaled; no biases on q, k, v;
 * layers alternate between global attention and the last "window_size" positions. Matrices are stored [out, in].
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { Family, Source } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";

export const gptNeo: Family = {
  name: "GPT-Neo",
  modelType: "gpt_neo",
  architectures: ["GPTNeoForCausalLM"],
  prefix: "transformer.",
  ignored: /^(transformer\.)?h\.\d+\.attn\.attention\.(bias|masked_bias)$|^lm_head\.weight$/,
  read(values) {
    const [n_heads, d_model] = [values.size("num_heads"), values.size("hidden_size")];
    const n_layers = values.size("num_layers", mostLayers);
    const n_ctx = values.size("max_position_embeddings", { fallback: 2048 });
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
    };
    const W_U = unembedding(values, true, "wte.weight", "lm_head.weight");
    return { config, sources: (p) => sources(config, p, W_U(p)) };
  },
};

/** "attention_layers" names the kind of each layer; "attention_types" [[["global", "local"], 6]] repeats a pattern 6 times. */
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
      const shown = JSON.stringify(entry)?.slice(0, 60);
      values.refuse(
        `"attention_types" has ${shown}; [["global", "local"], n] was expected, for at most ${n_layers} layers in all.`,
      );
    }
    for (let i = 0; i < times; i++) repeated.push(...kinds);
  }
  return repeated;
}

function sources(config: ModelConfig, p: string, W_U: Source): Map<string, Source> {
  const found = new Map<string, Source>([
    ["embed.W_E", { from: `${p}wte.weight`, axes: "d_vocab d_model" }],
    ["pos_embed.W_pos", { from: `${p}wpe.weight`, axes: "pos d_model" }],
    ["ln_final.w", { from: `${p}ln_f.weight`, axes: "d_model" }],
    ["ln_final.b", { from: `${p}ln_f.bias`, axes: "d_model" }],
    ["unembed.W_U", W_U],
  ]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const put = (name: string, from: string, axes: string) =>
      found.set(`blocks.${layer}.${name}`, { from: `${p}h.${layer}.${from}`, axes });
    for (const i of [1, 2]) {
      put(`ln${i}.w`, `ln_${i}.weight`, "d_model");
      put(`ln${i}.b`, `ln_${i}.bias`, "d_model");
    }
    for (const x of "QKV") {
      put(`attn.W_${x}`, `attn.attention.${x.toLowerCase()}_proj.weight`, "(head d_head) d_model");
    }
    put("attn.W_O", "attn.attention.out_proj.weight", "d_model (head d_head)");
    put("attn.b_O", "attn.attention.out_proj.bias", "d_model");
    put("mlp.W_in", "mlp.c_fc.weight", "d_mlp d_model");
    put("mlp.b_in", "mlp.c_fc.bias", "d_mlp");
    put("mlp.W_out", "mlp.c_proj.weight", "d_model d_mlp");
    put("mlp.b_out", "mlp.c_proj.bias", "d_model");
  }
  return found;
}
