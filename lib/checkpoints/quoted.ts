/**
 * What a file says, as it may stand in a message: in quotes, cut, and without characters that a terminal or a
 * page would obey. Names and values in files come from anyone: one may have 16 million characters, or move
 * the cursor, or turn the reading direction.
 */

const MOST = 80;

/** Control characters, invisible ones and those that change the direction of text. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Characters that turn the reading direction, so that a text seems another one. */
const TURNING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * `text` in which what turns the reading direction is written as \u202e; all else stays, line breaks as well.
 */
export const unturned = (text: string): string => text.replace(TURNING, escape);

/** `text` with its hidden characters written as \u202e; what lies beyond `most` characters is cut. */
export function shown(text: string, most = MOST): string {
  const cut = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return cut.replace(HIDDEN, escape);
}

/** Numbers that JSON.stringify would show as others: 1e999 of a file is infinite here. */
const asWritten = (_key: string, value: unknown) =>
  typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) || Object.is(value, -0)
    ? `\uE000${Object.is(value, -0) ? "-0" : value}`
    : value;
const WRITTEN = /"\uE000(-?\w+)"/g;

/** How V8 begins a RangeError. */
const ENGINES = /^(Invalid|Maximum|Offset|offset|Start offset|Array|Out of|The )/;

/**
 * What a reader of a format says of a fault, cut to `most` characters. Where it stumbled over what it did not
 * expect, that is in JavaScript's words, which help nobody.
 */
export function saidBy(error: unknown, most = 300): string {
  const { message } = error as Error;
  const stumbled = error instanceof TypeError || error instanceof ReferenceError ||
    (error instanceof RangeError && ENGINES.test(message)); // readers throw some of their own
  return stumbled ? "it is damaged." : shown(message, most);
}

/** A JSON value in one line, cut to `most` characters. Texts stand in double quotes. */
export function quoted(value: unknown, most = MOST): string {
  if (typeof value === "string") return shown(JSON.stringify(value.slice(0, most + 1)), most);
  try {
    return shown(JSON.stringify(value, asWritten)?.replace(WRITTEN, "$1") ?? String(value), most);
  } catch {
    return `a deeply nested ${Array.isArray(value) ? "list" : "value"}`;
  }
}
