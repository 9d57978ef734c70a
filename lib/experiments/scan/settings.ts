/**
 * The thresholds of a scan, each with its default, its range and what it means: one table for the code and
 * for `--help`.
 */
import { didYouMean } from "../../checkpoints/nearest.ts";
import { givenText } from "../options.ts";
import { LEAST_PROMPTS } from "./prompts.ts";

/** The thresholds of a scan; `DEFAULT_SETTINGS` has each one's default. */
export interface ScanSettings {
  /** Smallest specific erasure of a writer: control − left. */
  specific: number;
  /** Smallest mean length of a writer's output, as a part of the stream's. */
  share: number;
  /** Level of the tests, adjusted for their number. */
  q: number;
  /** At most so many writers are examined on the second half. */
  examine: number;
  /** Tokens of the screen, of the examination, about: whole prompts, and no fewer than intervals need. */
  screenTokens: number;
  /** Tokens of the first pass. */
  tokens: number;
  /** Rotations of a writer's output in the examination. */
  rotations: number;
  /** Prompts for the untrained null; 0: none. */
  untrainedPrompts: number;
  /** Of rotations, shuffles and bootstraps. */
  seed: number;
}

/** The thresholds unless they are given. */
export const DEFAULT_SETTINGS: ScanSettings = {
  specific: 0.15,
  share: 0.002,
  q: 0.05,
  examine: 16,
  screenTokens: 1024,
  tokens: 2048,
  rotations: 3,
  untrainedPrompts: 0,
  seed: 1,
};

/** Of each number: meaning, smallest and largest value, and whether it must be whole. */
export const SETTINGS: Record<keyof ScanSettings, { about: string; range: [number, number]; whole?: true }> =
  {
    specific: {
      about: "writer: smallest specific erasure, what is left of its rotated output minus what is left of it",
      range: [0, 10],
    },
    share: {
      about: "writer: smallest mean length of its output, as a part of the stream's",
      range: [0, 1],
    },
    q: { about: "writer: largest adjusted p-value of “no specific erasure”", range: [1e-6, 1] },
    examine: {
      about: "at most so many writers are examined; the others are named",
      range: [1, 10_000],
      whole: true,
    },
    screenTokens: {
      about: "tokens on which all nodes are screened, about (medians to about ± 0.05)",
      range: [16, 1e9],
      whole: true,
    },
    tokens: {
      about: "tokens on which writers are examined, about (medians to about ± 0.03)",
      range: [16, 1e9],
      whole: true,
    },
    rotations: { about: "rotations of a writer's output in its control", range: [2, 100], whole: true },
    untrainedPrompts: {
      about: "prompts for the same scan with shuffled weights; 0: none",
      range: [0, 1e6],
      whole: true,
    },
    seed: {
      about: "seed of the rotations, the bootstrap and every choice",
      range: [0, 2 ** 31 - 1],
      whole: true,
    },
  };

/** Defaults filled in. @throws for a name that is no setting and for a value out of its range */
export function checkSettings(given: Partial<ScanSettings> = {}): ScanSettings {
  const unknown = Object.keys(given).find((name) => !(name in DEFAULT_SETTINGS));
  if (unknown !== undefined) {
    const names = Object.keys(DEFAULT_SETTINGS);
    throw new Error(
      `scan: there is no setting "${unknown}"; there are ${names.join(", ")}.${didYouMean(unknown, names)}`,
    );
  }
  const settings = { ...DEFAULT_SETTINGS, ...given };
  const { untrainedPrompts } = settings;
  if (untrainedPrompts > 0 && untrainedPrompts < LEAST_PROMPTS) {
    throw new Error(
      `scan: got ${untrainedPrompts} for the setting untrainedPrompts; a scan needs at least ${LEAST_PROMPTS}. 0: none.`,
    );
  }
  for (const [name, { range: [low, high], whole }] of Object.entries(SETTINGS)) {
    const value = settings[name as keyof ScanSettings];
    if (
      typeof value !== "number" || !(value >= low && value <= high) || (whole && !Number.isInteger(value))
    ) {
      const kind = whole ? "a whole number" : "a number";
      throw new Error(
        `scan: got ${givenText(value)} for the setting ${name}; expected ${kind} in ${low} … ${high}`,
      );
    }
  }
  return settings;
}
