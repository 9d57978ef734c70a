/**
 * What weight processing (processing.ts) does with weights, whatever they are: arrays in memory
 * (array_algebra.ts), or expressions over what lies in a file (expression_algebra.ts).
 */
import type { ModelConfig } from "../checkpoints/config.ts";

export interface Algebra<W> {
  /** One that the functions below may change. They return the result, changed or new. */
  copy(weight: W): W;
  /** W - mean over `dim`. */
  center(weight: W, dim: string): W;
  /** W · v along `dim`. */
  scaleBy(weight: W, dim: string, v: W): W;
  /** into + Σ over `dim` of W · v. */
  addProduct(into: W, weight: W, dim: string, v: W): W;
  /** b_O + Σ over head and d_head of b_V · W_O; a kv_head's b_V counts for each head that shares it. */
  addThroughHeads(b_O: W, b_V: W, W_O: W, config: ModelConfig): W;
  /** 0, of the same shape. */
  zero(weight: W): W;
}
