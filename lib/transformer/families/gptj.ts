/**
 * GPT-J and CodeGen: one LayerNorm for attention and MLP in parallel; neighbouring pairs of the first
 * "rotary_dim" dims of each head are turned; no biases in attention, but one of the unembedding. CodeGen has
 * q, v and k in one matrix, in four blocks of heads. Source: transformers, models/gptj, codegen.
 */
import { quoted } from "../../checkpoints/quoted.ts";
import type { ModelConfig } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family, Layout, Source } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { pairedRows, sourcesOf, type Stored } from "./stored.ts";

const ignored = /\.attn\.(bias|masked_bias|causal_mask|embed_positions)$|^v_head\./;

export const gptj: Family = {
  name: "GPT-J",
  modelType: "gptj",
  architectures: ["GPTJForCausalLM", "GPTJModel"],
  prefix: "transformer.",
  ignored,
  read: (values) =>
    layout(values, (config, x) => ({ from: `attn.${x.toLowerCase()}_proj`, ...pairedRows(config, x) })),
};

export const codegen: Family = {
  name: "CodeGen",
  modelType: "codegen",
  architectures: ["CodeGenForCausalLM", "CodeGenModel"],
  prefix: "transformer.",
  ignored,
  read(values) {
    if (values.size("n_head") % CODEGEN_BLOCKS !== 0) {
      values.refuse(`"n_head" ${quoted(values.json.n_head)} is not a multiple of ${CODEGEN_BLOCKS}.`);
    }
    return layout(
      values,
      (config, x) => ({ from: "attn.qkv_proj", ...pairedRows(config, x, codegenRows(config, x)) }),
    );
  },
};

/** CodeGen was trained on as many machines, each with its heads' q, v and k. */
const CODEGEN_BLOCKS = 4;

function codegenRows({ d_model }: ModelConfig, x: "Q" | "K" | "V"): Source["rows"] {
  const rows = d_model / CODEGEN_BLOCKS;
  const place = { Q: 0, V: 1, K: 2 }[x];
  return { of: 3 * d_model, at: (i) => (Math.floor(i / rows) * 3 + place) * rows + i % rows };
}

function layout(
  values: ConfigValues,
  qkv: (config: ModelConfig, x: "Q" | "K" | "V") => ReturnType<Stored["qkv"]>,
): Layout {
  const [n_heads, d_model] = [values.size("n_head"), values.size("n_embd")];
  const d_head = headSize(values, ["n_embd", d_model], ["n_head", n_heads]);
  const rotary_dim = values.size("rotary_dim", { fallback: 64, most: d_head });
  if (rotary_dim % 2 !== 0) values.refuse(`"rotary_dim" is ${rotary_dim}; an even number was expected.`);
  const W_U = unembedding(values, false, "wte.weight", "lm_head.weight", { bias: true });
  const config: ModelConfig = {
    n_layers: values.size("n_layer", mostLayers),
    n_heads,
    d_model,
    d_head,
    d_mlp: values.size("n_inner", { fallback: 4 * d_model }),
    n_ctx: values.size("n_positions", { fallback: 2048 }),
    d_vocab: values.size("vocab_size"),
    act_fn: activation(values, "activation_function", "gelu_new"),
    attn_only: false,
    normalization: "LN",
    eps: values.epsilon("layer_norm_epsilon", 1e-5),
    default_prepend_bos: true, // <|endoftext|>, as TransformerLens does
    positional_embedding_type: "rotary",
    rotary_dim,
    rotary_base: 10000,
    parallel_attn_mlp: true,
    ...W_U.config,
  };
  const stored: Stored = {
    embed: "wte",
    finalNorm: "ln_f",
    layers: "h",
    norms: { ln1: "ln_1", ln2: "ln_1" },
    normBias: true,
    qkv: (x) => qkv(config, x),
    W_O: "attn.out_proj",
    W_in: { from: "mlp.fc_in" },
    W_out: "mlp.fc_out",
    mlpBias: true,
  };
  return { config, sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]) };
}
