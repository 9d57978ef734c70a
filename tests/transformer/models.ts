/** Models for the tests of the transformer, and the weights that the plain forward pass takes. */
import { assert, assertEquals } from "@std/assert";
import { dataPath } from "../../lib/checkpoints/mod.ts";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { type Prompts, readPrompts } from "../../lib/checkpoints/prompts/prompts.ts";
import type { NdArray } from "../../lib/tensor/nd_array.ts";
import { Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS, NO_STEPS, type Processing, processWeights } from "../../lib/transformer/processing.ts";
import { type Weight, weight, type Weights } from "../../lib/transformer/weights.ts";
import { type SmallModel, smallModel } from "../checkpoints/small_model.ts";
import type { Plain } from "../reference/plain_forward.ts";
import { randomInt, randomSource } from "../reference/random.ts";

/**
 * Kinds of small model: name → changes to the config of small_model.ts (gelu, LayerNorm, d_head · heads ≠
 * d_model).
 */
export const variants: Record<string, Record<string, unknown>> = {
  "gelu, LN": {},
  "attention only": { attn_only: true },
  "LN without weights": { normalization: "LNPre" },
  "tanh gelu": { act_fn: "gelu_new" },
  "relu, one head": { act_fn: "relu", n_heads: 1, d_head: 7 },
  "silu, RMS": { act_fn: "silu", normalization: "RMS" },
  "RMS without weights": { normalization: "RMSPre", n_layers: 1 },
  "large eps, wide heads": { eps: 0.1, d_head: 6 },
  "an output vocabulary of its own": { d_vocab_out: 5 },
  "no norms at all": { normalization: undefined, normalization_type: null },
};

/** The stored weights of a small model, as plainForward takes them. */
export function storedWeights({ tensors }: SmallModel): Map<string, Float32Array> {
  return new Map(Object.entries(tensors).map(([name, { data }]) => [name, data as Float32Array]));
}

export function weightsOf({ tensors }: SmallModel): Weights {
  return new Map(
    Object.entries(tensors).map(([name, { data, dims }]) => [name, weight(name, data as Float32Array, dims)]),
  );
}

/** A small model through the library, without files. */
export function small(
  seed: number,
  changes: Record<string, unknown> = {},
  processing: Partial<Processing> = NO_STEPS,
): { model: Model; stored: Map<string, Float32Array> } {
  const made = smallModel(seed, changes);
  const steps = { ...ALL_STEPS, ...processing };
  const weights = processWeights(weightsOf(made), made.config, steps);
  return {
    model: new Model({ name: "small", config: made.config, weights, processing: steps }),
    stored: storedWeights(made),
  };
}

const STORED: Record<string, string[]> = {
  W_Q: ["head", "d_model", "d_head"],
  W_K: ["head", "d_model", "d_head"],
  W_V: ["head", "d_model", "d_head"],
  W_U: ["d_model", "d_vocab"],
};

/** A weight's values in the order in which a state dict stores them. */
export function inStoredOrder(name: string, { data, dims }: Weight): Float32Array {
  const wanted = STORED[name.slice(name.lastIndexOf(".") + 1)];
  if (!wanted) return data;
  const at = (index: Record<string, number>) =>
    data[dims.reduce((offset, { name, size }) => offset * size + index[name], 0)];
  let all: Record<string, number>[] = [{}];
  for (const name of wanted) {
    const { size } = dims.find((d) => d.name === name)!;
    all = all.flatMap((index) => Array.from({ length: size }, (_, i) => ({ ...index, [name]: i })));
  }
  return Float32Array.from(all, at);
}

/** The weights that a model computes with, as plainForward takes them. */
export function currentWeights(model: Model): Map<string, Float32Array> {
  return new Map([...model.weights].map(([name, w]) => [name, inStoredOrder(name, w)]));
}

/** The embedded model's file as it is, read without lib/transformer. */
export async function embeddedFile(): Promise<Map<string, Float32Array>> {
  const file = await SafetensorsFile.open(dataPath("models/tiny-gelu-4l/model.safetensors"));
  try {
    const weights = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) weights.set(name, (await file.read(name)).data as Float32Array);
    return weights;
  } finally {
    file.close();
  }
}

/** Held-out prompts; all of them, whole, when nothing is said. */
export const embeddedPrompts = (count?: number, length?: number): Promise<Prompts> =>
  readPrompts("held-out", { count, length });

export function randomPrompts(model: Model, seed: number, count: number, length: number): Prompts {
  const random = randomSource(seed);
  const tokens = Int32Array.from({ length: count * length }, () => randomInt(random, model.config.d_vocab));
  return { tokens, count, length, source: "random" };
}

/** Prompts as rows. */
export function rows({ tokens, count, length }: Prompts): number[][] {
  return Array.from({ length: count }, (_, i) => [...tokens.subarray(i * length, (i + 1) * length)]);
}

/** max |got − expected| over the largest finite |expected|. Infinities must stand in the same places. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  assertEquals(got.length, expected.length);
  let scale = 0, worst = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]));
  }
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(got[i], expected[i])) continue;
    const error = Math.abs(got[i] - expected[i]);
    worst = Math.max(worst, Number.isFinite(error) ? error : Infinity);
  }
  return worst === 0 ? 0 : worst / scale;
}

/** Compares values by name and lists all that differ by more than `tolerance` of their scale. */
export function assertClose(
  got: ReadonlyMap<string, NdArray> | Record<string, NdArray>,
  expected: ReadonlyMap<string, Plain | { data: ArrayLike<number>; dims: number[] }>,
  tolerance: number,
  what = "",
): void {
  const values = got instanceof Map ? got : new Map(Object.entries(got));
  const wrong: string[] = [];
  for (const [name, { data, shape }] of values) {
    const reference = expected.get(name);
    assert(reference, `no reference for ${name}`);
    const squeezed = reference.dims.join().replace(/,1$/, "");
    if (shape.join() !== reference.dims.join() && shape.join() !== squeezed) {
      wrong.push(`${name}: shape [${shape}], expected [${reference.dims}]`);
      continue;
    }
    const error = relativeError(data, reference.data);
    if (!(error <= tolerance)) wrong.push(`${name}: off by ${error.toExponential(1)} of its scale`);
  }
  assert(values.size > 0, `${what}: nothing was compared`);
  assert(wrong.length === 0, `${what}: ${wrong.length} of ${values.size} differ:\n  ${wrong.join("\n  ")}`);
}
