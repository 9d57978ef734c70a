/**
 * What a sublayer (a layer's attention or its MLP) adds to the stream, beside the stream that it is added
 * to. Near 0 the cosine says that something new is written, below 0 that something is taken away, above 0
 * that it is strengthened. Source: Csordás, Manning and Potts, arXiv 2505.13898, section 3. Where the
 * model's norms subtract the mean, both are taken without theirs: nobody reads it.
 */
import type { Branch } from "../checkpoints/blocks.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { centred } from "../transformer/normalize.ts";

/** Keeps 0 / 0 from becoming NaN where nothing is written. */
const TINY = 1e-30;

/** What the branch adds, after its post-norm where it has one: [batch, pos, d_model]. */
export function addedBy(forward: Forward, { writes }: Branch): Tensor {
  return centred(forward.config, forward.hook(writes));
}

/** The stream before that: [batch, pos, d_model]. */
export function streamBefore(forward: Forward, { reads }: Branch): Tensor {
  return centred(forward.config, forward.hook(reads));
}

/** Cosine of two vectors: [batch, pos, d_model] each → [batch, pos]; 0 where one is zero. */
export function cosine(a: Tensor, b: Tensor): Tensor {
  const lengths = a.sumSquares("d_model").atLeast(TINY).sqrt().mul(
    b.sumSquares("d_model").atLeast(TINY).sqrt(),
  );
  return a.dot(b, "d_model").div(lengths);
}
