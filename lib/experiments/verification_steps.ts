/**
 * What a step of the verification is: which numbers, by which experiment, and how they meet the expected
 * ones.
 */
import { type Prompts, shorten } from "../checkpoints/mod.ts";
import type { RunOptions } from "../tensor/run.ts";
import type { Model } from "../transformer/model.ts";
import { compare, type Comparison, type Expected } from "./expected.ts";

export interface VerifyContext {
  model: Model;
  prompts: Prompts;
  expected: Expected;
  options: RunOptions;
}

/** Comparisons by the name of the figure in the file of expected values. */
export type Compared = Record<string, Comparison[]>;

export interface Step {
  /** As --figures names it: "1" … "10", "appendix"; of the quick checks a word. */
  names: string[];
  title: string;
  /** The expected figures that it can speak to. */
  figures: string[];
  run(context: VerifyContext): Promise<Compared>;
}

/** The names among `figures` for which values are expected. */
export const expectedNames = (expected: Expected, figures: readonly string[]): string[] =>
  figures.filter((name) => Object.hasOwn(expected.figures, name));

/** `rows` of one figure against what is expected of it; nothing when nothing is. */
export function against(expected: Expected, rows: Record<string, readonly object[]>): Compared {
  return Object.fromEntries(
    expectedNames(expected, Object.keys(rows)).map((name) => [name, compare(name, rows[name], expected)]),
  );
}

/** As many prompts as the expected values of a figure are over. */
export function asManyPrompts(prompts: Prompts, expected: Expected, figure: string): Prompts {
  const count = expected.figures[figure].prompts ?? prompts.count;
  return shorten(prompts, { count: Math.min(count, prompts.count) });
}
