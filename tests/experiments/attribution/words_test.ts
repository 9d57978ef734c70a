// Every sentence of words.ts: with numbers that make it true, and with numbers that make it false.
import { assert, assertStringIncludes } from "@std/assert";
import type { AttributionCheck } from "../../../lib/experiments/attribution/check_attribution.ts";
import type { AttributionRow, Credit, StepRow } from "../../../lib/experiments/attribution/rows.ts";
import { attributionInWords } from "../../../lib/experiments/attribution/words.ts";

const DLA = 2;

interface Made {
  dla?: number;
  controlDla?: number;
  /** Shares of DLA. */
  back?: number;
  effect?: number;
  control?: number;
  /** Half the width of the control's interval. */
  width?: number;
  /** Half the width of the intervals over prompts; undefined: one position. */
  over?: number;
  steps?: Record<string, number>;
  resampled?: { keptShare: number; share: number };
  logitDifference?: number;
}

/** A check of one node, L0H0, with these numbers. */
function made(m: Made): AttributionCheck {
  const { dla = DLA, back = -0.8, effect = 1 + back, control = -0.4, width = 0.1, over } = m;
  const credit = (share: number, beside: number): Credit => ({
    logits: share * dla,
    share,
    ...(over !== undefined && { interval: [share - over, share + over] as const }),
    control: beside,
    controlInterval: [beside - width, beside + width],
  });
  const takenBack = credit(back, control);
  const row: AttributionRow = {
    node: "L0H0",
    kind: "head",
    layer: 0,
    dla,
    controlDla: m.controlDla ?? 1,
    takenBack,
    specific: { value: control - back, interval: [control - back - width, control - back + width] },
    left: credit(1 + back, 1 + control),
    finalScale: credit(effect - 1 - back, 0),
    effect: credit(effect, 1 + control),
    ...(m.resampled && {
      resampled: {
        ...m.resampled,
        kept: m.resampled.keptShare * dla,
        effect: m.resampled.share * dla,
        exchanged: 1,
        n: 20,
      },
    }),
    n: over === undefined ? 1 : 100,
  };
  const steps = Object.entries(m.steps ?? { MLP1: back }).map(([by, share]): StepRow => ({
    ...credit(share, 0),
    node: "L0H0",
    by,
    kind: "mlp",
    layer: 1,
  }));
  const { logitDifference = 9 } = m;
  const answer = (token: string) => ({ token, id: 1, logit: 1, rank: 1 });
  return {
    ...(over === undefined && { answers: [answer(" a"), answer(" b")] }),
    rows: [row],
    steps,
    terms: [],
    sum: { nodes: logitDifference - 1, biases: 1, sum: logitDifference, logitDifference, largestError: 0 },
    assumptions: {},
  };
}

const words = (m: Made) => attributionInWords(made(m)).join(" ");

/** The sentence stands for each of `yes`, and for none of `no`. */
function only(sentence: string, yes: readonly Made[], no: readonly Made[]): void {
  for (const m of yes) assertStringIncludes(words(m), sentence, JSON.stringify(m));
  for (const m of no) assert(!words(m).includes(sentence), `${JSON.stringify(m)}: ${words(m)}`);
}

Deno.test("how much is taken back, and whether it is at all", () => {
  const at = (...backs: number[]) => backs.map((back) => ({ back }));
  only("Later nodes take back more than all of it", at(-1.06, -3), at(-1.04, -0.9, 0.3));
  only("Later nodes take all of it back", at(-1.04, -0.96), at(-0.94, -1.06));
  only("Later nodes take most of it back (80 %), above all MLP1.", at(-0.8), at(-0.49, 0, 0.8, -1.2));
  only("Later nodes take part of it back", at(-0.49, -0.11), at(-0.51, -0.09, 0.2));
  only("hardly anything back and add hardly anything", at(0, -0.09, 0.09), at(-0.11, 0.11));
  only("Later nodes do not take it back, they add to it (30 %).", at(0.3), at(-0.3, 0.05, 0.5));
  // Over prompts the whole interval has to be there.
  only("Later nodes take most of it back", [{ back: -0.8, over: 0.2 }], [{ back: -0.8, over: 0.35 }]);
  only("Later nodes take some of it back", [{ back: -0.12, over: 0.05 }], [{ back: -0.12, over: 0.2 }]);
  only(
    "Whether later nodes take some of it back is not sure (20 %; 95 %: −10 % to 50 %).",
    [{ back: -0.2, over: 0.3 }],
    [{ back: -0.2, over: 0.1 }],
  );
  only("Whether later nodes add to it is not sure", [{ back: 0.2, over: 0.3 }], [{ back: 0.2, over: 0.1 }]);
  only("No later node reads what L0H0 writes", [{ back: 0, steps: {} }], [{ back: 0 }]);
});

