/**
 * The span of what a node writes: the smallest k orthonormal directions that hold a given part of its energy
 * Σ ‖w(t)‖², the leading eigenvectors of Σ w wᵀ. Nothing is centred over tokens: a constant output has a
 * direction as well. Where the model's normalisation subtracts the mean over d_model, w is taken without it,
 * as its readers see it, and so the span lies in d_model − 1 dimensions.
 */
import { symmetricEigen } from "../stats/symmetric.ts";
import { param, type Tensor } from "../tensor/tensor.ts";
import { centred, subtractsMean } from "../transformer/normalize.ts";
import { type RotatedConfig, rotationMatrix } from "./rotation.ts";

/** k orthonormal directions. */
export interface Span {
  /** [k, d_model], row by row, the one with most energy first. */
  directions: Float32Array;
  /** How many. */
  k: number;
  /** The part of the output's energy that they hold. */
  energy: number;
}

/** Σ w wᵀ over positions, of what readers see of w [batch, pos, d_model]: [batch, d_model, other]. */
export function secondMoment(config: { normalization: string }, w: Tensor): Tensor {
  const seen = centred(config, w);
  return seen.dot(seen.rename({ d_model: "other" }), "pos").order("batch", "d_model", "other");
}

/**
 * The span from Σ w wᵀ [n, n].
 * @param want the part of the energy that it holds at least, or how many directions it has
 * @throws for an output that is zero
 */
export function spanOf(moment: ArrayLike<number>, n: number, want: { energy: number } | { k: number }): Span {
  const { values, vectors } = symmetricEigen(moment, n);
  const total = values.reduce((sum, x) => sum + Math.max(0, x), 0);
  if (!(total > 0)) throw new Error("span: the output is zero at every token that counts, so it has no span");
  let k = 0, held = 0;
  while (k < n && ("k" in want ? k < want.k : held < want.energy * total)) held += Math.max(0, values[k++]);
  return { directions: Float32Array.from(vectors.subarray(0, k * n)), k, energy: held / total };
}

/** The same span in another place: every direction turned by the random rotation of that seed. */
export function rotatedSpan(config: RotatedConfig, { directions, k }: Span, seed: number): Float32Array {
  const { d_model: n } = config;
  const Q = rotationMatrix(config, seed);
  const turned = new Float32Array(k * n);
  for (let row = 0; row < k; row++) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += Q[i * n + j] * directions[row * n + j];
      turned[row * n + i] = sum;
    }
  }
  return turned;
}

/** Several spans of k directions each, as one tensor [span, k, d_model]. */
export function spanTensor(spans: readonly Float32Array[], k: number, d_model: number): Tensor {
  const all = new Float32Array(spans.length * k * d_model);
  spans.forEach((span, i) => all.set(span, i * k * d_model));
  const dims = [{ name: "span", size: spans.length }, { name: "k", size: k }, {
    name: "d_model",
    size: d_model,
  }];
  return param("spans", all, dims);
}

/** The part of a random vector's energy that lies in k directions: what chance gives. */
export function chance(config: RotatedConfig, k: number): number {
  return k / (config.d_model - Number(subtractsMean(config)));
}
