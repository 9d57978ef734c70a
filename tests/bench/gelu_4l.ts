/**
 * A model with gelu-4l's dimensions and seeded random weights: what a benchmark needs, without a download.
 */
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { Model } from "../../lib/transformer/model.ts";
import { NO_STEPS } from "../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../lib/transformer/weights.ts";
import { CLEANUP } from "./gelu_4l_config.ts";

export { GELU_4L, randomPrompts } from "./gelu_4l_config.ts";

/**
 * Uniform in ±0.035 (the standard deviation of GPT-2's initialisation), by a multiplicative congruential
 * generator.
 */
export function randomWeights(config: ModelConfig, seed = 1): Weights {
  let state = seed;
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(config)) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      data[i] = state / 2 ** 31 * 0.035;
    }
    weights.set(name, weight(name, data, shape, config));
  }
  return weights;
}

export function randomModel(config: ModelConfig, name = "random weights"): Model {
  return new Model({ name, config, weights: randomWeights(config), processing: NO_STEPS, cleanup: CLEANUP });
}
