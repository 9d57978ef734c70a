/** Numbers, estimates and lists of names as they stand in sentences. */
import type { Estimate } from "./rows.ts";

const minus = (text: string) => text.replace("-", "−");
export const number = (x: number, digits = 2) => minus(x.toFixed(digits).replace(/^-(0\.?0*)$/, "$1"));
export const percent = (x: number) => `${number(100 * x, 0)} %`;
/** A threshold as it was set: 0.075, 0.15. */
export const threshold = (x: number) => `${Number(x.toPrecision(3))}`;
/** "0.34 (0.21 to 0.47)". */
export const estimate = ({ value, interval: [low, high] }: Estimate) =>
  `${number(value)} (${number(low)} to ${number(high)})`;

/** Whether a number is surely above 0; one that was not measured is not. */
export const above = (e?: Estimate): boolean => e !== undefined && e.interval[0] > 0;
/** Whether it is surely below 0. */
export const below = (e?: Estimate): boolean => e !== undefined && e.interval[1] < 0;

/** Which of two numbers `own` surely is, by whether their intervals lie apart; undefined where they meet. */
export function apart(own: Estimate, other: Estimate): "more" | "less" | undefined {
  if (own.interval[0] > other.interval[1]) return "more";
  return own.interval[1] < other.interval[0] ? "less" : undefined;
}

/**
 * "A", "A and B", "A, B and C".
 *
 * @example
 * ```ts
 * console.log(listed(["L2H2", "L2H3", "L2H5"])); // L2H2, L2H3 and L2H5
 * ```
 */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
