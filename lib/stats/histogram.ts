/**
 * Histograms of many series at once, for quantiles of more values than can be kept. Bins are 0.005 wide in -2 … 2, where projection
 * ratios are read, and 1 wide out to ±40; values beyond fall into the outermost bins. A quantile is interpolated within its bin, so
 * inside ±2 it is off by at most 0.005.
 */

const PER_UNIT = 200, INNER = 2, OUTER = 40;
const FINE_BINS = 2 * INNER * PER_UNIT;
const OUTER_BINS = OUTER - INNER;
export const BINS = FINE_BINS + 2 * OUTER_BINS;
/** The first bin of values that are not below 0. */
const ZERO_BIN = OUTER_BINS + INNER * PER_UNIT;

/** Bin of a value; NaN is the caller's to keep out. */
export function binOf(value: number): number {
  if (value >= -INNER && value < INNER) return OUTER_BINS + ((value + INNER) * PER_UNIT | 0);
  if (value < 0) return value < -OUTER ? 0 : Math.floor(value + OUTER);
  return value >= OUTER ? BINS - 1 : OUTER_BINS + FINE_BINS + Math.floor(value - INNER);
}

/** Lower edge of a bin. */
export function edge(bin: number): number {
  if (bin <= OUTER_BINS) return bin - OUTER;
  if (bin <= OUTER_BINS + FINE_BINS) return -INNER + (bin - OUTER_BINS) / PER_UNIT;
  return INNER + (bin - OUTER_BINS - FINE_BINS);
}

export class Histograms {
  /** counts[series * BINS + bin] */
  readonly counts: Int32Array;
  readonly series: number;

  constructor(series: number, counts: Int32Array = new Int32Array(series * BINS)) {
    if (counts.length !== series * BINS) {
      throw new Error(
        `Histograms: got ${counts.length} counts for ${series} series; expected ${series * BINS}`,
      );
    }
    this.series = series;
    this.counts = counts;
  }

  add(series: number, value: number): void {
    this.counts[series * BINS + binOf(value)]++;
  }

  total(series: number): number {
    let sum = 0;
    for (let bin = 0; bin < BINS; bin++) sum += this.counts[series * BINS + bin];
    return sum;
  }

  /** Share of values below 0; NaN when the series is empty. */
  shareBelowZero(series: number): number {
    let below = 0;
    for (let bin = 0; bin < ZERO_BIN; bin++) below += this.counts[series * BINS + bin];
    return below / this.total(series);
  }

  /** The p-quantile of a series; NaN when the series is empty. */
  quantile(series: number, p: number): number {
    const total = this.total(series);
    if (total === 0) return NaN;
    let below = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const count = this.counts[series * BINS + bin];
      if (count > 0 && below + count >= p * total) {
        return edge(bin) +
          (edge(bin + 1) - edge(bin)) * Math.min(1, Math.max(0, (p * total - below) / count));
      }
      below += count;
    }
    return edge(BINS);
  }
}
