/**
 * Rotary settings of config.json: in "rope_parameters" (newer files, sometimes one for each kind of layer) or
 * at the top with "rope_scaling" (older ones).
 *
 * Formulas of the types: lib/transformer/positions.ts; transformers, modeling_rope_utils.py. "dynamic" grows
 * with the text beyond "max_position_embeddings" alone, which is n_ctx here, so that it is "default".
 * "longrope" has other turns beyond the original length: n_ctx is that length.
 */
import type { ModelConfig, RotaryScaling } from "../../checkpoints/config.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import { quoted } from "../../checkpoints/quoted.ts";

export type Rotary =
  & Required<Pick<ModelConfig, "positional_embedding_type" | "rotary_dim" | "rotary_base">>
  & Pick<ModelConfig, "rotary_scaling" | "rotary_local">;

/** Where older files have the settings. */
export interface RotaryKeys {
  base?: string;
  /**
   * The part of a head that is turned; absent: transformers reads no such key in this family, and turns all.
   */
  part?: string;
  /** The base of local layers. Their turns are not scaled. */
  localBase?: string;
}

export interface RotaryDefaults {
  base?: number;
  part?: number;
  localBase?: number;
  /** The length of the first training. Default: "max_position_embeddings". */
  originalLength?: number;
}

/** @throws for a type of scaling that is not supported, by its name. */
export function rotary(
  values: ConfigValues,
  d_head: number,
  keys: RotaryKeys = {},
  defaults: RotaryDefaults = {},
): Rotary {
  const parameters = values.inside("rope_parameters");
  const nested = parameters?.has("full_attention") || parameters?.has("sliding_attention");
  const full = nested ? parameters!.inside("full_attention") : parameters;
  const rotary_dim = rotaryPart(values, full, d_head, keys.part, defaults.part ?? 1);
  /** Base and scaling: inside, where they are stated there; else by the older keys. */
  const rotation = (inside: ConfigValues | undefined, key: string, base = 10000, older?: ConfigValues) => {
    const rotary_base = stated(values, inside, "rope_theta", key, base);
    const scaling = inside ?? older;
    const rotary_scaling = scaling && rotaryScaling(values, scaling, rotary_dim, defaults.originalLength);
    return { rotary_base, ...(rotary_scaling && { rotary_scaling }) };
  };
  const own = rotation(full, keys.base ?? "rope_theta", defaults.base, values.inside("rope_scaling"));
  const settings: Rotary = { positional_embedding_type: "rotary", rotary_dim, ...own };
  if (nested) {
    return {
      ...settings,
      rotary_local: rotation(parameters!.inside("sliding_attention"), "", defaults.localBase),
    };
  }
  if (keys.localBase === undefined) return settings;
  return { ...settings, rotary_local: { rotary_base: values.number(keys.localBase, defaults.localBase) } };
}

/** How many dims of a head are turned. */
function rotaryPart(
  values: ConfigValues,
  inside: ConfigValues | undefined,
  d_head: number,
  key: string | undefined,
  fallback: number,
): number {
  const newer = "partial_rotary_factor";
  if (key === undefined) {
    values.only(newer, 1);
    inside?.only(newer, 1);
  }
  const share = key === undefined ? 1 : stated(values, inside, newer, key, fallback);
  const dims = Math.floor(d_head * share);
  if (share <= 1 && dims % 2 === 0 && dims > 0) return dims;
  return values.refuse(
    `"${
      inside?.has(newer) ? newer : key ?? "head_dim"
    }" ${share} of ${d_head} dims is ${dims}; an even number from 2 to ${d_head} was expected.`,
  );
}

/**
 * A setting that stands in "rope_parameters" or, by an older key, at the top. @throws when the two contradict
 * each other.
 */
function stated(
  values: ConfigValues,
  inside: ConfigValues | undefined,
  newer: string,
  older: string,
  fallback: number,
): number {
  const value = inside?.has(newer) ? inside.number(newer) : undefined;
  if (value !== undefined && values.has(older) && values.number(older) !== value) {
    values.refuse(`"${older}" is ${quoted(values.json[older])}, "rope_parameters" has "${newer}" ${value}.`);
  }
  return value ?? values.number(older, fallback);
}

