/**
 * What an experiment is called with is checked before anything runs: arguments that were forgotten or not
 * awaited, and option names, of which a misspelt one throws and names the nearest.
 */
import { didYouMean } from "../checkpoints/nearest.ts";
import { checkOptionNames } from "../checkpoints/option_names.ts";
import { quoted } from "../checkpoints/quoted.ts";
import type { RunOptions } from "../tensor/run.ts";
import type { MeasureOptions } from "./experiment.ts";

/** Every option of a run, for `checkOptions`. */
export const RUN_OPTIONS: Record<keyof RunOptions, true> = {
  batchSize: true,
  memoryBytes: true,
  leastTokens: true,
  signal: true,
  onProgress: true,
  threads: true,
  device: true,
  createSession: true,
};

/** Every option of an experiment that sums values up as medians and bands. */
export const MEASURE_OPTIONS: Record<keyof MeasureOptions, true> = {
  ...RUN_OPTIONS,
  quantiles: true,
  positions: true,
};

/**
 * @param known every option that `what` takes @throws for one that is not among them, and for what is no
 * object
 */
export function checkOptions(what: string, given: object, known: Readonly<Record<string, true>>): void {
  checkOptionNames(what, given, known);
  const { onProgress } = given as { onProgress?: unknown };
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new Error(
      `${what}: got ${givenText(onProgress)} for onProgress; expected a function of { done, total, seconds }`,
    );
  }
}

/** What was given, in a message: short, and texts in quotes. */
export function givenText(given: unknown): string {
  return typeof given === "number" ? String(given) : quoted(given, 60); // JSON has neither NaN nor infinities
}

/**
 * The largest whole number that an option may be: seeds are counted up, and beyond 2^53 one more is no other
 * number.
 */
const MOST = 2 ** 31 - 1;

/** @throws for what is no number in `least` … `most`, or no whole one where it must be. */
export function checkNumber(
  what: string,
  option: string,
  given: unknown,
  { least, most = MOST, whole = true }: { least: number; most?: number; whole?: boolean },
): void {
  const fits = typeof given === "number" && given >= least && given <= most;
  if (fits && (!whole || Number.isInteger(given))) return;
  const range = most === MOST ? `of at least ${least}` : `in ${least} … ${most}`;
  throw new Error(
    `${what}: got ${givenText(given)} for ${option}; expected a ${whole ? "whole " : ""}number ${range}`,
  );
}

/** The smallest and the largest seed. */
export const SEEDS = { least: -MOST, most: MOST - 1 };

/** @throws for what is no list of names, an empty one, and a name that stands in it twice */
export function checkNames(what: string, option: string, given: unknown): void {
  const list = Array.isArray(given) && given.every((name) => typeof name === "string");
  if (list && given.length > 0 && new Set(given).size === given.length) return;
  throw new Error(
    `${what}: got ${
      givenText(given)
    } for ${option}; expected a list of names, at least one, each once, such as ["L1H5"]`,
  );
}

/** @throws for a value that is none of `known`, with the nearest */
export function checkChoice(what: string, option: string, given: unknown, known: readonly string[]): void {
  if (known.includes(given as string)) return;
  const near = typeof given === "string" ? didYouMean(given, known) : "";
  throw new Error(
    `${what}: there is no ${option} ${JSON.stringify(given)}; there are ${known.join(", ")}.${near}`,
  );
}

/** What each argument must be, told by one of its fields, and how to get it. */
const ARGUMENTS = {
  model: { field: "config", expected: `a model, such as await loadModel("tiny-gelu-4l")` },
  prompts: { field: "tokens", expected: "prompts, such as await promptsFor(model)" },
  textOrPrompts: {
    field: "tokens",
    expected: `a text in quotes, or prompts, such as await promptsFor(model)`,
  },
  unrelated: { field: "tokens", expected: "prompts to resample from, such as await promptsFor(model)" },
  adversarial: { field: "map", expected: "a list of prompts, such as model.adversarial.prompts" },
} as const;

/** @throws naming the first argument that is missing, another thing, or a promise that was not awaited */
export function checkArguments(
  what: string,
  given: Partial<Record<keyof typeof ARGUMENTS, unknown>>,
): void {
  for (const [name, value] of Object.entries(given)) {
    const { field, expected } = ARGUMENTS[name as keyof typeof ARGUMENTS];
    if (value instanceof Promise) {
      throw new Error(
        `${what}: ${name} is a promise; put "await" before what makes it. Expected ${expected}`,
      );
    }
    if (typeof value !== "object" || value === null || !(field in value)) {
      const got = value === undefined ? "none" : JSON.stringify(value)?.slice(0, 60) ?? typeof value;
      throw new Error(`${what}: ${name}: got ${got}; expected ${expected}`);
    }
  }
}
