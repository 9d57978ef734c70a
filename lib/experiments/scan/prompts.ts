/**
 * What a scan asks of its prompts: enough of them, long enough, and different. They are halved: one half to
 * choose, one to test.
 */
import { type Prompts, selectPrompts } from "../../checkpoints/mod.ts";
import type { Model } from "../../transformer/model.ts";

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

/**
 * Rows of a batch: with so many, products run well (see `RunOptions.leastTokens`); where weights are read
 * from their file with each batch, or another device waits for work, it takes more. With few, the logits of a
 * large vocabulary stay small.
 */
const ROWS = 512, ROWS_BESIDE_FILES = 2048, ROWS_OF_LOGITS = 128;

/**
 * Prompts in one batch, which follow from their length and from where the weights are: the last digits of a
 * product depend on the shape of its batch, so a prompt must stand in the same batch whichever process
 * measures it. `logits`: for runs with logits, a part of the other.
 */
export function batchesOf(
  { inMemory, device }: Pick<Model, "inMemory" | "device">,
  length: number,
): { batch: number; logits: number } {
  const rows = inMemory && device === "cpu" ? ROWS : ROWS_BESIDE_FILES;
  const logits = Math.ceil(ROWS_OF_LOGITS / length);
  return { batch: logits * Math.ceil(rows / (logits * length)), logits };
}
