/**
 * An MLP by neuron. What it adds is Σ_i post_i · w_out_i + b_out (through the post-norm where there is
 * one), so its response to a missing output is a sum over neurons, exactly but for what a post-norm's
 * scale does to b_out.
 *
 * A neuron whose input and output weights point opposite ways writes against what it reads: cos(w_in,
 * w_out) below
 * 0. Sources: Gurnee et al., arXiv 2401.12181; of gated MLPs, where the gate reads as well, Gerstner and
 * Schütze, arXiv 2505.17936.
 */
import { blockOf, type MlpBranch } from "../checkpoints/blocks.ts";
import type { ModelConfig } from "../checkpoints/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { cosine } from "./sublayers.ts";

/** The MLP of a layer. @throws in a model of attention alone */
export function mlpOf(config: ModelConfig, layer: number): MlpBranch {
  const branch = blockOf(config, layer).branches.find(({ kind }) => kind === "mlp");
  if (!branch) throw new Error(`the model has no MLP in layer ${layer}`);
  return branch as MlpBranch;
}

/**
 * What each neuron of a layer writes, times `vector` [batch, pos, d_model]: [batch, pos, d_mlp].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward();
 * console.log(neuronDots(clean, 3, clean.node("L1H5")).names); // batch, pos, d_mlp
 * ```
 */
export function neuronDots(forward: Forward, layer: number, vector: Tensor): Tensor {
  const { postNorm, block } = mlpOf(forward.config, layer);
  const onto = forward.backThroughNorm(postNorm, vector).dot(forward.weight(`${block}.mlp.W_out`), "d_model");
  return forward.hook(`${block}.mlp.hook_post`).mul(onto).order("batch", "pos", "d_mlp");
}

/**
 * Cosines between the weights of each neuron of a layer, [d_mlp] each; those with the gate in gated MLPs
 * alone.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { inOut } = neuronCosines(model.forward(), 3);
 * console.log(inOut.names); // d_mlp: below 0, a neuron writes the opposite of what it reads
 * ```
 */
export function neuronCosines(
  forward: Forward,
  layer: number,
): { inOut: Tensor; gateOut?: Tensor; gateIn?: Tensor } {
  const { block, gated } = mlpOf(forward.config, layer);
  const weight = (name: string) => forward.weight(`${block}.mlp.W_${name}`);
  const inOut = cosine(weight("in"), weight("out"));
  if (!gated) return { inOut };
  return {
    inOut,
    gateOut: cosine(weight("gate"), weight("out")),
    gateIn: cosine(weight("gate"), weight("in")),
  };
}
