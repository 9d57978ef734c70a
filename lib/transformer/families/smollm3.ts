/**
 * SmolLM3: Llama in which every fourth layer is not turned ("no_rope_layers": 1 turned, 0 not). Source:
 * transformers, models/smollm3.
 */
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import type { Family } from "./layout.ts";
import { biases } from "./llama.ts";
import { ignored, llamaLike } from "./llama_like.ts";
import { rotary } from "./rotary.ts";
import { mostLayers } from "./settings.ts";
import { quoted } from "../../checkpoints/quoted.ts";

export const smollm3: Family = {
  name: "SmolLM3",
  modelType: "smollm3",
  architectures: ["SmolLM3ForCausalLM", "SmolLM3Model"],
  prefix: "model.",
  ignored,
  read(values) {
    const rotary_layers = turnedLayers(values);
    const windowed = values.flag("use_sliding_window", false) && values.has("sliding_window");
    return llamaLike(values, {
      tied: true,
      rotary: (d_head) => rotary(values, d_head, {}, { base: 2e6 }),
      sliding: (layer) => windowed && !rotary_layers[layer],
      config: { rotary_layers },
      stored: biases(values),
    });
  },
};

function turnedLayers(values: ConfigValues): boolean[] {
  const n_layers = values.size("num_hidden_layers", mostLayers);
  const stated = values.json.no_rope_layers ?? undefined;
  if (stated === undefined) {
    const every = values.size("no_rope_layer_interval", { fallback: 4 });
    return Array.from({ length: n_layers }, (_, layer) => (layer + 1) % every !== 0);
  }
  const isList = Array.isArray(stated) && stated.every((x) => x === 0 || x === 1);
  if (!isList || stated.length !== n_layers) {
    values.refuse(
      `"no_rope_layers" is ${quoted(stated)}; 1 (turned) or 0 for each of ${n_layers} layers was expected.`,
    );
  }
  return stated.map((x: number) => x === 1);
}
