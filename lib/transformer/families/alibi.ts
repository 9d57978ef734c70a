/** The slopes of ALiBi (Press et al., arXiv 2108.12409), as BLOOM and Falcon compute them. */

/**
 * Heads in powers of 2: 2^(-8 / n), 2^(-16 / n), …. Of other numbers, those of the next power of 2 below,
 * then every second of the one above.
 */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const base = (n: number) => 2 ** -(2 ** -(Math.log2(n) - 3));
  const first = Array.from({ length: power }, (_, i) => base(power) ** (i + 1));
  const rest = Array.from({ length: heads - power }, (_, i) => base(2 * power) ** (2 * i + 1));
  return [...first, ...rest];
}
