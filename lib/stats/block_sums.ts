/** Sums by block of prompts, which is what a bootstrap over prompts draws. */

/**
 * @throws for a draw of another number of blocks: places that are not there would count as NaN, or as nothing
 */
export function checkDraw(blocks: number, draw?: Int32Array): void {
  if (draw && draw.length !== blocks) {
    throw new Error(`a bootstrap draw of ${draw.length} blocks; expected ${blocks}, as many as there are`);
  }
}

/** Σ over all blocks, or over the drawn ones. @throws as `checkDraw` */
export function sumOfBlocks(sums: Float64Array, draw?: Int32Array): number {
  checkDraw(sums.length, draw);
  let sum = 0;
  for (let i = 0; i < sums.length; i++) sum += sums[draw ? draw[i] : i];
  return sum;
}
