/**
 * Estimates with intervals over prompts, beside a control of several random draws. Statistics are made of
 * sums by block of prompts, computed once for all blocks and once for each bootstrap draw of them. The same
 * draws serve all statistics of one experiment, so differences are paired.
 *
 * The question of the control is: would another random direction do the same? Directions differ, so an
 * effect may lie surely above the mean of random ones and yet be nothing special. A control's interval is
 * therefore that of one more draw: what a draw is off the mean, stretched by √((n + 1) / (n − 1)) · t / z,
 * Student's t of n − 1 degrees of freedom beside the normal z, since n draws are few.
 */
import { sumOfBlocks } from "../stats/block_sums.ts";
import { studentT } from "../stats/control_draws.ts";
import { Random } from "../stats/random.ts";
import { bootstrapDraws, bootstrapInterval } from "../stats/significance.ts";
import { BLOCKS } from "./retention/removal_stats.ts";
import type { Estimate } from "./rows.ts";

const DRAWS = 500, Z = 1.959964;

/** A number from the drawn blocks of prompts; from all of them when no draw is given. */
export type Statistic = (draw?: Int32Array) => number;

export class PromptBootstrap {
  /** Blocks of prompts. */
  readonly blocks: number;
  readonly #draws: Int32Array[];
  /** Which of the control's draws stands for one more, by bootstrap draw of the prompts. */
  readonly #picks: Map<Int32Array, number>;

  constructor(prompts: number, seed: number) {
    this.blocks = Math.min(BLOCKS, prompts);
    this.#draws = bootstrapDraws(this.blocks, DRAWS, seed);
    const random = new Random(seed + 1);
    this.#picks = new Map(this.#draws.map((draw) => [draw, random.next()]));
  }

  /** Sums by block of values that stand one a prompt, `step` apart from `at` on. */
  sums(values: ArrayLike<number>, at = 0, step = 1): Float64Array {
    const sums = new Float64Array(this.blocks);
    for (let prompt = 0; at + prompt * step < values.length; prompt++) {
      sums[prompt % this.blocks] += values[at + prompt * step];
    }
    return sums;
  }

  of(statistic: Statistic): Estimate {
    return { value: statistic(), interval: bootstrapInterval(statistic, this.#draws) };
  }

  /**
   * The control, as a statistic: the mean over its draws; of a bootstrap draw what one more of them may be.
   */
  another(control: readonly Statistic[]): Statistic {
    const n = control.length;
    const stretch = n < 2 ? 0 : Math.sqrt((n + 1) / (n - 1)) * studentT(n - 1) / Z;
    return (draw) => {
      const values = control.map((one) => one(draw));
      const mean = values.reduce((a, b) => a + b, 0) / n;
      if (!draw) return mean;
      return mean + stretch * (values[Math.floor(this.#picks.get(draw)! * n)] - mean);
    };
  }
}

/** Σ part / Σ whole. */
export function ratioOf(part: Float64Array, whole: Float64Array): Statistic {
  return (draw) => sumOfBlocks(part, draw) / sumOfBlocks(whole, draw);
}
