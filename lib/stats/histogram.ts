/**
 * Histograms of many series at once, for quantiles of more values than can be kept. Bins are 0.005 wide in -2
 * … 2, where projection ratios and retentions are read, 0.05 out to ±10 and 1 out to ±40; values beyond fall
 * into the outermost bins. A quantile is interpolated within its bin, so it is off by at most its width.
 */

/** From 0 outwards: bins of one width up to `to`. */
const ZONES = [{ to: 2, perUnit: 200 }, { to: 10, perUnit: 20 }, { to: 40, perUnit: 1 }];
/** Bins on one side of 0, and where each zone's begin. */
const STARTS = ZONES.map(() => 0);
let side = 0;
ZONES.forEach(({ to, perUnit }, i) => {
  STARTS[i] = side;
  side += (to - from(i)) * perUnit;
});
const SIDE = side;
export const BINS = 2 * SIDE;

function from(zone: number): number {
  return zone === 0 ? 0 : ZONES[zone - 1].to;
}

/** Bin of a value; NaN is the caller's to keep out. */
export function binOf(value: number): number {
  const size = Math.abs(value), negative = value < 0;
  let place = SIDE - 1;
  for (let i = 0; i < ZONES.length; i++) {
    const { to, perUnit } = ZONES[i];
    if (size >= to) continue;
    const at = (size - from(i)) * perUnit;
    // Bins hold their lower edge: below 0 that is the outer one.
    place = STARTS[i] + (negative ? Math.ceil(at) - 1 : Math.floor(at));
    break;
  }
  return negative ? SIDE - 1 - place : SIDE + place;
}

/** Lower edge of a bin. */
export function edge(bin: number): number {
  const negative = bin < SIDE, place = negative ? SIDE - bin : bin - SIDE;
  const zone = ZONES.findLastIndex((_, i) => place >= STARTS[i]);
  const size = from(zone) + (place - STARTS[zone]) / ZONES[zone].perUnit;
  return negative ? -size : size;
}

/** A count's largest value. */
const MOST = 2 ** 31 - 1;

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
    if (++this.counts[series * BINS + binOf(value)] > MOST) {
      throw new Error(`Histograms: more than ${MOST} values in one bin; give fewer.`);
    }
  }

  total(series: number): number {
    let sum = 0;
    for (let bin = 0; bin < BINS; bin++) sum += this.counts[series * BINS + bin];
    return sum;
  }

  /** Share of values below 0; NaN when the series is empty. */
  shareBelowZero(series: number): number {
    let below = 0;
    for (let bin = 0; bin < SIDE; bin++) below += this.counts[series * BINS + bin];
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
