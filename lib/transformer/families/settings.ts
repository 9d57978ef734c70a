/**
 * Settings that the Hugging Face families share: head sizes, activation functions, sliding windows, the
 * unembedding.
 */
import type { Activation, ModelConfig } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Source } from "./layout.ts";
import { quoted } from "../../checkpoints/quoted.ts";

/** Beyond this a config is damaged. */
export const mostLayers = { most: 1000 };

const activations: Record<string, Activation> = {
  gelu: "gelu",
  gelu_new: "gelu_new",
  gelu_fast: "gelu_new",
  gelu_pytorch_tanh: "gelu_new",
  relu: "relu",
  relu2: "relu2",
  silu: "silu",
  swish: "silu",
};

export function activation(values: ConfigValues, key: string, fallback: string): Activation {
  return activations[values.choice(key, Object.keys(activations), values.json[key] ?? fallback)];
}

/** d_head = d_model / n_heads. @throws when that is no whole number. */
export function headSize(
  values: ConfigValues,
  [modelKey, d_model]: readonly [string, number],
  [headsKey, n_heads]: readonly [string, number],
): number {
  if (d_model % n_heads !== 0) {
    values.refuse(`"${modelKey}" ${d_model} is not a multiple of "${headsKey}" ${n_heads}.`);
  }
  return d_model / n_heads;
}

/** The unembedding: what config.json says of it, and where it stands. */
export interface Unembedding {
  config: Pick<ModelConfig, "d_vocab_out">;
  sources(prefix: string, has: (name: string) => boolean): [string, Source][];
}

/**
 * W_U is the file's own where it holds one, also in a model that is said to be tied (as transformers reads
 * it); else the embedding in tied models, and none in base models ("LlamaModel").
 *
 * `own`: its names, without prefix. `bias`: whether b_U stands beside it.
 */
export function unembedding(
  values: ConfigValues,
  tiedByDefault: boolean,
  embedding: string,
  own: string | readonly string[],
  { bias = false, scale }: { bias?: boolean; scale?: number } = {},
): Unembedding {
  const tied = values.flag("tie_word_embeddings", tiedByDefault);
  const names = typeof own === "string" ? [own] : own;
  const { architectures } = values.json;
  const isBase = Array.isArray(architectures) && isBaseModel(architectures[0]);
  return {
    config: isBase && !tied ? { d_vocab_out: 0 } : {},
    sources(prefix, has) {
      if (isBase && !tied) return [];
      const found = names.find(has);
      const from = found ?? (tied ? prefix + embedding : names[0]);
      const b_U = (found ?? names[0]).replace(/weight$/, "bias");
      return [
        ["unembed.W_U", {
          from,
          axes: "d_vocab d_model",
          ...(scale !== undefined && { scale }),
          ...(tied && found !== undefined && { own: found }),
        }],
        ...(bias && !isBase ? [["unembed.b_U", { from: b_U, axes: "d_vocab" }] as [string, Source]] : []),
      ];
    },
  };
}

/** "LlamaModel" is a model without an output head, "GPT2LMHeadModel" is not. */
export function isBaseModel(architecture: unknown): boolean {
  return typeof architecture === "string" && /(?<!LMHead)Model$/.test(architecture);
}

/**
 * Which layers see the last positions alone. `sliding(layer)` says so where the file has no "layer_types". A
 * window that reaches over the whole context is none.
 */
export function slidingWindow(
  values: ConfigValues,
  { n_layers, n_ctx }: { n_layers: number; n_ctx: number },
  sliding: (layer: number) => boolean,
): Pick<ModelConfig, "attn_types" | "window_size"> {
  const stated = values.json.layer_types ?? undefined;
  let local = Array.from({ length: n_layers }, (_, layer) => sliding(layer));
  if (stated !== undefined) {
    if (!Array.isArray(stated) || stated.length !== n_layers) {
      values.refuse(
        `"layer_types" is ${quoted(stated)}; one for each of ${n_layers} layers was expected.`,
      );
    }
    local = stated.map((type) =>
      values.choice("layer_types", ["full_attention", "sliding_attention"], type) === "sliding_attention"
    );
  }
  if (!local.includes(true)) return {};
  const window_size = values.size("sliding_window");
  if (window_size >= n_ctx) return {};
  return { attn_types: local.map((is) => is ? "local" : "global"), window_size };
}
