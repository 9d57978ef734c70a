/**
 * A head by the singular directions of W_OV = W_V W_O = Σ_k σ_k u_k v_kᵀ, at most d_head of them: it
 * reads along u_k and writes along v_k. Its output z W_O lies in the span of the v_k, so its response to
 * a missing output is a sum over them, exactly. cos(u_k, v_k) below 0: what is read is written back,
 * turned round, where the head attends to the same direction. Compare Merullo et al., arXiv 2406.09519.
 *
 * All of it in the small space: with G = W_O W_Oᵀ and H = W_Vᵀ W_V, [d_head, d_head] each, G^½ H G^½ = E
 * σ² Eᵀ; then z W_O v_k = z · T_k with T = G^½ E, and w · v_k = (w W_Oᵀ) · S_k with S = G^-½ E.
 */
import { type Eigen, symmetricEigen } from "../stats/symmetric.ts";
import { param, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { readByHeads } from "./projection.ts";

/** Of one head: singular values in falling order, and the two maps of head space [d_head, k]. */
export interface SingularDirections {
  /** σ_k. */
  values: number[];
  /** cos(u_k, v_k); 0 where σ_k is 0. */
  cosines: number[];
  /** z · T_k: what the head writes along v_k. */
  T: Float32Array;
  /** (w W_Oᵀ) · S_k: the part of w along v_k. */
  S: Float32Array;
}

/** A product of two [n, n] matrices. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const x = a[i * n + k];
      if (x !== 0) { for (let j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j]; }
    }
  }
  return c;
}

/**
 * The symmetric matrix with these eigenvectors and `of` of each eigenvalue; those that are nearly 0 give 0.
 */
function functionOf(
  { values, vectors }: Eigen,
  n: number,
  of: (x: number) => number,
): Float64Array {
  const result = new Float64Array(n * n);
  values.forEach((value, k) => {
    if (!(value > 1e-10 * values[0])) return;
    const x = of(value);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) result[i * n + j] += x * vectors[k * n + i] * vectors[k * n + j];
    }
  });
  return result;
}

/**
 * From three products of a head's weights, [n, n] each with n = d_head.
 * @param outer W_O W_Oᵀ @param inner W_Vᵀ W_V @param cross W_O W_V
 */
export function singularDirections(
  outer: ArrayLike<number>,
  inner: ArrayLike<number>,
  cross: ArrayLike<number>,
  n: number,
): SingularDirections {
  const eigen = symmetricEigen(outer, n);
  const root = functionOf(eigen, n, Math.sqrt), inverse = functionOf(eigen, n, (x) => 1 / Math.sqrt(x));
  const { values: squares, vectors } = symmetricEigen(product(product(root, inner, n), root, n), n);
  // columns
  const E = Float64Array.from({ length: n * n }, (_, at) => vectors[(at % n) * n + Math.floor(at / n)]);
  const [T, S] = [product(root, E, n), product(inverse, E, n)];
  const values = Array.from(squares, (square) => Math.sqrt(Math.max(0, square)));
  // u_k · v_k = (W_V T_k / σ_k) · (W_Oᵀ S_k) = S_kᵀ (W_O W_V) T_k / σ_k
  const KT = product(cross, T, n);
  const cosines = values.map((sigma, k) => {
    let dot = 0;
    for (let i = 0; i < n; i++) dot += S[i * n + k] * KT[i * n + k];
    return sigma > 1e-6 * values[0] ? dot / sigma : 0;
  });
  return { values, cosines, T: Float32Array.from(T), S: Float32Array.from(S) };
}

/** The products of one head's weights that `singularDirections` takes, as expressions [d_head, other]. */
export function weightProducts(
  forward: Forward,
  layer: number,
  head: number,
): Record<"outer" | "inner" | "cross", Tensor> {
  const attn = `blocks.${layer}.attn`;
  const W_O = forward.weight(`${attn}.W_O`).select("head", head);
  const W_V = forward.forEachHead(forward.weight(`${attn}.W_V`)).select("head", head);
  const other = (weight: Tensor) => weight.rename({ d_head: "other" });
  return {
    outer: W_O.dot(other(W_O), "d_model").order("d_head", "other"),
    inner: W_V.dot(other(W_V), "d_model").order("d_head", "other"),
    cross: W_O.dot(other(W_V), "d_model").order("d_head", "other"),
  };
}

/**
 * What a head writes along each v_k, times the part of `vector` [batch, pos, d_model] along it: [batch,
 * pos, k].
 */
export function directionDots(
  forward: Forward,
  { layer, head }: { layer: number; head: number },
  { T, S }: SingularDirections,
  vector: Tensor,
): Tensor {
  const n = forward.config.d_head;
  const map = (name: string, data: Float32Array) =>
    param(`${name} of L${layer}H${head}`, data, [{ name: "d_head", size: n }, { name: "k", size: n }]);
  const z = forward.hook(`blocks.${layer}.attn.hook_z`).select("head", head);
  const onto = readByHeads(forward, layer, vector).select("head", head);
  return z.dot(map("T", T), "d_head").mul(onto.dot(map("S", S), "d_head")).order("batch", "pos", "k");
}
