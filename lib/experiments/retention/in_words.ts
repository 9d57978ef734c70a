/**
 * What a retention says, in sentences. Each conclusion has the condition under which it is true: the
 * intervals decide, and where they hold 0 the sentence says that nothing is known.
 */
import type { CleanerRow, Estimate, WriterRow } from "../rows.ts";
import { listed, number } from "../numbers_in_words.ts";

const within = ({ interval: [low, high] }: Estimate) => `95 %: ${number(low)} to ${number(high)}`;

/**
 * How much of a writer's output is left at the end of the stream, how much of any such vector, and whether
 * the difference is sure. `by`: where, such as "by the values of layer 3 alone"; default: at the end of the
 * whole model.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { retention } from "./retention.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const { writers } = await retention(model, prompts, { writer: "L1H5", rotations: 2 });
 * console.log(retentionInWords(writers[0]));
 * ```
 */
export function retentionInWords(
  { writer, left, control, specific, draws }: WriterRow,
  by = "at the end",
): string {
  const first = `Of what ${writer} writes, ${number(left.value)} is left ${by} (${within(left)}).`;
  if (!control || !specific) return `${first} Without a control that says little.`;
  const beside = `Of the same output, rotated, ${number(control.value)} is left (${within(control)}).`;
  if (draws.length < 2) {
    return `${first} ${beside} That is one draw of the control: how far others lie from it is not known, so nothing is concluded.`;
  }
  const [low, high] = specific.interval;
  const amount = `${number(Math.abs(specific.value))} of it`;
  if (low > 0) {
    const other = 1 - control.value;
    const rest = other > 0 ? `; ${number(other)} would be taken back of any such vector` : "";
    return `${first} ${beside} So ${amount} is erased for what it says (${within(specific)})${rest}.`;
  }
  if (high < 0) return `${first} ${beside} So ${amount} is kept that is taken back of any such vector.`;
  return `${first} ${beside} No more of it is surely erased than of any such vector.`;
}

/**
 * Who cleans up, by the rule of cleaners.ts, and what they take back together.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { retention } from "./retention.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const { cleaners } = await retention(model, prompts, { writer: "L1H5", rotations: 2 });
 * console.log(cleanersInWords("L1H5", cleaners));
 * ```
 */
export function cleanersInWords(writer: string, cleaners: readonly CleanerRow[]): string {
  if (cleaners.length === 0) {
    return `No later node surely takes back more of what ${writer} writes than of any such vector.`;
  }
  const names = listed(cleaners.map((row) => `${row.node} (${number(row.response)})`));
  const sum = cleaners.reduce((total, row) => total + row.response, 0);
  const verb = cleaners.length === 1 ? "cleans up" : "clean up";
  const together = cleaners.length === 1 ? "" : `: together ${number(sum)} times its output`;
  return `After ${writer}, ${names} ${verb}${together}.`;
}

/**
 * What cleanup.json says: "L0H2 writes; L2H2, L2H3 and L2H5 clean up."
 *
 * @example
 * ```ts
 * console.log(cleanupInWords({ writer: "L0H2", cleaners: ["L2H2", "L2H3"] }));
 * // L0H2 writes; L2H2 and L2H3 clean up.
 * ```
 */
export function cleanupInWords(
  { writer, cleaners }: { writer: string; cleaners: readonly string[] },
): string {
  return `${writer} writes; ${listed(cleaners)} ${cleaners.length === 1 ? "cleans" : "clean"} up.`;
}
