/**
 * The functions of `@std/assert` that the tests use, over `node:assert/strict`.
 *
 * `@std/assert` is published on JSR only. The import map sends its name here, so that the tests need nothing
 * but the npm registry; pointing the map at `jsr:@std/assert` is the whole change for whoever prefers the
 * original.
 */
import strict, { AssertionError } from "node:assert/strict";

export { AssertionError };

// `message as string`: the types of Node's assert that some npm packages bring along refuse undefined; the
// functions do not.

/** Throws when `condition` is falsy. */
export function assert(condition: unknown, message?: string): asserts condition {
  strict.ok(condition, message as string);
}

/** Deep equality, types included. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  strict.deepStrictEqual(actual, expected, message as string);
}

/** The negation of {@linkcode assertEquals}. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  strict.notDeepStrictEqual(actual, expected, message as string);
}

/** Identity (`Object.is`). */
export function assertStrictEquals<T>(actual: T, expected: T, message?: string): void {
  strict.strictEqual(actual, expected, message as string);
}

/** |actual - expected| ≤ tolerance. NaN is never almost equal to anything. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance = 1e-7,
  message = "",
): void {
  if (Object.is(actual, expected)) return;
  const difference = Math.abs(actual - expected);
  if (difference <= tolerance) return;
  throw new AssertionError({
    message: `${
      message && message + ": "
    }got ${actual}, expected ${expected} ± ${tolerance} (off by ${difference})`,
  });
}

export function assertGreater(actual: number, than: number, message?: string): void {
  strict.ok(actual > than, message ?? `expected ${actual} > ${than}`);
}

export function assertLess(actual: number, than: number, message?: string): void {
  strict.ok(actual < than, message ?? `expected ${actual} < ${than}`);
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  strict.ok(
    actual.includes(expected),
    message ?? `expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`,
  );
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  strict.match(actual, expected, message as string);
}

type ErrorClass = abstract new (...args: never[]) => Error;

function checkError(error: unknown, type?: ErrorClass, includes?: string): Error {
  if (!(error instanceof Error)) {
    throw new AssertionError({ message: `expected an Error, got ${String(error)}` });
  }
  const isType = type === undefined || (error as object) instanceof type;
  if (!isType) {
    throw new AssertionError({ message: `expected ${type.name}, got ${error.name}: ${error.message}` });
  }
  if (includes !== undefined) assertStringIncludes(error.message, includes);
  return error;
}

/** Runs `fn` and returns what it threw; fails when it throws nothing, another class, or another message. */
export function assertThrows(fn: () => unknown, type?: ErrorClass, includes?: string): Error {
  try {
    fn();
  } catch (error) {
    return checkError(error, type, includes);
  }
  throw new AssertionError({ message: "expected an error, none was thrown" });
}

/** {@linkcode assertThrows} for a promise. */
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  type?: ErrorClass,
  includes?: string,
): Promise<Error> {
  try {
    await fn();
  } catch (error) {
    return checkError(error, type, includes);
  }
  throw new AssertionError({ message: "expected a rejection, none came" });
}
