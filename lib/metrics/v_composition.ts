/**
 * V-composition: the part of a head's output that comes from the writer through the values,
 *
 *     v_h(i) = Σ_{j ≤ i} A^h[i, j] · ((w_j - mean(w_j)) / σ_j) · W_V^h · W_O^h
 *
 * with A and σ = ln1.hook_scale of the clean run. Source: the post, section "V-composition"; arXiv
 * 2310.07325, equation 3. What Q and K read of the writer is left out. Where a norm stands after attention,
 * what reaches the stream is v_h through that norm, with the clean run's scale (`writtenByHeads`).
 *
 * With processed weights, clean minus patched head result (the V-input patch below) is v_h exactly.
 */
import { attentionOf, type Branch } from "../checkpoints/blocks.ts";
import { concat, constant, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Hooks } from "../transformer/hook_points.ts";

/**
 * The writer's output as the values of one layer see it: [batch, pos, head or kv_head, d_head]. `forward`:
 * the clean run.
 */
function valuesOf(forward: Forward, layer: number, writer: Tensor): Tensor {
  const { norm, block } = attentionOf(forward.config, layer);
  return forward.partThroughNorm(norm, writer).dot(forward.weight(`${block}.attn.W_V`), "d_model");
}

/**
 * v_h before W_O, for all heads of one layer: [batch, pos, head, d_head].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * console.log(compositionZ(clean, 3, clean.node("L1H5")).names); // batch, pos, head, d_head
 * ```
 */
export function compositionZ(forward: Forward, layer: number, writer: Tensor): Tensor {
  return forward.attend(layer, valuesOf(forward, layer, writer));
}

/**
 * The same without attention weights, each position reading only itself: the form in the authors' repository.
 */
export function compositionZWithoutAttention(forward: Forward, layer: number, writer: Tensor): Tensor {
  return forward.forEachHead(valuesOf(forward, layer, writer));
}

/**
 * Σ over the given heads of z · W_O, through the layer's post-norm where there is one, with the scale of
 * `forward`: [batch, pos, head, d_head] → [batch, pos, d_model].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * const written = writtenByHeads(clean, 3, clean.hook("blocks.3.attn.hook_z"), [0, 1]);
 * console.log(written.names); // batch, pos, d_model: heads 0 and 1 of layer 3 together
 * ```
 */
export function writtenByHeads(forward: Forward, layer: number, z: Tensor, heads: readonly number[]): Tensor {
  const W_O = forward.weight(`blocks.${layer}.attn.W_O`);
  const all = forward.config.n_heads;
  const chosen = () => {
    if (heads.length === all) return z;
    const mask = Array.from({ length: all }, (_, h) => constant(heads.includes(h) ? 1 : 0).expand("head", 1));
    return z.mul(concat(mask, "head"));
  };
  return forward.partThroughNorm(
    attentionOf(forward.config, layer).postNorm,
    chosen().dot(W_O, "head", "d_head"),
  );
}

/**
 * Hooks for the patched run: `hook_v_input` of every head of the given layers minus the writer's output, with
 * `ln1.hook_scale` (and `ln1_post.hook_scale`) frozen to the clean run's. Q and K are untouched. Equal to
 * taking the writer away for the OV circuits alone.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * const patched = model.forward({ hooks: vInputPatch(clean, [3], clean.node("L1H5")) });
 * console.log(patched.isHooked("blocks.3.hook_v_input")); // true
 * ```
 */
export function vInputPatch(clean: Forward, layers: readonly number[], writer: Tensor): Hooks {
  return Object.assign(
    {},
    ...layers.map((layer) => ({
      [`blocks.${layer}.hook_v_input`]: (v: Tensor) => v.sub(writer),
      ...frozenScales(clean, attentionOf(clean.config, layer)),
    })),
  );
}

/**
 * Hooks that keep the scales of a branch's norms as they were in the clean run: what it writes is then linear
 * in its values.
 */
export function frozenScales(clean: Forward, { norm, postNorm }: Branch): Hooks {
  const scales = [norm, postNorm].flatMap((name) => name === undefined ? [] : [`${name}.hook_scale`]);
  return Object.fromEntries(scales.map((scale) => [scale, () => clean.hook(scale)]));
}
