/**
 * Regular expressions in a tokenizer.json, which anyone may have written: nothing can interrupt one that
 * runs, so those that may take time exponential in the text are refused before. These need a repetition
 * without end inside another, as in `(a+)+$`: 28 letters take 20 s. (Several repetitions side by side, as
 * GPT-2 has them, cost a power of one word's length at most.)
 */
import { quoted } from "../quoted.ts";

export interface Pattern {
  Regex?: string;
  String?: string;
}

const LONGEST = 20_000; // the longest that is in use has 3,000 characters

/** @throws when `value` is no pattern, or one whose time has no good bound */
export function checkPattern(value: unknown): Pattern {
  const { Regex, String: text } = (value ?? {}) as Pattern;
  if (typeof text === "string" && text !== "" && Regex === undefined) return { String: text };
  if (typeof Regex !== "string") {
    throw new Error(`it has the pattern ${quoted(value)}; {"Regex": "…"} or {"String": "…"} was expected.`);
  }
  if (Regex.length > LONGEST) throw new Error(`it has a regular expression of ${Regex.length} characters.`);
  if (repeatsRepetition(Regex)) {
    throw new Error(
      `the regular expression ${
        quoted(Regex)
      } repeats a repetition, which can take time without end; it is not run.`,
    );
  }
  return { Regex };
}

/**
 * Whether a group that can match one text in several ways (`*`, `+`, `{n,}`, `?`, `|` in it) is repeated
 * itself.
 */
export function repeatsRepetition(regex: string): boolean {
  const groups: boolean[] = [false]; // of each open group: can it match one text in several ways?
  let closed = false; // whether what stands before is such a group
  for (let i = 0; i < regex.length; i++) {
    const char = regex[i];
    const wasClosed = closed;
    closed = false;
    const times = char === "{" ? /^\{\d*,?\d*\}/.exec(regex.slice(i, i + 20))?.[0] : undefined;
    if (char === "\\") i++;
    else if (char === "[") i = endOfClass(regex, i);
    else if (char === "(") {
      groups.push(false);
      if (regex[i + 1] === "?") i++; // (?: (?= (?i: …
    } else if (char === ")" && groups.length > 1) {
      closed = groups.pop()!;
      groups[groups.length - 1] ||= closed;
    } else if (char === "*" || char === "+" || times !== undefined) {
      if (wasClosed) return true;
      groups[groups.length - 1] = true;
      i += (times?.length ?? 1) - 1;
      if (regex[i + 1] === "?" || regex[i + 1] === "+") i++; // lazy or possessive
    } else if (char === "|" || char === "?") groups[groups.length - 1] = true;
  }
  return false;
}

/** Index of the bracket that closes the class beginning at `i`; classes may nest. */
function endOfClass(regex: string, i: number): number {
  let depth = 0;
  for (; i < regex.length; i++) {
    if (regex[i] === "\\") i++;
    else if (regex[i] === "[") depth++;
    else if (regex[i] === "]" && --depth === 0) return i;
  }
  return i;
}
