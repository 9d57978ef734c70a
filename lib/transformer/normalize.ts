/**
 * ln1, ln2 and ln_final, and where a model has them ln1_post, ln2_post, embed.ln, q_norm and k_norm.
 * LayerNorm: (x - mean(x)) / scale · w + b with scale = √(mean((x - mean(x))²) + eps). RMSNorm: x / scale · w
 * with scale = √(mean(x²) + eps), nothing subtracted. `hook_scale` is the scale, `hook_normalized` what
 * stands before w and b, as in TransformerLens. After weight processing w and b are gone where they could be
 * folded into what reads the result.
 *
 * With its scale given, a norm is linear: `partThroughNorm` is what it makes of a part of its input, so that
 * the parts add up to the whole (but for b), and `backThroughNorm` the transposed map: partThroughNorm(x) · v
 * = x · backThroughNorm(v).
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

interface NormOptions {
  /** Off for the copies that heads read by themselves: see `Trace.point`. */
  keep?: boolean;
  /** The dims that are normalised together. Those of q and k are never centred. */
  over?: readonly string[];
}

/** `x` [batch, pos, d_model] (a head dim may be there), normalised, through the two hook points of `name`. */
export function normalize(
  trace: Trace,
  name: string,
  x: Tensor,
  { keep = true, over = ["d_model"] }: NormOptions = {},
): Tensor {
  const { eps } = trace.config;
  const centres = subtractsMean(trace.config) && over.includes("d_model");
  const [weight, bias] = [trace.params.maybe(`${name}.w`), trace.params.maybe(`${name}.b`)];
  const size = over.reduce((n, dim) => n * Number(x.dims.find((d) => d.name === dim)!.size), 1);
  const rmsScale = () => x.sumSquares(...over).mul(1 / size).add(eps).sqrt();
  const one = over.length === 1 ? over[0] : undefined; // the fused forms normalise one dim
  const fused = centres
    ? layerNorm(x, over[0], eps)
    : { normalized: one && rmsNorm(x, one, eps), scale: rmsScale() };
  const scale = trace.point(`${name}.hook_scale`, fused.scale, keep);
  // A hook may have given another scale: the division is spelt out then. A scale frozen to that of a pass
  // which is the same up to here is no other scale: Q, K and the pattern are then shared with that pass.
  const changed = !fused.normalized || !sameExpression(scale.node, fused.scale.node);
  const normalized = () =>
    changed ? (centres ? centred(trace.config, x) : x).div(scale) : fused.normalized as Tensor;
  const point = `${name}.hook_normalized`;
  if (changed || trace.isHooked(point)) {
    let result = trace.point(point, normalized(), keep);
    if (weight) result = result.mul(weight);
    return bias ? result.add(bias) : result;
  }
  if (keep) trace.later(point, normalized);
  return centres ? layerNorm(x, over[0], eps, { weight, bias }).normalized : rmsNorm(x, one!, eps, weight);
}

/** What the norm `name` makes of a part of its input [… d_model]: see `Forward.partThroughNorm`. */
export function partThroughNorm(
  trace: Trace,
  name: string | undefined,
  part: Tensor,
  positions?: { start: number; end: number },
): Tensor {
  if (name === undefined) return part;
  const weight = trace.params.maybe(`${name}.w`);
  const scale = trace.get(`${name}.hook_scale`);
  const there = positions ? scale.slice("pos", positions.start, positions.end) : scale;
  const scaled = centred(trace.config, part).div(there);
  return weight ? scaled.mul(weight) : scaled;
}

/** The vector whose product with a part equals that of `vector` with what the norm makes of the part. */
export function backThroughNorm(trace: Trace, name: string | undefined, vector: Tensor): Tensor {
  if (name === undefined) return vector;
  const weight = trace.params.maybe(`${name}.w`);
  return centred(trace.config, weight ? vector.mul(weight) : vector).div(trace.get(`${name}.hook_scale`));
}
