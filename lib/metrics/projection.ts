/**
 * Projection ratio, PR(a, b) = a·b / ‖b‖², for each prompt and position. b is what the writer wrote; a is
 * what is looked at. 1: b is fully present in a; 0: a is orthogonal to b; -1: a holds an equal and opposite
 * vector. Source: the post, section "Projection ratio"; arXiv 2310.07325, equation 1.
 *
 * A head's own projection is taken in head space, w · (z W_O) = (w W_Oᵀ) · z, so that its result is never
 * written out.
 */
import { attentionOf } from "../checkpoints/blocks.ts";
import { stack, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";

/**
 * PR(a, b): a and b [batch, pos, d_model] → [batch, pos]. Other dims of either are kept.
 *
 * @example
 * ```ts
 * import { run } from "../tensor/run.ts";
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l"), clean = model.forward();
 * const ratio = projectionRatio(clean.hook("blocks.3.hook_resid_post"), clean.node("L1H5"));
 * const results = await run({ ratio }, feed(await promptsFor(model, { count: 2 })));
 * console.log(results.ratio.shape); // [batch, pos]
 * ```
 */
export function projectionRatio(a: Tensor, b: Tensor): Tensor {
  return a.dot(b, "d_model").div(b.sumSquares("d_model"));
}

/**
 * w · W_Oᵀ, through the layer's post-norm where there is one: its product with a head's z is w · (what the
 * head writes).
 */
export function readByHeads(forward: Forward, layer: number, vector: Tensor): Tensor {
  const { postNorm } = attentionOf(forward.config, layer);
  return forward.backThroughNorm(postNorm, vector).dot(forward.weight(`blocks.${layer}.attn.W_O`), "d_model");
}

/**
 * Dot product of every head's result of one layer with `vector` [batch, pos, d_model] → [batch, pos, head].
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward(), writer = clean.node("L1H5");
 * const { dots } = await run({ dots: headDots(clean, 3, writer) }, feed(prompts));
 * console.log(dots.names); // batch, pos, head
 * ```
 */
export function headDots(forward: Forward, layer: number, vector: Tensor): Tensor {
  const result = `blocks.${layer}.attn.hook_result`;
  if (forward.isHooked(result)) return forward.headResults(layer).dot(vector, "d_model");
  const z = forward.hook(`blocks.${layer}.attn.hook_z`);
  return readByHeads(forward, layer, vector).dot(z, "d_head").order("batch", "pos", "head");
}

/**
 * PR(result of every head of one layer, writer): writer [batch, pos, d_model] → [batch, pos, head].
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward(), writer = clean.node("L1H5");
 * const { ratios } = await run({ ratios: headProjectionRatios(clean, 3, writer) }, feed(prompts));
 * console.log(ratios.names); // batch, pos, head: what each head of layer 3 writes of it
 * ```
 */
export function headProjectionRatios(forward: Forward, layer: number, writer: Tensor): Tensor {
  return headDots(forward, layer, writer).div(writer.sumSquares("d_model"));
}

/**
 * PR(value, result of every head of one layer) for several values [batch, pos, d_model] → [batch, pos, value,
 * head]. Here the results are written out once: with many values that is cheaper than a product with W_Oᵀ for
 * each.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), writer = clean.node("L1H5");
 * const end = clean.hook("blocks.3.hook_resid_post");
 * const ratios = projectionRatiosOntoHeads(clean, 1, [end, writer]);
 * console.log(ratios.names); // batch, pos, value, head
 * ```
 */
export function projectionRatiosOntoHeads(
  forward: Forward,
  layer: number,
  values: readonly Tensor[],
): Tensor {
  const results = forward.headResults(layer);
  const dots = stack(values, "value").dot(results, "d_model");
  return dots.div(results.sumSquares("d_model")).order("batch", "pos", "value", "head");
}
