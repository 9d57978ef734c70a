/** What may come of a damaged input: success with right shapes, or one clear error of this project. */

/** Found to be wrong by a target's own check, in place of an error or a right value. */
export class WrongAnswer extends Error {}

/** The longest message that still is one. */
const MOST_CHARACTERS = 2500;
/** What a terminal obeys, and what turns the reading direction. Line breaks are allowed. */
// deno-lint-ignore no-control-regex
const HIDDEN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/;

/** Texts of V8's errors, which another message may hold. */
const ENGINE =
  /Cannot (read|set) propert|is not (a function|iterable|a constructor)|Invalid (typed )?array length|Invalid string length|call stack|Offset is outside|out of bounds|Cannot convert|Cannot mix/;

/** undefined where the error is a clear one; else what is wrong with it. */
export function unclear(error: unknown): string | undefined {
  if (error instanceof WrongAnswer) return `a wrong answer: ${error.message}`;
  if (!(error instanceof Error)) return `not an error: ${String(error)}`;
  const kinds = [TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError];
  if (kinds.some((kind) => error instanceof kind)) return `a bare ${error.name}: ${error.stack}`;
  if (error.constructor !== Error && error.constructor.name in Deno.errors) {
    return `a bare ${error.name}: ${error.stack}`;
  }
  if (ENGINE.test(error.message)) return `JavaScript's own words: ${error.message.slice(0, 300)}`;
  if (error.message.trim().length < 10) return `a message of ${error.message.length} characters`;
  if (error.message.length > MOST_CHARACTERS) {
    return `a message of ${error.message.length} characters: ${error.message.slice(0, 300)}`;
  }
  if (HIDDEN.test(error.message.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, ""))) {
    return `a message with hidden characters: ${JSON.stringify(error.message.slice(0, 300))}`;
  }
  return undefined;
}

export function check(condition: boolean, what: string): void {
  if (!condition) throw new WrongAnswer(what);
}
