/**
 * Findings that are committed, since what they are of is not: a model that was measured by hand, and models
 * that were trained and thrown away. Each file says how it was made.
 */
import { dataFile } from "../../checkpoints/mod.ts";
import { readJsonObject } from "../../checkpoints/json_file.ts";
import { number } from "../numbers_in_words.ts";
import type { Findings } from "./rows.ts";

/** Findings with how they were made: commands, prompts, date, and what was checked. */
export interface KnownFindings extends Findings {
  /** By name. */
  made: Record<string, string>;
  /** Numbers that were computed a second time, by another program. */
  checked: CheckedNumber[];
}

/** One number, twice. */
export interface CheckedNumber {
  /** Which. */
  what: string;
  /** By this project. */
  here: number;
  /** By the other program. */
  there: number;
  /** here − there. */
  difference: number;
}

/**
 * Findings on SmolLM2-135M: data/expected/findings-smollm2-135m.json.
 *
 * @example
 * ```ts
 * const { made, writers } = await knownFindings();
 * console.log(made.date, writers[0].writer);
 * ```
 */
export async function knownFindings(): Promise<KnownFindings> {
  const path = await dataFile("expected/findings-smollm2-135m.json");
  return await readJsonObject(path) as unknown as KnownFindings;
}

/**
 * One model of a generation, and of its two likeliest writers the one that comes nearest to all criteria,
 * erasing among them.
 */
export interface TrainedModel {
  /** Its name in the log. */
  model: string;
  /** 0: from scratch. */
  generation: number;
  /** The head. */
  writer: string;
  /** Median retention at the end; null of a head that was too weak to be measured. */
  left: number | null;
  /** Of the same, rotated. */
  rotated: number | null;
}

/** Models that were trained alike from different seeds. */
export interface Emergence {
  /** Which models these are. */
  source: string;
  /** What was measured of them. */
  measured: string;
  /** Tokens that a model of each generation has seen. */
  tokens: number[];
  /** All of them. */
  models: TrainedModel[];
}

/**
 * How often clean-up came about in training: data/expected/emergence.json.
 *
 * @example
 * ```ts
 * console.log(emergenceInWords(await emergence()).join("\n"));
 * ```
 */
export async function emergence(): Promise<Emergence> {
  return await readJsonObject(await dataFile("expected/emergence.json")) as unknown as Emergence;
}

/** In how many models of one generation. */
export interface EmergenceRow {
  /** 0: from scratch. */
  generation: number;
  /** Tokens that each has seen. */
  tokens: number;
  /** All that were trained. */
  models: number;
  /** Those with a head of which less than of its rotated output is left, by the scan's threshold or more. */
  erased: number;
  /** 95 % interval of their share, over seeds (Wilson). */
  share: [number, number];
  /** Those of whose head so much more is left. */
  kept: number;
}

/** The scan's default: so much counts. */
const THRESHOLD = 0.15;

/**
 * Counts by generation.
 *
 * @example
 * ```ts
 * const [first] = emergenceRows(await emergence());
 * console.log(first.tokens, first.erased, first.models);
 * ```
 */
export function emergenceRows({ models, tokens }: Emergence): EmergenceRow[] {
  return tokens.map((seen, generation) => {
    const own = models.filter((one) => one.generation === generation);
    const specific = own.map(({ left, rotated }) => left === null ? 0 : rotated! - left);
    const erased = specific.filter((x) => x >= THRESHOLD).length;
    const kept = specific.filter((x) => x <= -THRESHOLD).length;
    return {
      generation,
      tokens: seen,
      models: own.length,
      erased,
      share: wilson(erased, own.length),
      kept,
    };
  });
}

/** Score interval of a share, 95 %. Wilson (1927), J. Am. Stat. Assoc. 22. */
export function wilson(count: number, of: number): [number, number] {
  const z = 1.96, p = count / of, scale = 1 + z * z / of;
  const centre = (p + z * z / (2 * of)) / scale;
  const half = z * Math.sqrt(p * (1 - p) / of + (z / (2 * of)) ** 2) / scale;
  return [centre - half, centre + half];
}

/**
 * One sentence a generation. No rate of heads, and no test: the head was chosen for its erasing, too.
 *
 * @example
 * ```ts
 * console.log(emergenceInWords(await emergence())[0]);
 * ```
 */
export function emergenceInWords(found: Emergence): string[] {
  return emergenceRows(found).map(({ tokens, models, erased, share: [low, high], kept }) =>
    `After ${number(tokens / 1e6, 1)} M tokens ${erased} of ${models} models (${number(100 * low, 0)} to ` +
    `${
      number(100 * high, 0)
    } %) have a head of which ${THRESHOLD} or more is erased beyond its rotated output; ` +
    `of ${kept} the head that was chosen keeps as much more.`
  );
}
