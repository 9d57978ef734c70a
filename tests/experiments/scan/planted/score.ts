/** A verdict beside the truth, and how far a count of successes can be trusted. */
import type { Truth } from "./truth.ts";
import type { Verdict } from "./verdict_of.ts";

export interface Score {
  /** Whether all planted writers were found. */
  found: boolean;
  /** Whether of each of them exactly the planted cleaners were named, and the planted route. */
  cleaners: boolean;
  route: boolean;
  /** Planted cleaners of found writers that were not named, and others that were. */
  missed: number;
  otherCleaners: number;
  /** Writers that were reported and are none. */
  otherWriters: readonly string[];
}

export function score(truth: Truth, verdict: Verdict): Score {
  const own = truth.writers.filter((writer) => verdict.writers.includes(writer));
  const named = (writer: string) => verdict.cleaners[writer];
  const count = (of: (writer: string) => readonly string[]) => own.reduce((sum, w) => sum + of(w).length, 0);
  const missed = count((w) => truth.cleaners[w].filter((node) => !named(w).includes(node)));
  const otherCleaners = count((w) => named(w).filter((node) => !truth.cleaners[w].includes(node)));
  const found = own.length === truth.writers.length;
  return {
    found,
    cleaners: found && missed + otherCleaners === 0,
    route: found && own.every((writer) => verdict.route[writer] === truth.route),
    missed,
    otherCleaners,
    otherWriters: verdict.writers.filter((w) => !truth.writers.includes(w) && !truth.along?.includes(w)),
  };
}

/** 95 % interval of a share, from `k` of `n`. Wilson (1927), J. Am. Stat. Assoc. 22. */
export function wilson(k: number, n: number): [low: number, high: number] {
  const z2 = 1.959964 ** 2;
  const middle = (k + z2 / 2) / (n + z2);
  const half = Math.sqrt(z2) / (n + z2) * Math.sqrt(k * (n - k) / n + z2 / 4);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
