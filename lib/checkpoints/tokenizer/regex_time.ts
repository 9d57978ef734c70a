/**
 * Regular expressions in a tokenizer.json, which anyone may have written. Nothing can interrupt one that
 * runs, and a matcher that goes back tries every way in which a text can be shared out among the repetitions:
 * 28 letters take `(a+)+$` 20 s, and forty dots `.?.?….…` longer. So these ways are counted before: one that
 * may have too many is refused. The published ones have 35 million at most.
 *
 * What remains: two repetitions side by side (`.*.*X`) take the square of a line's length from each place on.
 */
import { quoted } from "../quoted.ts";

export interface Pattern {
  Regex?: string;
  String?: string;
}

const LONGEST = 20_000; // the longest that is in use has 3,000 characters
/** A word that is longer than any, in characters; and how many ways to match it are too many. */
const WORD = 1000, MOST_WAYS = 1e8;

/** @throws when `value` is no pattern, or one whose time has no good bound */
export function checkPattern(value: unknown): Pattern {
  const { Regex, String: text } = (value ?? {}) as Pattern;
  if (typeof text === "string" && text !== "" && Regex === undefined) return { String: text };
  if (typeof Regex !== "string") {
    throw new Error(`it has the pattern ${quoted(value)}; {"Regex": "…"} or {"String": "…"} was expected.`);
  }
  if (Regex.length > LONGEST) throw new Error(`it has a regular expression of ${Regex.length} characters.`);
  if (waysToMatch(Regex) > MOST_WAYS) {
    throw new Error(
      `the regular expression ${
        quoted(Regex)
      } may have to try more than ${MOST_WAYS} ways to match a word of ` +
        `${WORD} characters, which can take time without end; it is not run.`,
    );
  }
  return { Regex };
}

/** A group while it is read, or the whole. */
interface Group {
  /** Ways through the alternatives that are complete, in all. */
  complete: number;
  /** Ways through this alternative up to its last part, and through that part. */
  before: number;
  last: number;
  /** The alternatives, as long as each is one character or class of them. */
  single?: string[];
  /** Where this alternative begins, and of how many parts it is. */
  start: number;
  parts: number;
  /** Whether capitals and small letters count as the same here. */
  folds: boolean;
}

const opened = (start: number, folds: boolean): Group => ({
  complete: 0,
  before: 1,
  last: 1,
  single: [],
  start,
  parts: 0,
  folds,
});

const GROUP = /\((?:\?(?:<[=!]|P?<\w+>|[:=!>|]|[a-z-]*[:)]?))?/y;
const TIMES = /[*+?]|\{(?:(\d+)(,?)(\d*)|,(\d+))\}/y;
const LAZY_OR_POSSESSIVE = /[?+]/y;

/** In how many ways `regex` may match a word of 1,000 characters: an upper bound. */
export function waysToMatch(regex: string): number {
  const read = (pattern: RegExp, at: number) => {
    pattern.lastIndex = at;
    return pattern.exec(regex);
  };
  const groups = [opened(0, false)];
  let looks = MOST_LOOKS; // each group of single characters costs a look at all characters
  const part = (group: Group, ways: number) => {
    group.before *= group.last;
    group.last = ways;
    group.parts++;
  };
  const endAlternative = (group: Group, at: number) => {
    group.complete += group.before * group.last;
    if (group.parts === 1) group.single?.push(regex.slice(group.start, at));
    else delete group.single;
    Object.assign(group, { before: 1, last: 1, start: at + 1, parts: 0 });
  };
  for (let i = 0; i < regex.length;) {
    const group = groups[groups.length - 1], char = regex[i], times = read(TIMES, i);
    if (times) {
      const [text, exact, comma, most, upTo] = times;
      const least = text === "+" ? 1 : Number(exact ?? 0);
      const largest = text === "?" ? 1 : Number(upTo ?? (most || (comma === "" ? exact : Infinity)));
      group.last = repeated(group.last, least, largest);
      group.parts = 2; // no single character
      i += text.length;
      i += read(LAZY_OR_POSSESSIVE, i) ? 1 : 0;
    } else if (char === "(") {
      const [text] = read(GROUP, i)!;
      i += text.length;
      const folds = group.folds || /\?[a-z-]*i/.test(text);
      if (text.endsWith(")")) group.folds = folds; // flags of what follows
      else groups.push(opened(i, folds));
    } else if (char === ")" && groups.length > 1) {
      endAlternative(group, i++);
      groups.pop();
      const { single, complete } = group, look = single && single.length > 1 && read(TIMES, i) && looks-- > 0;
      part(groups[groups.length - 1], look ? Math.min(complete, mostAtOnce(single, group.folds)) : complete);
    } else if (char === "|") endAlternative(group, i++);
    else {
      part(group, 1);
      i = endOfCharacter(regex, i);
    }
  }
  for (const group of groups) endAlternative(group, regex.length);
  return groups.reduce((sum, { complete }) => sum + complete, 0);
}

/** Ways of `least` to `most` repetitions of what can be done in so many ways. */
function repeated(ways: number, least: number, most: number): number {
  if (ways === 1) return Math.min(most - least, WORD) + 1;
  if (most === Infinity) return Infinity;
  let sum = 0;
  for (let n = least; n <= most && sum <= MOST_WAYS; n++) sum += ways ** n;
  return sum;
}

const MOST_LOOKS = 8, MOST_SINGLE = 32;

/** All characters of the first two planes of Unicode. */
const characters = () => {
  const codes = Array.from({ length: 0x20000 }, (_, code) => code).filter((c) => c < 0xD800 || c > 0xDFFF);
  return codes.map((code) => String.fromCodePoint(code)).join("");
};

/** How many of the alternatives, each one character or class, match one character. */
function mostAtOnce(alternatives: readonly string[], folds: boolean): number {
  if (alternatives.length > MOST_SINGLE) return alternatives.length;
  const all = characters(), counts = new Map<string, number>();
  try {
    for (const source of alternatives) {
      const expression = new RegExp(source, folds ? "giu" : "gu");
      if (expression.test("")) return alternatives.length;
      for (const character of new Set(all.match(expression))) {
        counts.set(character, (counts.get(character) ?? 0) + 1);
      }
    }
  } catch { // not as JavaScript has it
    return alternatives.length;
  }
  let most = 1;
  for (const count of counts.values()) most = Math.max(most, count);
  return most;
}

const ESCAPE = /^\\(?:[pPxu]\{[^}]*\}|x[\da-f]{2}|u[\da-f]{4})/i;

/** The index after the character, escape or class that begins at `i`; classes may nest. */
function endOfCharacter(regex: string, i: number): number {
  if (regex[i] === "\\") return i + (ESCAPE.exec(regex.slice(i, i + 80))?.[0].length ?? 2);
  if (regex[i] !== "[") return i + 1;
  let depth = 0;
  for (; i < regex.length; i++) {
    if (regex[i] === "\\") i++;
    else if (regex[i] === "[") depth++;
    else if (regex[i] === "]" && --depth === 0) return i + 1;
  }
  throw new Error(`the regular expression ${quoted(regex)} lacks a "]"; a "[" in a class is written "\\[".`);
}
