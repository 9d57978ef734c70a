/**
 * A model's weights, by TransformerLens name, with named dims. They are kept in the order that matrix products read best
 * (W_Q [d_model, head, d_head], W_U [d_vocab, d_model]); names, not places, tell which dim is which.
 */
import type { Checkpoint, ModelConfig } from "../checkpoints/mod.ts";
import { optionalTensors, stateDictShapes } from "../checkpoints/state_dict.ts";
import { param, type Tensor } from "../tensor/tensor.ts";

export interface Weight {
  data: Float32Array;
  /** Names and sizes, in memory order. */
  dims: readonly { name: string; size: number }[];
}

export type Weights = Map<string, Weight>;

/** Dims of each weight as a state dict stores it, by the last part of its name. */
const STORED: Record<string, string[]> = {
  W_E: ["d_vocab", "d_model"],
  W_pos: ["pos", "d_model"],
  W_U: ["d_model", "d_vocab"],
  b_U: ["d_vocab"],
  w: ["d_model"],
  b: ["d_model"],
  W_Q: ["head", "d_model", "d_head"],
  W_K: ["head", "d_model", "d_head"],
  W_V: ["head", "d_model", "d_head"],
  b_Q: ["head", "d_head"],
  b_K: ["head", "d_head"],
  b_V: ["head", "d_head"],
  W_O: ["head", "d_head", "d_model"],
  b_O: ["d_model"],
  W_in: ["d_model", "d_mlp"],
  b_in: ["d_mlp"],
  W_out: ["d_mlp", "d_model"],
  b_out: ["d_model"],
};

/** Memory order where it is not the stored one: one GEMM for all heads; rows of W_U that a gather can read. */
const KEPT: Record<string, string[]> = {
  W_Q: ["d_model", "head", "d_head"],
  W_K: ["d_model", "head", "d_head"],
  W_V: ["d_model", "head", "d_head"],
  W_U: ["d_vocab", "d_model"],
};

const kind = (name: string) => name.slice(name.lastIndexOf(".") + 1);

/** A weight given in stored order, brought into memory order. */
export function weight(name: string, data: Float32Array, shape: readonly number[]): Weight {
  const stored = STORED[kind(name)];
  const kept = KEPT[kind(name)] ?? stored;
  const dims = kept.map((n) => ({ name: n, size: shape[stored.indexOf(n)] }));
  return { data: kept === stored ? data : permute(data, shape, kept.map((n) => stored.indexOf(n))), dims };
}

/** Copies with the axes in the order `axes`. Up to three axes; the loop runs over the result in memory order. */
function permute(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const [n, s] = [axes.map((a) => shape[a]), axes.map((a) => strides[a])];
  while (n.length < 3) {
    n.unshift(1);
    s.unshift(0);
  }
  const out = new Float32Array(data.length);
  let to = 0;
  for (let i = 0; i < n[0]; i++) {
    for (let j = 0; j < n[1]; j++) {
      const from = i * s[0] + j * s[1];
      for (let k = 0; k < n[2]; k++) out[to++] = data[from + k * s[2]];
    }
  }
  return out;
}

/** Reads every weight of a checkpoint with TransformerLens names, one tensor at a time. */
export async function readWeights(checkpoint: Checkpoint, config: ModelConfig): Promise<Weights> {
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(config)) {
    const missing = optionalTensors.includes(name) && !checkpoint.has(name);
    const data = missing ? new Float32Array(shape.reduce((a, b) => a * b, 1)) : await checkpoint.read(name);
    weights.set(name, weight(name, data, shape));
  }
  return weights;
}

/** The weights as tensors, made once for each model so that equal expressions are recognised. */
export class Parameters {
  #weights: Weights;
  #tensors = new Map<string, Tensor>();

  constructor(weights: Weights) {
    this.#weights = weights;
  }

  has(name: string): boolean {
    return this.#weights.has(name);
  }

  get(name: string): Tensor {
    let tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    const found = this.#weights.get(name);
    if (!found) throw new Error(`the model has no weight "${name}"`);
    tensor = param(name, found.data, found.dims);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  maybe(name: string): Tensor | undefined {
    return this.has(name) ? this.get(name) : undefined;
  }
}
