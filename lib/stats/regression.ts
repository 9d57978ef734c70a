/** Ordinary least squares of y on x with standard errors, and Pearson's r. */

export interface Regression {
  n: number;
  r: number;
  slope: number;
  /** Standard error of the slope. */
  slopeError: number;
  intercept: number;
  interceptError: number;
}

/** y ≈ slope · x + intercept. Errors assume independent residuals of equal variance; tokens of one text are not quite that. */
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
