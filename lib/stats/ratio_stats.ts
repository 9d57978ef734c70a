/**
 * Ratios a·b / ‖b‖² of many series over more tokens than can be kept: histogram, share below 0, and Σ a·b and Σ ‖b‖² by block of
 * prompts, which is what the bootstrap draws. Tokens of one prompt depend on each other; prompts do not.
 */
import { Histograms } from "./histogram.ts";

export class RatioStats {
  readonly blocks: number;
  readonly histograms: Histograms;
  readonly tokens: Int32Array;
  readonly below: Int32Array;
  /** [series * blocks + block] */
  readonly dot: Float64Array;
  readonly norm: Float64Array;

  constructor(series: number, blocks: number) {
    this.blocks = blocks;
    this.histograms = new Histograms(series);
    this.tokens = new Int32Array(series);
    this.below = new Int32Array(series);
    this.dot = new Float64Array(series * blocks);
    this.norm = new Float64Array(series * blocks);
  }

  add(series: number, dot: number, norm: number, block: number): void {
    const ratio = dot / norm;
    this.histograms.add(series, ratio);
    this.tokens[series]++;
    if (ratio < 0) this.below[series]++;
    this.dot[series * this.blocks + block] += dot;
    this.norm[series * this.blocks + block] += norm;
  }

  quantile(series: number, p: number): number {
    return this.histograms.quantile(series, p);
  }

  /** P(ratio < 0). */
  shareBelow(series: number): number {
    return this.below[series] / this.tokens[series];
  }

  /** Σ a·b / Σ ‖b‖² over all blocks, or over the drawn ones. */
  ratio(series: number, draw?: Int32Array): number {
    const start = series * this.blocks;
    let [dot, norm] = [0, 0];
    for (let i = 0; i < this.blocks; i++) {
      const at = start + (draw ? draw[i] : i);
      dot += this.dot[at];
      norm += this.norm[at];
    }
    return dot / norm;
  }
}
