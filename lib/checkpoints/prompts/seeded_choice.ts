/**
 * Random choices that a seed repeats exactly, on every machine (mulberry32: 32 bits of state, good enough to
 * draw samples).
 */

/**
 * `choose(n, k)`: k different whole numbers below n, in random order. One chooser gives one sequence of
 * choices.
 */
export type Chooser = (n: number, k: number) => number[];

export function chooser(seed: number): Chooser {
  let state = seed >>> 0;
  const below = (end: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor(((x ^ (x >>> 14)) >>> 0) / 2 ** 32 * end);
  };
  return (n, k) => {
    if (!Number.isInteger(n) || !Number.isInteger(k) || k < 0 || k > n) {
      throw new Error(`Cannot choose ${k} of ${n}.`);
    }
    // Fisher and Yates' shuffle, as far as it is needed; only moved places are remembered.
    const moved = new Map<number, number>();
    const at = (i: number) => moved.get(i) ?? i;
    return Array.from({ length: k }, (_, i) => {
      const j = i + below(n - i);
      const chosen = at(j);
      moved.set(j, at(i));
      return chosen;
    });
  };
}
