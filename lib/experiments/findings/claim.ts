/**
 * A claim: one sentence, the number with its interval, its
 * control, and what would refute it. A sentence says that something is so only where the interval of the
 * difference (or, where none was measured, both intervals) lies on that side; else it says that it is not
 * shown.
 */
import { above, apart, below, number } from "../numbers_in_words.ts";
import type { Estimate } from "../rows.ts";
import type { Compared } from "./rows.ts";

/** The post's questions. */
export type Question = "reuse" | "role" | "occurrence";

/** One claim on one model. */
export interface Claim {
  /** Which of the post's questions it answers. */
  question: Question;
  /** The model. */
  model: string;
  /** The node that it is about; where it is about a whole model, "all". */
  node: string;
  /** What is asked, in short. */
  asked: string;
  /** The number. */
  own: Estimate;
  /** Its control. */
  control: Estimate;
  /** What the control is, in short: "rotated". */
  controlName: string;
  /** own − control, where that was measured with an interval of its own. */
  more?: Estimate;
  /** What the numbers are in. */
  unit: Unit;
  /** Surely above the control, surely below it, or neither. */
  verdict: Verdict;
  /** The claim. */
  sentence: string;
  /** What would refute it; of a claim that something is not shown: what would show it. */
  refutedIf: string;
}

/** What a claim's numbers are in. */
export type Unit = "share" | "nats" | "logits" | "retention";
/** On which side of its control a number surely lies. */
export type Verdict = "more" | "less" | "not shown";

/** By the interval of the difference; without one, by whether the two intervals lie apart. */
export function verdictOf(own: Estimate, control: Estimate, more?: Estimate): Verdict {
  if (!more) return apart(own, control) ?? "not shown";
  return above(more) ? "more" : below(more) ? "less" : "not shown";
}

const SUFFIX: Record<Unit, string> = { share: "", nats: " nats a token", logits: " logits", retention: "" };

const inUnit = ({ value, interval: [low, high] }: Estimate, unit: Unit, suffix = "") => {
  const text = (x: number) =>
    unit === "share" ? `${number(100 * x, 1)} %` : number(x, unit === "nats" ? 4 : 2);
  return `${text(value)}${suffix} (${text(low)} to ${text(high)})`;
};

type Numbers = Pick<Compared, "own" | "control"> & Partial<Pick<Compared, "more">>;

/** "12.0 % (10.0 % to 14.0 %), rotated 3.0 % (2.0 % to 5.0 %), difference 9.0 % (6.0 % to 11.0 %)". */
const beside = ({ own, control, more }: Numbers, unit: Unit, name: string) =>
  `${inUnit(own, unit, SUFFIX[unit])}, ${name} ${inUnit(control, unit)}` +
  (more ? `, difference ${inUnit(more, unit)}` : "");

/** "12.0 % (10.0 % to 14.0 %), random ones 3.0 % (2.0 % to 5.0 %), difference 9.0 % (6.0 % to 11.0 %)". */
export const shares = (numbers: Numbers): string => beside(numbers, "share", "random ones");

type Words = Record<Verdict, string>;

/** What a claim is about, without its numbers. */
export interface Subject {
  question: Question;
  model: string;
  node: string;
  asked: string;
  unit: Unit;
  /** Where the verdict is the expected one. */
  refutedIf: string;
  /** Default "more". */
  expected?: Verdict;
}

/** A claim by its numbers: the sentence of the verdict, then number and control, called `name`. */
export function claim(
  subject: Subject,
  numbers: Numbers,
  words: Words,
  name: string,
  verdict: Verdict = verdictOf(numbers.own, numbers.control, numbers.more),
): Claim {
  const { refutedIf, expected = "more", ...about } = subject;
  return {
    ...about,
    own: numbers.own,
    control: numbers.control,
    controlName: name,
    ...(numbers.more && { more: numbers.more }),
    verdict,
    sentence: `${words[verdict]}: ${beside(numbers, subject.unit, name)}.`,
    refutedIf: verdict === expected
      ? refutedIf
      : verdict === "not shown"
      ? `with more prompts and more draws of the control it lies surely ${
        expected === "more" ? "above" : "below"
      } it`
      : "on other texts the interval of the difference holds 0 or lies on the other side",
  };
}