const types = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"] as const;

function rotaryScaling(
  top: ConfigValues,
  values: ConfigValues,
  rotary_dim: number,
  originalLength: number | undefined,
): RotaryScaling | undefined {
  const key = values.has("rope_type") ? "rope_type" : "type";
  const named = values.json[key] ?? "default";
  // Early Phi-3 files call it "su", or "yarn" with lists of factors.
  const long = named === "su" || (named === "yarn" && values.has("short_factor"));
  const rope_type = values.choice(key, types, long ? "longrope" : named);
  switch (rope_type) {
    case "default":
      return undefined;
    case "dynamic":
      if (values.has("alpha")) values.refuse(`"alpha" (a base that grows with the text) is not supported.`);
      return undefined;
    case "linear":
      return { rope_type, factor: values.number("factor") };
    case "llama3":
      return llama3(values);
    case "yarn":
      return yarn(top, values, firstLength(top, values, originalLength));
    case "longrope":
      return longrope(top, values, firstLength(top, values, originalLength), rotary_dim);
  }
}

function llama3(values: ConfigValues): RotaryScaling {
  const [low_freq_factor, high_freq_factor] = [
    values.number("low_freq_factor"),
    values.number("high_freq_factor"),
  ];
  if (low_freq_factor >= high_freq_factor) {
    values.refuse(
      `"low_freq_factor" ${low_freq_factor} is not below "high_freq_factor" ${high_freq_factor}.`,
    );
  }
  return {
    rope_type: "llama3",
    factor: values.number("factor"),
    low_freq_factor,
    high_freq_factor,
    original_max_position_embeddings: values.size("original_max_position_embeddings"),
  };
}

/**
 * The length of the first training: at the top, beside the scaling, or else the family's, or the whole
 * context.
 */
function firstLength(top: ConfigValues, values: ConfigValues, fallback?: number): number {
  const key = "original_max_position_embeddings";
  if (top.has(key)) return top.size(key);
  return values.size(key, { fallback: fallback ?? top.size("max_position_embeddings") });
}

function yarn(top: ConfigValues, values: ConfigValues, original: number): RotaryScaling {
  const factor = values.number("factor", top.size("max_position_embeddings") / original);
  const spread = (scale: number) => factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
  const scales = ["mscale", "mscale_all_dim"].map((key) =>
    values.has(key) ? values.number(key, 0, () => true) : 0
  );
  const inferred = scales[0] && scales[1] ? spread(scales[0]) / spread(scales[1]) : spread(1);
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: original,
    beta_fast: values.number("beta_fast", 32),
    beta_slow: values.number("beta_slow", 1),
    truncate: values.flag("truncate", true),
    attention_factor: values.number("attention_factor", inferred),
  };
}

function longrope(
  top: ConfigValues,
  values: ConfigValues,
  original: number,
  rotary_dim: number,
): RotaryScaling {
  const { short_factor } = values.json;
  const isList = Array.isArray(short_factor) && short_factor.every((x) => typeof x === "number" && x > 0);
  if (!isList || short_factor.length !== rotary_dim / 2) {
    values.refuse(
      `"short_factor" is ${quoted(short_factor)}; ${rotary_dim / 2} positive numbers were expected.`,
    );
  }
  const factor = values.number("factor", top.size("max_position_embeddings") / original);
  const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
  return {
    rope_type: "longrope",
    original_max_position_embeddings: original,
    short_factor: short_factor as number[],
    attention_factor: values.number("attention_factor", inferred),
  };
}

/** The longest text that is turned as config.json says: in "longrope" the original length, else all. */
export function turnedLength(n_ctx: number, { rotary_scaling }: Pick<ModelConfig, "rotary_scaling">): number {
  const original = rotary_scaling?.original_max_position_embeddings;
  return rotary_scaling?.rope_type === "longrope" && original !== undefined
    ? Math.min(n_ctx, original)
    : n_ctx;
}
