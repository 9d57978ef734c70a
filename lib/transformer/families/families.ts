/** Which family a model folder belongs to, by its config.json. A new family is one file and one entry here. */
import { ConfigValues } from "../../checkpoints/config_values.ts";
import { gpt2 } from "./gpt2.ts";
import { gptNeo } from "./gpt_neo.ts";
import type { Family, Layout } from "./layout.ts";
import { llama, mistral, qwen2 } from "./llama.ts";
import { neox } from "./neox.ts";
import { transformerLens } from "./tl.ts";

/** Families in the layout of the Hugging Face hub. */
export const families: readonly Family[] = [gpt2, neox, gptNeo, llama, mistral, qwen2];

/**
 * Family and layout of a parsed config.json; `source` names it in errors.
 *
 * @throws for a family that is not supported, and for settings that are missing, contradictory or not supported.
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
  return { family, layout: family.read(values) };
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
  if (model_type !== undefined && !byType) {
    return values.refuse(`"model_type" ${JSON.stringify(model_type)} is not supported. ${supported()}`);
  }
  if (named !== undefined && !byName) {
    return values.refuse(`"architectures" ${JSON.stringify(named)} is not supported. ${supported()}`);
  }
  if (byType && byName && byType !== byName) {
    return values.refuse(
      `"model_type" is ${JSON.stringify(model_type)}, "architectures" ${JSON.stringify(named)}.`,
    );
  }
  return (byType ?? byName)!;
}

function supported(): string {
  const list = families.map((f) => `${f.name} (${f.modelType})`).join("; ");
  return `Supported are ${list}; and ${transformerLens.name}, whose config.json has "d_model" and "n_layers".`;
}
