/**
 * The mean of a control over its random draws (rotations, say), and how unsure that mean is. Draws are few,
 * so a plain bootstrap over them would be too sure: with three it has two thirds of the variance, and knows
 * nothing of the tails. What each bootstrap draw of them is off the mean is therefore stretched by √(n / (n -
 * 1)) · t / z, Student's t of n - 1 degrees of freedom beside the normal z. A single draw says nothing about
 * others: intervals are over prompts alone then.
 */
import { Random } from "./random.ts";

const Z = 1.959964;
/** 97.5 % quantile of Student's t with 1 … 10 degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.2). */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/**
 * 97.5 % quantile of Student's t; above 10 degrees of freedom by Cornish and Fisher's expansion, to 0.001.
 */
export function studentT(degrees: number): number {
  if (degrees <= T.length) return T[degrees - 1];
  return Z + (Z ** 3 + Z) / (4 * degrees) + (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * degrees ** 2) +
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / (384 * degrees ** 3);
}

export class ControlDraws<T> {
  readonly all: readonly T[];
  /** Which of the control's draws stand in for all, by bootstrap draw of the prompts. */
  readonly #picks: Map<Int32Array, Int32Array>;
  readonly #stretch: number;

  /** @param draws bootstrap draws of the prompts, each of which is given one of the control's draws */
  constructor(all: readonly T[], draws: readonly Int32Array[], seed: number) {
    this.all = all;
    const random = new Random(seed), n = all.length;
    this.#picks = new Map(draws.map((draw) => [draw, Int32Array.from(all, () => random.below(n))]));
    this.#stretch = n < 2 ? 0 : Math.sqrt(n / (n - 1)) * studentT(n - 1) / Z;
  }

  /**
   * Mean of a statistic over the draws; of a bootstrap draw of the prompts, with what the choice of the
   * control's draws leaves unsure.
   */
  mean(statistic: (one: T, draw?: Int32Array) => number, draw?: Int32Array): number {
    const values = this.all.map((one) => statistic(one, draw));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const picks = draw && this.#picks.get(draw);
    if (!picks) return mean;
    let picked = 0;
    for (const i of picks) picked += values[i];
    return mean + this.#stretch * (picked / picks.length - mean);
  }
}