Deno.test("who takes it back: the few that do half of it, if they are few", () => {
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`L1H${i}`, -0.08]));
  only("above all MLP1.", [{ steps: { L1H0: -0.3, MLP1: -0.5 } }], [{ steps: many }]);
  only("above all MLP1 and L1H0.", [{ steps: { L1H0: -0.3, MLP1: -0.35, L1H1: -0.15 } }], [{ steps: many }]);
  only("no few of them do most of it", [{ steps: many }], [{}]);
});

Deno.test("beside the control: more, less, or not surely either", () => {
  const more = { back: -0.8, control: -0.4, width: 0.1 }, less = { back: -0.4, control: -0.8, width: 0.1 };
  const same = { back: -0.8, control: -0.75, width: 0.1 };
  only("Of its rotated output 40 % is: so it matters what L0H0 writes", [more], [less, same]);
  only("More than of a rotated output is taken back of L0H0.", [more], [less, same]);
  only("what L0H0 writes is spared", [less], [more, same]);
  only("is, of single draws with this DLA 65 % to 85 %: so at this one position", [same], [more, less]);
  only("is, which is not surely another share", [{ ...same, over: 0.1 }], [same, { ...more, over: 0.1 }]);
  only("in a random direction has as much (± 2.10)", [{ controlDla: 2.1 }], [{ controlDla: 1.9 }]);
});

Deno.test("the effect beside what DLA says", () => {
  const at = (...effects: number[]) => effects.map((effect) => ({ effect }));
  only(
    "rises by 0.60 (−30 % of the DLA, of its rotated output's 60 %): DLA has the wrong sign",
    at(-0.3),
    at(0.3, -0.05),
  );
  only("DLA says what does not happen", at(0.05, -0.05, 0), at(0.2, -0.2));
  only("less than half of what DLA credits", at(0.2, 0.49), at(0.51, -0.2, 1));
  only(": about what DLA says", at(0.8, 1, 1.2), at(0.7, 1.3));
  only(": more than DLA says", at(1.3, 4), at(1.2, -2));
  only("Without it the logit difference falls by 1.20", at(0.6), at(-0.6));
  only("the logit difference stays as it is", at(0, 0.002), at(0.1));
  // a DLA below 0 speaks against the answer
  only("rises by 1.20 (60 % of the DLA", [{ dla: -2, effect: 0.6 }], at(0.6));
  only("Removal shows less than half of what DLA says for L0H0.", at(0.4, -1), at(0.6, 1, 2));
  const wins = "The other answer wins then.";
  only(wins, [{ effect: 1, logitDifference: 1.9 }], [{ effect: 1, logitDifference: 2.1 }, {
    effect: 1,
    logitDifference: -1,
  }]);
  only(
    "Of what DLA says 20 % is lost without it (95 %: 10 % to 30 %), of its rotated output's 60 %: less than half",
    [{ effect: 0.2, over: 0.1 }],
    [{ effect: 0.2, over: 0.4 }, { effect: 0.2 }],
  );
});

Deno.test("resampled: what is kept of the DLA, and what the model loses", () => {
  const at = (keptShare: number, share = 0.1, over?: number) => ({ resampled: { keptShare, share }, over });
  only(
    "With other texts' outputs in its place 95 % of the DLA is there all the same, so it is not about this text",
    [at(0.95)],
    [at(0.5), at(0.1), at(1.4)],
  );
  only("the DLA is gone (10 % of the DLA is there)", [at(0.1)], [at(0.5), at(0.95)]);
  only("in its place 50 % of the DLA is there; the logit difference falls by 0.20 in the mean", [at(0.5)], [
    at(0.5, -0.1),
  ]);
  only("the logit difference rises by 0.20 in the mean", [at(0.5, -0.1)], [at(0.5)]);
  only("With the next prompt's output in its place 95 % of the DLA is there all the same", [
    at(0.95, 0.1, 0.1),
  ], [at(0.95)]);
  only("in its place", [at(0.5)], [{}]);
});

Deno.test("a DLA near 0 is not judged, and nothing is said of shares of it", () => {
  for (const dla of [0, 0.04, -0.04]) {
    const text = words({ dla, back: -30, effect: -29 });
    assertStringIncludes(text, "That is too little to say what becomes of it.");
    assert(!/take|rotated|Removal|Without/.test(text), text);
  }
  only("too little to say", [{ dla: 0.01 }], [{ dla: 0.06 }, { dla: -2 }]);
});

Deno.test("the opening names answers and the sum check", () => {
  assertStringIncludes(
    words({}),
    `" a" against " b": the model's logit difference is 9.00. DLA of all nodes (8.00) and biases (1.00) adds up to it.`,
  );
  assertStringIncludes(words({ over: 0.1 }), "The logit difference is 9.00 in the mean.");
});
