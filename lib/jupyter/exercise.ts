/**
 * Exercises: a stub cell holds `undefined` until the reader writes an answer; the checker below it says
 * whether the answer is right. An untouched stub is "not attempted" and no error, so that running all cells
 * always finishes.
 *
 * A right value that is given as a function is computed only when there is an answer, so an untouched
 * exercise costs nothing. The verdict says how an answer is wrong (its sign, a known mistake) and never what
 * the right value is. Where many answers are right, such as a prompt of the reader's own, the function is
 * given the answer and says itself whether it is one.
 */
import { display } from "./display.ts";

/** What an exercise asks for: a number, a name, or several of either. */
export type Answer = number | string | readonly number[] | readonly string[];

/** How an answer is judged. */
export interface ExerciseOptions {
  /** How far a number may lie from the right one, absolutely or as a part of it. Default 0.002. */
  tolerance?: number;
  /** Wrong answers that are easily given, and what to say to them. */
  mistakes?: readonly { answer: Answer; say: string }[];
}

/** What a function says of an answer where many are right. */
export interface Judgement {
  right: boolean;
  /** What was measured of it, such as "its DLA is 1.4 logits". */
  say: string;
}

export interface Verdict {
  verdict: "not attempted" | "right" | "wrong" | "unknown";
  say: string;
}

const close = (a: number, b: number, tolerance: number) =>
  Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b));

function same(a: Answer, b: Answer, tolerance: number): boolean {
  if (typeof a === "number" && typeof b === "number") return close(a, b, tolerance);
  if (typeof a === "string" && typeof b === "string") return a.trim() === b;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((value, i) => same(value, b[i], tolerance));
}

const short = (value: number): number => Number(value.toPrecision(4));

/** JSON has no Infinity and no NaN: a number alone is none of JSON's. */
const answerText = (answer: unknown): string =>
  typeof answer === "number"
    ? String(short(answer))
    : JSON.stringify(answer, (_, value) => typeof value === "number" ? short(value) : value);

/**
 * Whether a value can be compared with: expected values are missing, or NaN, for models of which none are
 * known.
 */
const isAnswer = (value: unknown): value is Answer =>
  typeof value === "string" || (typeof value === "number" && !Number.isNaN(value)) || Array.isArray(value);

const isJudgement = (value: unknown): value is Judgement =>
  typeof value === "object" && value !== null && typeof (value as Judgement).right === "boolean";

/**
 * Judges an answer, without showing anything. `right`: the right value, or a function that computes it or
 * judges the answer that it is given; undefined or NaN where none is known.
 */
export async function judge(
  answer: Answer | undefined,
  right: unknown,
  { tolerance = 0.002, mistakes = [] }: ExerciseOptions = {},
): Promise<Verdict> {
  if (answer === undefined || answer === null) return { verdict: "not attempted", say: "" };
  const wrong = (say: string): Verdict => ({ verdict: "wrong", say });
  if (answer as unknown instanceof Promise) {
    return wrong('the answer is a promise; put "await" before what makes it.');
  }
  const want = typeof right === "function" ? await right(answer) : right;
  if (isJudgement(want)) return want.right ? { verdict: "right", say: want.say } : wrong(`${want.say}.`);
  if (!isAnswer(want)) {
    return {
      verdict: "unknown",
      say: `no value is known for this model to compare ${answerText(answer)} with`,
    };
  }
  if (typeof answer !== typeof want || Array.isArray(answer) !== Array.isArray(want)) {
    const kind = Array.isArray(want) ? `a list of ${want.length}` : `a ${typeof want}`;
    return wrong(`got ${answerText(answer)}; expected ${kind}.`);
  }
  if (Array.isArray(answer) && Array.isArray(want) && answer.length !== want.length) {
    return wrong(`got ${answer.length} values; expected ${want.length}.`);
  }
  if ([answer].flat().some((value) => Number.isNaN(value))) {
    return wrong("there is a NaN in it: was something divided by zero, or a field read that is not there?");
  }
  if (same(answer, want, tolerance)) return { verdict: "right", say: answerText(answer) };
  const known = mistakes.find((mistake) => same(answer, mistake.answer, tolerance));
  if (known) return wrong(known.say);
  if (typeof answer === "number" && typeof want === "number") {
    if (close(-answer, want, tolerance)) return wrong("the size is right, the sign is not.");
    const near = Math.abs(answer - want) <= 0.1 * Math.max(1, Math.abs(want));
    return wrong(near ? `${answerText(answer)} is close, but not it.` : `${answerText(answer)} is not it.`);
  }
  if (Array.isArray(answer) && Array.isArray(want)) {
    const at = answer.findIndex((value, i) => !same(value, want[i], tolerance));
    return wrong(`${answerText(answer[at])}, at ${at} of 0 … ${answer.length - 1}, is not it.`);
  }
  return wrong(`${answerText(answer)} is not it.`);
}

/**
 * The old value of a cell stays where it does not run, so a learner is told that an answer is missing that is
 * there to be read.
 */
const UNSEEN =
  " (If you did write an answer: a cell with a syntax error shows nothing and leaves the old one.)";

/**
 * Judges an answer and shows the verdict in the cell; `await` it.
 *
 * @example
 * ```ts
 * // The stub cell: the reader writes a number in place of undefined.
 * const answer1: number | undefined = undefined;
 * await exercise("Exercise 1", answer1, () => 0.5);
 * ```
 */
export async function exercise(
  name: string,
  answer: Answer | undefined,
  right: unknown,
  options: ExerciseOptions = {},
): Promise<void> {
  const { verdict, say } = await judge(answer, right, options);
  const text = `${name}: ` + {
    "not attempted": "not attempted." + UNSEEN,
    right: `right, ${say}.`,
    wrong: `not yet: ${say}`,
    unknown: `${say}.`,
  }[verdict];
  // No text colour reads well on both a light and a dark theme: the text keeps the theme's, and a bar beside
  // it is coloured.
  const [color, mark] = {
    "not attempted": ["#808080", ""],
    right: ["#2E9E6B", "✓ "],
    wrong: ["#D9534F", "✗ "],
    unknown: ["#808080", ""],
  }[verdict];
  const safe = text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const style = `border-left:4px solid ${color};padding-left:8px`;
  await display({ "text/plain": text, "text/html": `<p style="${style}">${mark}${safe}</p>` });
}
