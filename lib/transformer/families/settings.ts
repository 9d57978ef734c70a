/**
 * Settings that the Hugging Face families share: head sizes, activation functions, rotary positions, sliding windows, the unembedding.
 */
import type { Activation, ModelConfig, RotaryScaling } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Source } from "./layout.ts";

/** Beyond this a config is damaged. */
export const mostLayers = { most: 1000 };

const activations: Record<string, Activation> = {
  gelu: "gelu",
  gelu_new: "gelu_new",
  gelu_fast: "gelu_new",
  gelu_pytorch_tanh: "gelu_new",
  relu: "relu",
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

/**
 * Where W_U stands: with the embedding when the two are tied, else under its own name. A file that holds a head of its own although
 * config.json ties them is believed, as transformers does.
 */
export function unembedding(
  values: ConfigValues,
  tiedByDefault: boolean,
  embedding: string,
  own: string,
): (prefix: string) => Source {
  const tied = values.flag("tie_word_embeddings", tiedByDefault);
  const axes = "d_vocab d_model";
  return (prefix) => tied ? { from: prefix + embedding, axes, own } : { from: own, axes };
}

type Rotary =
  & Required<Pick<ModelConfig, "positional_embedding_type" | "rotary_dim" | "rotary_base">>
  & Pick<ModelConfig, "rotary_scaling">;

/**
 * Rotary settings, in "rope_parameters" (newer files) or at the top with "rope_scaling" (older ones).
 * `keys`: where older files have the base and the part of a head that is turned. `part`: that part where no key says.
 *
 * @throws for a type of scaling that is not supported, by its name.
 */
export function rotary(
  values: ConfigValues,
  d_head: number,
  keys: { base: string; part: string },
  part = 1,
): Rotary {
  const inside = values.inside("rope_parameters");
  const setting = (newer: string, older: string, fallback: number) => {
    const stated = inside?.has(newer) ? inside.number(newer) : undefined;
    if (stated !== undefined && values.has(older) && values.number(older) !== stated) {
      values.refuse(`"${older}" is ${values.json[older]}, "rope_parameters" has "${newer}" ${stated}.`);
    }
    return stated ?? values.number(older, fallback);
  };
  const rotary_base = setting("rope_theta", keys.base, 10000);
  const share = setting("partial_rotary_factor", keys.part, part);
  const rotary_dim = Math.floor(d_head * share);
  if (!(share <= 1 && rotary_dim % 2 === 0 && rotary_dim > 0)) {
    values.refuse(
      `"${
        inside?.has("partial_rotary_factor") ? "partial_rotary_factor" : keys.part
      }" ${share} of ${d_head} dims is ${rotary_dim}; an even number from 2 to ${d_head} was expected.`,
    );
  }
  const scaling = rotaryScaling(inside ?? values.inside("rope_scaling"));
  return {
    positional_embedding_type: "rotary",
    rotary_dim,
    rotary_base,
    ...(scaling ? { rotary_scaling: scaling } : {}),
  };
}

function rotaryScaling(values: ConfigValues | undefined): RotaryScaling | undefined {
  if (!values) return undefined;
  const key = values.has("rope_type") ? "rope_type" : "type";
  const rope_type = values.choice(key, ["default", "linear", "llama3"], values.json[key] ?? "default");
  if (rope_type === "default") return undefined;
  const factor = values.number("factor");
  if (rope_type === "linear") return { rope_type, factor };
  const [low_freq_factor, high_freq_factor] = [
    values.number("low_freq_factor"),
    values.number("high_freq_factor"),
  ];
  if (low_freq_factor >= high_freq_factor) {
    values.refuse(
      `"low_freq_factor" ${low_freq_factor} is not below "high_freq_factor" ${high_freq_factor}.`,
    );
  }
  const original_max_position_embeddings = values.size("original_max_position_embeddings");
  return { rope_type, factor, low_freq_factor, high_freq_factor, original_max_position_embeddings };
}

/**
 * Which layers see the last positions alone. `sliding(layer)` says so where the file has no "layer_types". A window that reaches over
 * the whole context is none.
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
        `"layer_types" is ${JSON.stringify(stated)}; one for each of ${n_layers} layers was expected.`,
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
