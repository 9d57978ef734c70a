/**
 * V-composition: the part of a head's output that comes from the writer through the values,
 * v_h(i) = Σ_{j ≤ i} A^h[i, j] · ((w_j - mean(w_j)) / σ_j) · W_V^h · W_O^h, with A and σ = ln1.hook_scale of the clean run.
 * Source: the post, section "V-composition"; arXiv 2310.07325, equation 3. What Q and K read of the writer is left out.
 *
 * With processed weights, clean minus patched head result (the V-input patch below) is v_h exactly.
 */
import { concat, constant, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Hooks } from "../transformer/hook_points.ts";
import { centred } from "../transformer/normalize.ts";

/** The writer's output as the values of one layer see it: [batch, pos, head or kv_head, d_head]. `forward`: the clean run. */
function valuesOf(forward: Forward, layer: number, writer: Tensor): Tensor {
  const weight = forward.maybeWeight(`blocks.${layer}.ln1.w`);
  const scaled = centred(forward.config, writer).div(forward.hook(`blocks.${layer}.ln1.hook_scale`));
  const read = weight ? scaled.mul(weight) : scaled;
  return read.dot(forward.weight(`blocks.${layer}.attn.W_V`), "d_model");
}

/** v_h before W_O, for all heads of one layer: [batch, pos, head, d_head]. */
export function compositionZ(forward: Forward, layer: number, writer: Tensor): Tensor {
  return forward.attend(layer, valuesOf(forward, layer, writer));
}

/** The same without attention weights, each position reading only itself: the form in the authors' repository. */
export function compositionZWithoutAttention(forward: Forward, layer: number, writer: Tensor): Tensor {
  return forward.forEachHead(valuesOf(forward, layer, writer));
}

/** Σ over the given heads of z · W_O: [batch, pos, head, d_head] → [batch, pos, d_model]. */
export function writtenByHeads(forward: Forward, layer: number, z: Tensor, heads: readonly number[]): Tensor {
  const W_O = forward.weight(`blocks.${layer}.attn.W_O`);
  const all = forward.config.n_heads;
  if (heads.length === all) return z.dot(W_O, "head", "d_head");
  const mask = concat(
    Array.from({ length: all }, (_, h) => constant(heads.includes(h) ? 1 : 0).expand("head", 1)),
    "head",
  );
  return z.mul(mask).dot(W_O, "head", "d_head");
}

/**
 * Hooks for the patched run: `hook_v_input` of every head of the given layers minus the writer's output, with
 * `ln1.hook_scale` frozen to the clean run's. Q and K are untouched. Equal to taking the writer away for the OV circuits alone.
 */
export function vInputPatch(clean: Forward, layers: readonly number[], writer: Tensor): Hooks {
  return Object.fromEntries(layers.flatMap((layer) => {
    const scale = `blocks.${layer}.ln1.hook_scale`;
    return [
      [`blocks.${layer}.hook_v_input`, (v: Tensor) => v.sub(writer)],
      [scale, () => clean.hook(scale)],
    ];
  }));
}
