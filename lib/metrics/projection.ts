/**
 * Projection ratio, PR(a, b) = a·b / ‖b‖², for each prompt and position. b is what the writer wrote; a is what is looked at.
 * 1: b is fully present in a; 0: a is orthogonal to b; -1: a holds an equal and opposite vector.
 * Source: the post, section "Projection ratio"; arXiv 2310.07325, equation 1.
 *
 * Heads are projected in head space, r · (z W_O) = (r W_Oᵀ) · z, so that no [batch, pos, head, d_model] result is written out.
 */
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";

/** PR(a, b): a and b [batch, pos, d_model] → [batch, pos]. Other dims of either are kept. */
export function projectionRatio(a: Tensor, b: Tensor): Tensor {
  return a.dot(b, "d_model").div(b.sumSquares("d_model"));
}

/** Dot product of every head's result of one layer with `vector` [batch, pos, d_model] → [batch, pos, head]. */
export function headDots(forward: Forward, layer: number, vector: Tensor): Tensor {
  const result = `blocks.${layer}.attn.hook_result`;
  if (forward.isHooked(result)) return forward.hook(result).dot(vector, "d_model");
  const W_O = forward.weight(`blocks.${layer}.attn.W_O`);
  const z = forward.hook(`blocks.${layer}.attn.hook_z`);
  return vector.dot(W_O, "d_model").dot(z, "d_head").order("batch", "pos", "head");
}

/** PR(result of every head of one layer, writer): writer [batch, pos, d_model] → [batch, pos, head]. */
export function headProjectionRatios(forward: Forward, layer: number, writer: Tensor): Tensor {
  return headDots(forward, layer, writer).div(writer.sumSquares("d_model"));
}

/** ‖result‖² of every head of one layer [batch, pos, head]: z (W_O W_Oᵀ) zᵀ, without the results. */
export function headNorms(forward: Forward, layer: number): Tensor {
  const result = `blocks.${layer}.attn.hook_result`;
  if (forward.isHooked(result)) return forward.hook(result).sumSquares("d_model");
  const W_O = forward.weight(`blocks.${layer}.attn.W_O`);
  const z = forward.hook(`blocks.${layer}.attn.hook_z`);
  const gram = W_O.dot(W_O.rename({ d_head: "other" }), "d_model");
  return z.dot(gram, "d_head").rename({ other: "d_head" }).dot(z, "d_head").order("batch", "pos", "head");
}

/** PR(a, result of every head of one layer): a [batch, pos, d_model] → [batch, pos, head]. */
export function projectionRatiosOntoHeads(forward: Forward, layer: number, a: Tensor): Tensor {
  return headDots(forward, layer, a).div(headNorms(forward, layer));
}
