/** A histogram with bins of equal width from 0 to the largest value. */

export interface Bin {
  from: number;
  to: number;
  count: number;
}

/** Counts of values ≥ 0. The last bin includes the largest value. */
export function histogram(values: ArrayLike<number>, bins: number): Bin[] {
  if (values.length === 0) throw new Error("histogram: got no values; expected at least one");
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] >= 0)) {
      throw new Error(`histogram: got ${values[i]} at index ${i}; expected numbers from 0`);
    }
    largest = Math.max(largest, values[i]);
  }
  const width = largest > 0 ? largest / bins : 1;
  const result = Array.from({ length: bins }, (_, i) => ({ from: i * width, to: (i + 1) * width, count: 0 }));
  for (let i = 0; i < values.length; i++) result[Math.min(bins - 1, Math.floor(values[i] / width))].count++;
  return result;
}
