/**
 * How much of the variance of vectors is explained by labels: an additive model y(t) = μ + Σ_f
 * effect_f(label_f(t)), fitted by least squares. It is fitted by turns (backfitting: each factor's effects
 * are the means by label of what the others leave), which converges to the least-squares fit without a
 * matrix of all labels.
 *
 * Type II sums of squares: a factor's share is what the fit loses without it, beside all others. What two
 * factors could both explain belongs to neither then.
 */

/** Labels of one factor: a whole number from 0 for each vector. */
export type Labels = Int32Array;

const ROUNDS = 200;
/** A fit is done when a round explains less than this part of the variance more. */
const TOLERANCE = 1e-7;

/** Rows of `width` numbers, freed of their mean. */
function centredRows(y: ArrayLike<number>, width: number): Float64Array {
  const rows = y.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < y.length; i++) mean[i % width] += y[i] / rows;
  return Float64Array.from(y, (x, i) => x - mean[i % width]);
}

/**
 * Takes the mean by label out of `rest` [rows, width], in place.
 * @returns by how much Σ ‖rest‖² falls: Σ over labels of size · ‖mean‖²
 */
function takeMeans(rest: Float64Array, width: number, labels: Labels, count: number): number {
  const means = new Float64Array(count * width), sizes = new Float64Array(count);
  for (let row = 0, from = 0; row < labels.length; row++) {
    const at = labels[row] * width;
    sizes[labels[row]]++;
    for (let i = 0; i < width; i++) means[at + i] += rest[from++];
  }
  let taken = 0;
  for (let label = 0, at = 0; label < count; label++) {
    const size = sizes[label] || 1; // a label that does not occur has no mean
    for (let i = 0; i < width; i++, at++) {
      means[at] /= size;
      taken += size * means[at] ** 2;
    }
  }
  for (let row = 0, to = 0; row < labels.length; row++) {
    const at = labels[row] * width;
    for (let i = 0; i < width; i++) rest[to++] -= means[at + i];
  }
  return taken;
}

const square = (x: Float64Array) => x.reduce((sum, value) => sum + value * value, 0);

/**
 * The part of Σ ‖y − mean‖² that all factors together explain.
 * @param y vectors [rows, width]; NaN where they are all equal
 */
export function explained(y: ArrayLike<number>, width: number, factors: readonly Labels[]): number {
  const rest = centredRows(y, width);
  const whole = square(rest);
  if (factors.length === 0) return 0;
  const counts = factors.map((labels) => labels.reduce((a, b) => Math.max(a, b), 0) + 1);
  let left = whole;
  for (let round = 0; round < (factors.length === 1 ? 1 : ROUNDS); round++) {
    // Taking means of residuals by turns is backfitting: the effects are what was taken in all rounds.
    const taken = factors.reduce((sum, labels, f) => sum + takeMeans(rest, width, labels, counts[f]), 0);
    left -= taken;
    if (taken <= TOLERANCE * whole) break;
  }
  return 1 - left / whole;
}
