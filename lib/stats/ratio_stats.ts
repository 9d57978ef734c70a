/**
 * Ratios a·b / ‖b‖² of many series over more tokens than can be kept: a histogram of each, and Σ a·b and Σ ‖b‖² by block of prompts,
 * which is what the bootstrap draws. Tokens of one prompt depend on each other; prompts do not.
 */
import { Histograms } from "./histogram.ts";

export class RatioStats {
  readonly blocks: number;
  readonly histograms: Histograms;
  /** [series * blocks + block] */
  readonly dot: Float64Array;
  readonly norm: Float64Array;

  constructor(series: number, blocks: number) {
    this.blocks = blocks;
    this.histograms = new Histograms(series);
    this.dot = new Float64Array(series * blocks);
    this.norm = new Float64Array(series * blocks);
  }

  /** One token. A token whose writer wrote nothing (norm 0) has no ratio and does not count. */
  add(series: number, dot: number, norm: number, block: number): void {
    if (!(norm > 0)) return;
    this.histograms.add(series, dot / norm);
    this.dot[series * this.blocks + block] += dot;
    this.norm[series * this.blocks + block] += norm;
  }

  /** Tokens that count. */
  total(series: number): number {
    return this.histograms.total(series);
  }

  quantile(series: number, p: number): number {
    return this.histograms.quantile(series, p);
  }

  /** P(ratio < 0). */
  shareBelow(series: number): number {
    return this.histograms.shareBelowZero(series);
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
