/**
 * TransformerLens' own layout, in which the toy models (gelu-4l's kind) are stored: the names are those of
 * this library.
 */
import { parseModelConfig } from "../../checkpoints/config.ts";
import { buffer, optionalTensors, stateDictShapes } from "../../checkpoints/state_dict.ts";
import { storedDims } from "../../checkpoints/weight_names.ts";
import type { Family, Source } from "./layout.ts";

export const transformerLens: Family = {
  name: "TransformerLens toy models",
  modelType: "",
  architectures: [],
  prefix: "",
  ignored: buffer,
  read(values) {
    const config = parseModelConfig({ ...values.json }, values.source);
    const source = (name: string): [string, Source] => [
      name,
      { from: name, axes: storedDims(name, config).join(" "), optional: optionalTensors.includes(name) },
    ];
    return { config, sources: () => new Map([...stateDictShapes(config).keys()].map(source)) };
  },
};
