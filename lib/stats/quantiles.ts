/**
 * Quantiles with linear interpolation between order statistics (type 7: the default of NumPy, PyTorch and
 * d3).
 */
import { quantileSorted } from "d3-array";

/** A value is NaN or ±∞: quantiles would be of what is left, or of nothing. */
export class NotFinite extends Error {}

/**
 * The named quantiles of `values`, which stay as they are. @throws NotFinite
 *
 * @example
 * ```ts
 * console.log(quantiles(Float64Array.of(4, 1, 3, 2), [0.25, 0.5])); // 1.75, 2.5
 * ```
 */
export function quantiles(values: Float32Array | Float64Array | Int32Array, at: readonly number[]): number[] {
  if (values.length === 0) throw new Error("quantiles: got no values; expected at least one");
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new NotFinite(`quantiles: got ${values[bad]} at index ${bad} of ${values.length}`);
  const sorted = values.slice().sort();
  return at.map((p) => quantileSorted(sorted as unknown as number[], p)!);
}
