/**
 * Which family a model folder belongs to, by its config.json. A new family is one file and one entry here.
 */
import { ConfigValues } from "../../checkpoints/config_values.ts";
import { bloom } from "./bloom.ts";
import { falcon } from "./falcon.ts";
import { gemma, gemma2, gemma3, gemma3Multimodal } from "./gemma.ts";
import { gpt2, gptBigcode } from "./gpt2.ts";
import { gptNeo } from "./gpt_neo.ts";
import { codegen, gptj } from "./gptj.ts";
import { granite } from "./granite.ts";
import { cohere, nemotron, stablelm, starcoder2 } from "./layer_norm_llamas.ts";
import type { Family, Layout } from "./layout.ts";
import { llama, mistral, qwen2, qwen3 } from "./llama.ts";
import { neox } from "./neox.ts";
import { olmo2, olmo3 } from "./olmo.ts";
import { opt } from "./opt.ts";
import { phi, phi3 } from "./phi.ts";
import { refusalOf } from "./refused.ts";
import { smollm3 } from "./smollm3.ts";
import { transformerLens } from "./tl.ts";
import { quoted } from "../../checkpoints/quoted.ts";

/** Families in the layout of the Hugging Face hub. */
export const families: readonly Family[] = [
  gpt2,
  neox,
  gptNeo,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  gemma3Multimodal,
  granite,
  opt,
  phi,
  phi3,
  smollm3,
  olmo2,
  olmo3,
  stablelm,
  starcoder2,
  gptj,
  codegen,
  bloom,
  falcon,
  gptBigcode,
  nemotron,
  cohere,
];

/**
 * Family and layout of a parsed config.json; `source` names it in errors.
 *
 * @throws for a family that is not supported, and for settings that are missing, contradictory or not
 * supported.
 */
export function layoutOf(
  json: Readonly<Record<string, unknown>>,
  source = "config.json",
): { family: Family; layout: Layout } {
  const values = new ConfigValues(json, source);
  const family = familyOf(values);
  for (const key of ["quantization_config", "compression_config"]) {
    if (values.has(key)) {
      values.refuse(`"${key}": quantised weights are not supported; float32, float16 and bfloat16 are.`);
    }
  }
  return { family, layout: family.read(settingsOf(family, values)) };
}

/**
 * The settings of the text part, where a family has them in an object of their own; "architectures" stands
 * outside.
 */
function settingsOf(family: Family, values: ConfigValues): ConfigValues {
  if (family.inside === undefined) return values;
  const inside = values.inside(family.inside);
  if (!inside) return values.refuse(`"${family.inside}" is missing.`);
  const outer = ["architectures", "tie_word_embeddings"].filter((key) => values.has(key) && !inside.has(key));
  return new ConfigValues(
    { ...inside.json, ...Object.fromEntries(outer.map((key) => [key, values.json[key]])) },
    inside.source,
  );
}

function familyOf(values: ConfigValues): Family {
  const { model_type, architectures } = values.json;
  const named = Array.isArray(architectures) ? architectures[0] : undefined;
  if (model_type === undefined && named === undefined) {
    if (values.has("d_model") && values.has("n_layers")) return transformerLens;
    return values.refuse(`neither "model_type" nor "architectures" says which model this is. ${supported()}`);
  }
  const byType = families.find((f) => f.modelType === model_type);
  const byName = families.find((f) => f.architectures.includes(named));
  if (model_type !== undefined && !byType) refuse(values, "model_type", model_type);
  if (named !== undefined && !byName) refuse(values, "architectures", named);
  if (byType && byName && byType !== byName) {
    return values.refuse(
      `"model_type" is ${quoted(model_type)}, "architectures" ${quoted(named)}.`,
    );
  }
  return (byType ?? byName)!;
}

function refuse(values: ConfigValues, key: string, name: unknown): never {
  const reason = refusalOf(name);
  const what = `"${key}" ${quoted(name)} is not supported`;
  return values.refuse(reason ? `${what}: this family ${reason}.` : `${what}. ${supported()}`);
}

function supported(): string {
  const list = families.map((f) => `${f.name} (${f.modelType})`).join("; ");
  return `Supported are ${list}; and ${transformerLens.name}, whose config.json has "d_model" and "n_layers".`;
}
