/**
 * Seeded random numbers for tests: mulberry32, 32 bits of state. Equal seeds give equal sequences on every
 * machine.
 */

/** Uniform numbers in [0, 1). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number in [0, end). */
export function randomInt(random: () => number, end: number): number {
  return Math.floor(random() * end);
}

/** Normal numbers with standard deviation `sd` (Box–Muller). */
export function randomNormal(random: () => number, length: number, sd = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from(
    { length },
    () => sd * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}
