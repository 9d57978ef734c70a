/** Sums by block of prompts, which is what a bootstrap over prompts draws. */

/** Σ over all blocks, or over the drawn ones. */
export function sumOfBlocks(sums: Float64Array, draw?: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < sums.length; i++) sum += sums[draw ? draw[i] : i];
  return sum;
}
