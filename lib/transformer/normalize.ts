/**
 * ln1, ln2 and ln_final. LayerNorm: (x - mean(x)) / scale · w + b with scale = √(mean((x - mean(x))²) + eps). RMSNorm: x / scale · w
 * with scale = √(mean(x²) + eps), nothing subtracted. `hook_scale` is the scale, `hook_normalized` what stands before w and b, as in
 * TransformerLens. After weight processing w and b are gone (folded into what reads the result).
 */
import { sameExpression } from "../tensor/canonical.ts";
import { layerNorm, rmsNorm } from "../tensor/layers.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Trace } from "./trace.ts";

/** Whether the normalisation subtracts the mean over d_model. */
export function subtractsMean(config: { normalization: string }): boolean {
  return config.normalization.startsWith("LN");
}

/** x minus its mean over d_model, where the model's normalisation subtracts it; else x. */
export function centred(config: { normalization: string }, x: Tensor): Tensor {
  return subtractsMean(config) ? x.sub(x.mean("d_model")) : x;
}

/** `x` [batch, pos, d_model] (a head dim may be there), normalised, through the two hook points of `name`. */
export function normalize(trace: Trace, name: string, x: Tensor, keep = true): Tensor {
  const { eps, d_model } = trace.config;
  const centres = subtractsMean(trace.config);
  const [weight, bias] = [trace.params.maybe(`${name}.w`), trace.params.maybe(`${name}.b`)];
  const fused = centres ? layerNorm(x, "d_model", eps) : {
    normalized: rmsNorm(x, "d_model", eps),
    scale: x.sumSquares("d_model").mul(1 / d_model).add(eps).sqrt(),
  };
  const scale = trace.point(`${name}.hook_scale`, fused.scale, keep);
  // A hook may have given another scale: the division is spelt out then. A scale frozen to that of a pass which is the same up to
  // here is no other scale: Q, K and the pattern are then shared with that pass.
  const changed = !sameExpression(scale.node, fused.scale.node);
  const normalized = () => changed ? centred(trace.config, x).div(scale) : fused.normalized;
  const point = `${name}.hook_normalized`;
  if (changed || trace.isHooked(point)) {
    let result = trace.point(point, normalized(), keep);
    if (weight) result = result.mul(weight);
    return bias ? result.add(bias) : result;
  }
  if (keep) trace.later(point, normalized);
  return centres
    ? layerNorm(x, "d_model", eps, { weight, bias }).normalized
    : rmsNorm(x, "d_model", eps, weight);
}
