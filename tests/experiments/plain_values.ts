/** What the tests of the experiments need to work values out by hand from the plain forward pass. */
import type { ModelConfig, Tokenizer } from "../../lib/checkpoints/mod.ts";
import { Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS, NO_STEPS } from "../../lib/transformer/processing.ts";
import { type Weight, weight } from "../../lib/transformer/weights.ts";
import { smallModel } from "../checkpoints/small_model.ts";
import { type Plain, plainForward, type PlainForwardOptions } from "../reference/plain_forward.ts";
import { currentWeights, small } from "../transformer/models.ts";

/** A tokenizer of 17 letters, "a" to "q": each is one token. */
export const letters: Tokenizer = {
  bosId: 0,
  size: 17,
  encode: (text, { prependBos = false } = {}) => {
    const ids = [...text].map((letter) => letter.charCodeAt(0) - 97);
    return prependBos ? [0, ...ids] : ids;
  },
  decode: (ids) => [...ids].map((id) => String.fromCharCode(97 + id)).join(""),
  decodeToken: (id) => String.fromCharCode(97 + id),
};

/**
 * A small random model with processed weights, that tokenizer, and L0H1 as the writer that layer 1 erases.
 */
export function letterModel(seed: number, processed = true): Model {
  const { model } = small(seed, {}, processed ? ALL_STEPS : NO_STEPS);
  return new Model({
    name: "letters",
    config: { ...model.config, default_prepend_bos: true },
    weights: model.weights,
    processing: model.processing,
    tokenizer: letters,
    cleanup: { writer: "L0H1", cleaners: ["L1H0", "L1H2"], patchedLayers: [1], source: "made up" },
  });
}

/** The plain forward pass on the weights that a model computes with. */
export function plainRun(
  model: Model,
  tokens: readonly (readonly number[])[],
  options: PlainForwardOptions = {},
) {
  return plainForward(model.config, currentWeights(model), tokens, options);
}

/** One row [last dim] of a value, by its indices along all other dims. */
export function vector({ dims, data }: Plain, ...index: number[]): Float64Array {
  const width = dims.at(-1)!;
  const row = index.reduce((at, i, axis) => at * dims[axis] + i, 0);
  return data.subarray(row * width, (row + 1) * width);
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export const ratio = (a: ArrayLike<number>, b: ArrayLike<number>) => dot(a, b) / dot(b, b);

export const minus = (a: Float64Array, b: Float64Array) => a.map((x, i) => x - b[i]);

export const plus = (a: Float64Array, b: Float64Array) => a.map((x, i) => x + b[i]);

/** Quantile with linear interpolation between order statistics. */
export function quantile(values: Iterable<number>, p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * p;
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

export const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/**
 * A model with every weight zero but those that are given, in the order in which a state dict stores them.
 */
export function handMade(changes: Record<string, unknown>, values: Record<string, number[]>): Model {
  const { config, tensors } = smallModel(0, changes);
  const weights = new Map<string, Weight>();
  for (const [name, { dims, data }] of Object.entries(tensors)) {
    const given = values[name];
    if (given && given.length !== data.length) {
      throw new Error(`${name}: got ${given.length} values; expected ${data.length}`);
    }
    weights.set(name, weight(name, Float32Array.from(given ?? new Array(data.length).fill(0)), dims));
  }
  for (const name of Object.keys(values)) if (!weights.has(name)) throw new Error(`no weight ${name}`);
  return new Model({ name: "made by hand", config: config as ModelConfig, weights, processing: NO_STEPS });
}
