/**
 * Quantiles of values that are kept as one histogram for each block of prompts, over all blocks or over those
 * that a bootstrap drew. A draw costs a binary search over the bins, not a pass over them.
 */
import { checkDraw } from "./block_sums.ts";
import { BINS, edge, type Histograms } from "./histogram.ts";

export class BlockQuantile {
  readonly #blocks: number;
  /** [block * (BINS + 1) + bin]: values of the block below the bin's lower edge. */
  readonly #below: Float64Array;

  /** @param histograms one series a block; what is added to them later does not count */
  constructor({ counts, series }: Histograms) {
    this.#blocks = series;
    this.#below = new Float64Array(series * (BINS + 1));
    for (let block = 0; block < series; block++) {
      const at = block * (BINS + 1);
      for (let bin = 0; bin < BINS; bin++) {
        this.#below[at + bin + 1] = this.#below[at + bin] + counts[block * BINS + bin];
      }
    }
  }

  #count(bin: number, draw?: Int32Array): number {
    let sum = 0;
    for (let i = 0; i < this.#blocks; i++) sum += this.#below[(draw ? draw[i] : i) * (BINS + 1) + bin];
    return sum;
  }

  /**
   * The p-quantile, interpolated within its bin; NaN when there are no values. @throws for a draw of another
   * number of blocks
   */
  at(p: number, draw?: Int32Array): number {
    checkDraw(this.#blocks, draw);
    const total = this.#count(BINS, draw);
    if (total === 0) return NaN;
    let [low, high] = [0, BINS]; // the value lies in the bins low … high - 1
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#count(middle, draw) < p * total) low = middle;
      else high = middle;
    }
    const [below, upTo] = [this.#count(low, draw), this.#count(low + 1, draw)];
    const part = upTo > below ? Math.min(1, Math.max(0, (p * total - below) / (upTo - below))) : 0;
    return edge(low) + (edge(low + 1) - edge(low)) * part;
  }
}
