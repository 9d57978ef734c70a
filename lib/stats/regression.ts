/**
 * Ordinary least squares of y on x with standard errors, and Pearson's r; and the same by blocks of prompts,
 * for a bootstrap: positions of one text depend on each other, so the standard errors of independent points
 * are too small.
 */

export interface Regression {
  /** Points. */
  n: number;
  /** Pearson's correlation; NaN where one side does not vary. */
  r: number;
  /** Of the least-squares line y = slope · x + intercept. */
  slope: number;
  /** Standard error of the slope. */
  slopeError: number;
  /** Where the line meets x = 0, in units of y. */
  intercept: number;
  /** Its standard error, in units of y. */
  interceptError: number;
}

/**
 * y ≈ slope · x + intercept. Errors assume independent residuals of equal variance; tokens of one text are
 * not quite that.
 *
 * @example
 * ```ts
 * const { slope, intercept, r } = regress([0, 1, 2, 3], [1, 3, 5, 7]);
 * console.log(slope, intercept, r); // 2 1 1
 * ```
 */
export function regress(x: ArrayLike<number>, y: ArrayLike<number>): Regression {
  const n = x.length;
  if (n !== y.length || n < 3) {
    throw new Error(`regress: got ${n} x and ${y.length} y; expected the same number, at least 3`);
  }
  let [meanX, meanY] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanX += x[i] / n;
    meanY += y[i] / n;
  }
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [dx, dy] = [x[i] - meanX, y[i] - meanY];
    xx += dx * dx;
    xy += dx * dy;
    yy += dy * dy;
  }
  if (!(xx > 0)) throw new Error(`regress: all ${n} x are equal (${meanX}); a line needs two different ones`);
  const slope = xy / xx;
  const intercept = meanY - slope * meanX;
  const variance = Math.max(0, yy - slope * xy) / (n - 2);
  return {
    n,
    r: yy > 0 ? xy / Math.sqrt(xx * yy) : 0,
    slope,
    slopeError: Math.sqrt(variance / xx),
    intercept,
    interceptError: Math.sqrt(variance * (1 / n + meanX * meanX / xx)),
  };
}

/** A line and its correlation, without errors. */
export type Line = Pick<Regression, "r" | "slope" | "intercept">;

/** n, Σx, Σy, Σx², Σxy, Σy². */
const SUMS = 6;

/**
 * Points in blocks, kept as sums, so that the regression over any draw of blocks costs one pass over the
 * blocks.
 */
export class BlockRegression {
  readonly blocks: number;
  readonly #sums: Float64Array;

  constructor(blocks: number) {
    this.blocks = blocks;
    this.#sums = new Float64Array(blocks * SUMS);
  }

  add(x: number, y: number, block: number): void {
    [1, x, y, x * x, x * y, y * y].forEach((value, i) => this.#sums[block * SUMS + i] += value);
  }

  /** Over all blocks, or over those of a draw; NaN where all x are equal. */
  at(draw?: Int32Array): Line & { n: number } {
    const total = new Float64Array(SUMS);
    for (let i = 0; i < this.blocks; i++) {
      const start = (draw ? draw[i] : i) * SUMS;
      for (let k = 0; k < SUMS; k++) total[k] += this.#sums[start + k];
    }
    const [n, x, y, xx, xy, yy] = total;
    const [sxx, sxy, syy] = [xx - x * x / n, xy - x * y / n, yy - y * y / n];
    const slope = sxx > 0 ? sxy / sxx : NaN;
    return {
      n,
      slope,
      intercept: (y - slope * x) / n,
      r: sxx > 0 && syy > 0 ? sxy / Math.sqrt(sxx * syy) : NaN,
    };
  }
}
