/** The thresholds of a scan, each with its default, its range and what it means: one table for the code and for `--help`. */
import type { CandidateSettings } from "./candidates.ts";
import type { CleanerSettings } from "./cleaners.ts";

export interface ScanSettings extends CandidateSettings, CleanerSettings {
  /** At most so many prompts for DLA. */
  attributionPrompts: number;
  /** Prompts for the untrained null; 0: none. */
  untrainedPrompts: number;
  seed: number;
}

export const DEFAULT_SETTINGS: ScanSettings = {
  present: [0.5, 1.5],
  drop: 0.3,
  writers: 6,
  below: 0.8,
  q: 0.05,
  effect: 0.02,
  groupEffect: 0.2,
  dropShare: 0.5,
  attributionPrompts: 30,
  untrainedPrompts: 0,
  seed: 1,
};

type Scalar = Exclude<keyof ScanSettings, "present"> | "presentLow" | "presentHigh";

/** Of each number: meaning, smallest and largest value, and whether it must be whole. */
export const SETTINGS: Record<Scalar, { about: string; range: [number, number]; whole?: true }> = {
  presentLow: { about: "writer: smallest median PR just after the write", range: [-10, 10] },
  presentHigh: { about: "writer: largest median PR just after the write", range: [-10, 10] },
  drop: { about: "writer: smallest drop of the median PR later on", range: [0, 100] },
  writers: { about: "at most so many writers are examined", range: [1, 1000], whole: true },
  dropShare: { about: "writer: smallest share of tokens whose PR drops by 0.3", range: [0, 1] },
  effect: { about: "cleaner: smallest part of the writer's output that it erases", range: [0, 100] },
  below: { about: "cleaner: smallest share of tokens with PR < 0", range: [0, 1] },
  q: { about: "cleaner: largest adjusted p-value", range: [1e-6, 1] },
  groupEffect: { about: "cleaners together: smallest part that they erase", range: [0, 100] },
  attributionPrompts: { about: "prompts for direct logit attribution", range: [1, 1e6], whole: true },
  untrainedPrompts: {
    about: "prompts for the same scan with shuffled weights; 0: none",
    range: [0, 1e6],
    whole: true,
  },
  seed: { about: "seed of the bootstrap and of every choice", range: [0, 2 ** 31 - 1], whole: true },
};

/** The value of a number of SETTINGS. */
export function settingOf(settings: ScanSettings, name: string): number {
  if (name === "presentLow") return settings.present[0];
  if (name === "presentHigh") return settings.present[1];
  return settings[name as Exclude<keyof ScanSettings, "present">];
}

/** Defaults filled in. @throws for a name that is no setting and for a value out of its range */
export function checkSettings(given: Partial<ScanSettings> = {}): ScanSettings {
  const unknown = Object.keys(given).find((name) => !(name in DEFAULT_SETTINGS));
  if (unknown !== undefined) {
    throw new Error(
      `scan: there is no setting "${unknown}"; there are ${Object.keys(DEFAULT_SETTINGS).join(", ")}`,
    );
  }
  const settings = { ...DEFAULT_SETTINGS, ...given };
  for (const [name, { range: [low, high], whole }] of Object.entries(SETTINGS)) {
    const value = settingOf(settings, name);
    if (!(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
      const kind = whole ? "a whole number" : "a number";
      throw new Error(`scan: got ${value} for the setting ${name}; expected ${kind} in ${low} … ${high}`);
    }
  }
  const [low, high] = settings.present;
  if (!(low < high)) {
    throw new Error(`scan: got present [${low}, ${high}]; expected the smaller number first`);
  }
  return settings;
}
