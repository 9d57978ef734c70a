/**
 * What a scan asks of its prompts: enough of them, long enough, and different. They are halved: one half to
 * choose, one to test.
 */
import { type Prompts, selectPrompts } from "../../checkpoints/mod.ts";

/** Fewer tokens say nothing on attention. */
const LEAST_LENGTH = 8;
/**
 * With halves of fewer than 8 prompts no test can be sure at the default level: 2^-7 × a few tests > 0.05.
 */
export const LEAST_PROMPTS = 16;
/** Prompts of a half that are used in any case, however long they are: intervals are over prompts. */
const LEAST_SCREENED = 8, LEAST_EXAMINED = 16;

/** @throws when a scan of these prompts could say nothing */
export function checkScanPrompts({ tokens, count, length, source }: Prompts): void {
  if (length < LEAST_LENGTH) {
    throw new Error(
      `scan: the prompts of ${source} have ${length} tokens; expected at least ${LEAST_LENGTH}. Give longer texts.`,
    );
  }
  if (count < LEAST_PROMPTS) {
    throw new Error(
      `scan: got ${count} prompts of ${length} tokens from ${source}; expected at least ${LEAST_PROMPTS}, half of them to ` +
        `choose writers and half to test them. Give more text, or shorter prompts.`,
    );
  }
  const rows = Array.from({ length: count }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
  const distinct = new Set(rows.map((row) => row.join(" "))).size;
  if (distinct < 2) {
    throw new Error(`scan: all ${count} prompts of ${source} are the same; expected different texts`);
  }
  if (distinct < count / 2) {
    throw new Error(
      `scan: of ${count} prompts of ${source} only ${distinct} are different; the statistics take prompts for independent. ` +
        `Leave the copies out.`,
    );
  }
}

/**
 * Which prompts serve which pass: as many as hold about the tokens asked for, of every other prompt each, so
 * that both have the same mix.
 */
export function passes(
  prompts: Prompts,
  { screenTokens, tokens }: { screenTokens: number; tokens: number },
): { screened: Prompts; examined: Prompts } {
  const rows = Array.from({ length: prompts.count }, (_, row) => row);
  const take = (offset: number, least: number, wanted: number) => {
    const count = Math.max(least, Math.round(wanted / (prompts.length - 1)));
    return selectPrompts(prompts, rows.filter((row) => row % 2 === offset).slice(0, count));
  };
  return { screened: take(0, LEAST_SCREENED, screenTokens), examined: take(1, LEAST_EXAMINED, tokens) };
}
