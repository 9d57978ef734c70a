/**
 * GPT-2: learned positions, LayerNorm, tied embeddings. Matrices are stored [in, out] (Conv1D), q, k and v in
 * one. The first files on the hub have no "transformer." before the names, and causal masks among the
 * tensors. GPT-BigCode (SantaCoder, StarCoder): the same with matrices [out, in], and one k and v for all
 * heads.
 */
import type { ModelConfig } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family, Layout } from "./layout.ts";
import { activation, headSize, mostLayers, unembedding } from "./settings.ts";
import { groupedRows, joinedRows, sourcesOf, type Stored } from "./stored.ts";

const ignored = /^(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)$|^v_head\./;

export const gpt2: Family = {
  name: "GPT-2",
  modelType: "gpt2",
  architectures: ["GPT2LMHeadModel", "GPT2Model"],
  prefix: "transformer.",
  ignored,
  read: (values) =>
    layout(values, "gelu_new", {
      scale_attn_by_inverse_layer_idx: values.flag("scale_attn_by_inverse_layer_idx", false),
    }, () => ({
      qkv: (x) => ({ from: "attn.c_attn", axis: "(part head d_head)", part: partOf[x] }),
      transposed: true,
    })),
};

const partOf = { Q: 0, K: 1, V: 2 } as const;

export const gptBigcode: Family = {
  name: "GPT-BigCode",
  modelType: "gpt_bigcode",
  architectures: ["GPTBigCodeForCausalLM", "GPTBigCodeModel"],
  prefix: "transformer.",
  ignored,
  read(values) {
    const shared = values.flag("multi_query", true);
    return layout(
      values,
      "gelu_pytorch_tanh",
      { n_key_value_heads: shared ? 1 : values.size("n_head") },
      (config) => ({
        qkv: (x) => ({ from: "attn.c_attn", ...(shared ? joinedRows(config, x) : groupedRows(config, x)) }),
      }),
    );
  },
};

function layout(
  values: ConfigValues,
  act_fn: string,
  more: Partial<ModelConfig>,
  own: (config: ModelConfig) => Partial<Stored> & Pick<Stored, "qkv">,
): Layout {
  values.only("add_cross_attention", false);
  const [n_heads, d_model] = [values.size("n_head"), values.size("n_embd")];
  const d_head = headSize(values, ["n_embd", d_model], ["n_head", n_heads]);
  const W_U = unembedding(values, true, "wte.weight", "lm_head.weight");
  const config: ModelConfig = {
    n_layers: values.size("n_layer", mostLayers),
    n_heads,
    d_model,
    d_head,
    d_mlp: values.size("n_inner", { fallback: 4 * d_model }),
    n_ctx: values.size("n_positions", { fallback: values.has("n_ctx") ? values.size("n_ctx") : 1024 }),
    d_vocab: values.size("vocab_size"),
    act_fn: activation(values, "activation_function", act_fn),
    attn_only: false,
    normalization: "LN",
    eps: values.epsilon("layer_norm_epsilon", 1e-5),
    // <|endoftext|>, as TransformerLens does; it stood between the texts in training
    default_prepend_bos: true,
    attn_scale: values.flag("scale_attn_weights", true) ? Math.sqrt(d_head) : 1,
    ...more,
    ...W_U.config,
  };
  const stored: Stored = {
    embed: "wte",
    positions: { from: "wpe" },
    finalNorm: "ln_f",
    layers: "h",
    norms: { ln1: "ln_1", ln2: "ln_2" },
    normBias: true,
    attentionBias: "QKVO",
    W_O: "attn.c_proj",
    W_in: { from: "mlp.c_fc" },
    W_out: "mlp.c_proj",
    mlpBias: true,
    ...own(config),
  };
  return { config, sources: (p, has) => new Map([...sourcesOf(config, p, stored), ...W_U.sources(p, has)]) };
}
