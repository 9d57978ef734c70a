/** Option names are checked as everything else: a misspelt one throws and names the nearest. */
import { didYouMean } from "../checkpoints/nearest.ts";

/** @param known every option that `what` takes @throws for one that is not among them */
export function checkOptions(what: string, given: object, known: Readonly<Record<string, true>>): void {
  const wrong = Object.keys(given).find((name) => !(name in known));
  if (wrong === undefined) return;
  throw new Error(`${what}: there is no option "${wrong}".${didYouMean(wrong, Object.keys(known))}`);
}

/** @throws for a value that is none of `known`, with the nearest */
export function checkChoice(what: string, option: string, given: unknown, known: readonly string[]): void {
  if (known.includes(given as string)) return;
  const near = typeof given === "string" ? didYouMean(given, known) : "";
  throw new Error(
    `${what}: there is no ${option} ${JSON.stringify(given)}; there are ${known.join(", ")}.${near}`,
  );
}
