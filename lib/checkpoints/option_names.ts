/**
 * What nobody checks at run time, least of all a notebook's kernel, which ignores types: names of options,
 * arguments that were forgotten, promises that were not awaited. A function that newcomers call asks here.
 */
import { didYouMean } from "./nearest.ts";
import { quoted } from "./quoted.ts";

/**
 * @param known every option that `what` takes
 * @throws for one that is not among them, and for what is no object
 */
export function checkOptionNames(what: string, given: unknown, known: Readonly<Record<string, true>>): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const got = given === undefined ? "none" : given instanceof Promise ? "a promise" : quoted(given, 60);
    throw new Error(
      `${what}: got ${got} as options; expected an object with some of ${Object.keys(known).join(", ")}`,
    );
  }
  const wrong = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (wrong === undefined) return;
  throw new Error(`${what}: there is no option "${wrong}".${didYouMean(wrong, Object.keys(known))}`);
}

/** @throws for an argument that was forgotten, or is a promise that was not awaited */
export function checkGiven(what: string, name: string, given: unknown, expected: string): void {
  if (given instanceof Promise) {
    throw new Error(
      `${what}: ${name} is a promise; put "await" before what makes it. Expected ${expected}`,
    );
  }
  if (given === undefined || given === null) {
    throw new Error(`${what}: ${name}: got none; expected ${expected}`);
  }
}
