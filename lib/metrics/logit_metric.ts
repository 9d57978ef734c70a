/**
 * What vectors of the stream say, over the whole vocabulary: ⟨a, b⟩ = Σ_v logit_v(a) · logit_v(b), with
 * the logits of each vector taken through the clean run's final norm and W_U, less their mean over the
 * vocabulary. With G = W_U W_Uᵀ (centred) that is a G bᵀ: no logit is ever written out.
 */
import { finalNorm } from "../checkpoints/blocks.ts";
import { param, type Tensor } from "../tensor/tensor.ts";
import { run } from "../tensor/run.ts";
import type { Forward } from "../transformer/forward.ts";

/**
 * G [d_model, other], computed once. @throws in a model without unembedding
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const G = await logitMetric(model.forward());
 * console.log(G.names); // d_model, other
 * ```
 */
export async function logitMetric(forward: Forward): Promise<Tensor> {
  const W_U = forward.weight("unembed.W_U");
  const centred = W_U.sub(W_U.mean("d_vocab"));
  const product = centred.dot(centred.rename({ d_model: "other" }), "d_vocab").order("d_model", "other");
  const { G } = await run({ G: product }, {});
  const { d_model } = forward.config;
  return param("W_U W_Uᵀ", G.data as Float32Array, [
    { name: "d_model", size: d_model },
    { name: "other", size: d_model },
  ]);
}

/**
 * What the unembedding reads of a part of the stream: [batch, pos, d_model].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * console.log(throughFinalNorm(clean, clean.node("L1H5")).names); // batch, pos, d_model
 * ```
 */
export function throughFinalNorm(forward: Forward, part: Tensor): Tensor {
  return forward.partThroughNorm(finalNorm(forward.config), part);
}

/**
 * a G bᵀ of two vectors [batch, pos, d_model] that went through the final norm: [batch, pos].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), G = await logitMetric(clean);
 * const [a, b] = ["L1H5", "MLP3"].map((node) => throughFinalNorm(clean, clean.node(node)));
 * console.log(logitDot(G, a, b).names); // batch, pos: below 0, they say opposite things
 * ```
 */
export function logitDot(G: Tensor, a: Tensor, b: Tensor): Tensor {
  return a.dot(G, "d_model").rename({ other: "d_model" }).dot(b, "d_model");
}
