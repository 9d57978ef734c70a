// Each sentence stands on a condition that makes it true: numbers on all sides of it.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { type Claim, verdictOf } from "../../../lib/experiments/findings/claim.ts";
import { claimsOf } from "../../../lib/experiments/findings/claims.ts";
import {
  emergence,
  emergenceInWords,
  emergenceRows,
  wilson,
} from "../../../lib/experiments/findings/known.ts";
import { besideThePost } from "../../../lib/experiments/findings/occurrence.ts";
import type { Compared, Findings } from "../../../lib/experiments/findings/rows.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";

const at = (value: number, half = 0.05): Estimate => ({ value, interval: [value - half, value + half] });
const compared = (own: number, control: number, half = 0.05): Compared => ({
  own: at(own, half),
  control: at(control, half),
  more: at(own - control, half),
});

const NONE: Findings = {
  model: { name: "m", layers: 6, heads: 2 },
  nodes: [],
  count: 20,
  writers: [],
  threshold: 0.15,
  early: [],
  reuse: [],
  role: [],
  assumptions: {},
};

const reuse = (more: Partial<Findings["reuse"][number]>): Findings => ({
  ...NONE,
  reuse: [{
    writer: "L1H0",
    k: 2,
    cleaners: ["L3H0"],
    content: compared(0.5, 0.1),
    others: compared(0.5, 0.1),
    ...more,
  }],
});
const writer = (name: string, left: number, control: number, found: boolean, cleaners = ["MLP4"]) => ({
  writer: name,
  left: at(left),
  control: at(control),
  specific: at(control - left),
  found,
  cleaners,
});
const early = (node: string, back: number, control: number) => ({
  node,
  layer: 0,
  dla: 1,
  takenBack: at(back),
  control: at(control),
  beyond: at(back - control),
  effect: at(0.5),
});

const asked = (claims: Claim[], text: string) => claims.find((one) => one.asked.includes(text))!;

Deno.test("verdictOf(): the difference's interval decides; without one, whether both lie apart", () => {
  assertEquals(verdictOf(at(1), at(1), at(0.2)), "more");
  assertEquals(verdictOf(at(1), at(0), at(0.02)), "not shown");
  assertEquals(verdictOf(at(0), at(1), at(-0.2)), "less");
  assertEquals(verdictOf(at(1), at(0.8)), "more");
  assertEquals(verdictOf(at(1), at(0.92)), "not shown");
  assertEquals(verdictOf(at(0.8), at(1)), "less");
});

Deno.test("claims on content and on what predictions depend on: more, less, not shown; each with its control", () => {
  for (
    const [own, control, rest, beginning] of [
      [0.5, 0.1, 0.4, "In the 2 directions of L1H0 stands more"],
      [0.1, 0.5, -0.4, "In the 2 directions of L1H0 stands less"],
      [0.3, 0.28, 0.4, "That in the 2 directions of L1H0 stands more"],
      [0.5, 0.1, 0.02, "That in the 2 directions of L1H0 stands more"], // only what it wrote itself
      [0.5, 0.1, -0.4, "That in the 2 directions of L1H0 stands more"],
    ] as const
  ) {
    const both = { content: compared(own, control), others: compared(0.5 + rest, 0.5) };
    const [claim] = claimsOf(reuse(both), "M");
    assert(claim.sentence.startsWith(beginning), claim.sentence);
    assertStringIncludes(claim.sentence, `${(100 * own).toFixed(1)} %`);
    assertStringIncludes(claim.sentence, `random ones ${(100 * control).toFixed(1)} %`);
    const { value } = both.others.own;
    assertStringIncludes(claim.sentence, ` Without what it wrote: ${(100 * value).toFixed(1)} % (`);
    assertEquals([claim.model, claim.node, claim.question], ["M", "L1H0", "reuse"]);
  }
  const [nobody] = claimsOf(reuse({ cleaners: [] }));
  assertStringIncludes(nobody.sentence, "L1H0, which nobody surely erases");
  const needs = (own: number, control: number) =>
    asked(claimsOf(reuse({ needed: compared(own, control, 0.01) })), "KL without").sentence;
  assertStringIncludes(needs(0.2, 0.1), "The predictions depend more on what stands there");
  assertStringIncludes(needs(0.1, 0.2), "The predictions depend less on what stands there");
  assertStringIncludes(needs(0.1, 0.105), "is not shown");
  assertEquals(claimsOf(reuse({})).length, 1, "a base model has no predictions");
});

Deno.test("claims beside a node that is not erased: more, less, not shown, by whether the intervals lie apart", () => {
  const beside = (own: number, control: number) =>
    claimsOf(reuse({
      beside: {
        node: "L1H1",
        others: { own: at(own), control: at(control) },
        needed: { own: at(control), control: at(own) },
      },
    })).slice(1);
  const [content, needed] = beside(0.5, 0.1);
  assertStringIncludes(
    content.sentence,
    "Others write more into them than into those of L1H1, which is not erased: ",
  );
  assertStringIncludes(content.sentence, "50.0 % (45.0 % to 55.0 %), L1H1 10.0 % (5.0 % to 15.0 %)");
  assertStringIncludes(
    needed.sentence,
    "The predictions depend on them less than on those of L1H1, which is not",
  );
  for (const { sentence, verdict } of beside(0.5, 0.45)) {
    assertEquals(verdict, "not shown");
    assertStringIncludes(sentence, "L1H1, which is not erased, is not shown");
  }
  const [one] = claimsOf(reuse({ k: 1 }));
  assertStringIncludes(one.sentence, "In the direction of L1H0 stands more");
});

Deno.test("what putting back shows: worse, better, more or less than a rotated vector, or nothing", () => {
  const helps = (own: number, control: number) =>
    asked(claimsOf(reuse({ putBack: compared(own, control, 0.01) })), "put back");
  const said: [number, number, string][] = [
    [0.10, 0.05, "predicts worse, by more than with a rotated vector"],
    [0.005, -0.05, "loses more than with a rotated vector; that it predicts worse is not shown"],
    [0.05, 0.10, "loses less than with a rotated vector"],
    [0.05, 0.045, "put back, costs the model more than a rotated vector is not shown"],
    [-0.05, 0.10, "predicts better, so it is not helped"],
    [-0.05, -0.10, "predicts better, so it is not helped"],
    [-0.05, -0.045, "predicts better, so it is not helped"],
  ];
  for (const [own, control, text] of said) assertStringIncludes(helps(own, control).sentence, text);
});

Deno.test("claims on a role: a token, a factor, the loss without it; each only beyond its control", () => {
  const role = (dla: number, last: number, lost: number): Findings => ({
    ...NONE,
    role: [{
      writer: "L1H0",
      says: { token: " a", dla: at(dla), rotated: [0.5, 0.7] },
      about: { factor: "position", last: at(last), shuffled: 0.1 },
      lost: { own: at(lost), control: at(0.2) },
    }],
  });
  const all = claimsOf(role(1, 0.5, 0.5)).map(({ sentence }) => sentence);
  assertStringIncludes(
    all[0],
    `L1H0 speaks, on average, for " a" more than its rotated output speaks for any`,
  );
  assertStringIncludes(all[0], "1.00 logits (0.95 to 1.05), rotated (range of 2) 0.60 (0.50 to 0.70)");
  assertStringIncludes(
    all[1],
    "Of what only one of the position, the token, the token before and the prompt explains of L1H0's variance, " +
      "the position explains most, more than shuffled labels do",
  );
  assertStringIncludes(all[2], "Without L1H0 the loss is higher, by more than");
  const none = claimsOf(role(0.72, 0.12, 0.22));
  none.forEach(({ sentence, verdict, refutedIf }) => {
    assertEquals(verdict, "not shown", sentence);
    assertStringIncludes(sentence, "is not shown");
    assertStringIncludes(
      refutedIf,
      "with more prompts and more draws of the control it lies surely above it",
    );
  });
  const less = claimsOf(role(0.4, 0.02, 0.05));
  assertEquals(less.map(({ verdict }) => verdict), ["less", "less", "less"]);
  assertStringIncludes(less[0].sentence, "less for any token");
});

Deno.test("claims on occurrence: found writers by name, none, and early heads beyond their control or not", () => {
  const found = claimsOf({
    ...NONE,
    writers: [writer("L1H0", 0.1, 0.8, true), writer("L1H1", 0.5, 0.6, false)],
  });
  assertStringIncludes(
    found[0].sentence,
    "The outputs of 1 of 2 examined nodes (of 20), L1H0, are erased by 0.15 or more beyond their control, surely by more than 0",
  );
  assertStringIncludes(found[0].sentence, "there is left: 0.10 (0.05 to 0.15), of it rotated 0.80");
  assertStringIncludes(found[0].refutedIf, "of the rotated outputs of these nodes");
  const none = claimsOf({ ...NONE, writers: [writer("L1H1", 0.5, 0.6, false)] });
  assertStringIncludes(none[0].sentence, "That any of 1 examined nodes (of 20) is erased");
  assertStringIncludes(none[0].sentence, "is not shown; of the nearest, L1H1");
  assertEquals(claimsOf(NONE), []);
  const heads = (back: number, control: number, one = control) =>
    claimsOf({ ...NONE, early: [early("L0H0", back, one), early("all", back, control)] })[0];
  assertStringIncludes(heads(0.8, 0.3).sentence, "of the early head with the largest more is taken back");
  const pooled = (...names: string[]) =>
    claimsOf({ ...NONE, early: [...names, "all"].map((name) => early(name, 0.8, 0.3)) })[0].sentence;
  assertStringIncludes(
    pooled("L1H0", "L1H5"),
    "of the 2 early heads with the largest, all of layer 1, more is taken back",
  );
  assertStringIncludes(pooled("L0H0", "L1H5"), "of the 2 early heads with the largest more is taken back");
  const withWriter = claimsOf({
    ...NONE,
    writers: [writer("L1H5", 0.1, 0.8, true), writer("L1H0", 0.5, 0.6, false)],
    early: ["L1H0", "L1H5", "all"].map((name) => early(name, 0.8, 0.3)),
  }).at(-1)!.sentence;
  assertStringIncludes(
    withWriter,
    "heads with the largest (found above: L1H5), all of layer 1, more is taken back",
  );
  assertStringIncludes(heads(0.3, 0.8).sentence, "less is taken back");
  assertStringIncludes(heads(0.3, 0.28).sentence, "is not shown: 30.0 %");
  assertStringIncludes(
    heads(0.3, 0.28, 0.1).sentence,
    "is not shown for all together; one by one, each at 95 %, it is of L0H0",
  );
});

Deno.test("besideThePost(): how much of the fall is specific, where writers and what kind cleaners are", () => {
  const [fall, where, who] = besideThePost({
    ...NONE,
    writers: [writer("L1H0", 0, 0.5, true), writer("MLP4", 0, 0.5, true, ["L5H0", "MLP5"])],
  }, "M");
  assertStringIncludes(
    fall,
    "0.00 of what L1H0 writes is left at the end, 0.50 of the same rotated: 50 % of the fall from 1 goes beyond that",
  );
  assertStringIncludes(where, "1 of 2 found are in the first 2 of 6 layers (L1H0)");
  assertStringIncludes(who, "2 of 3 cleaners (writer by writer) are MLPs");
  const [all] = besideThePost({ ...NONE, writers: [writer("L1H0", 0.8, 1.1, true)] }, "M");
  assertStringIncludes(all, "1.10 of the same rotated: all of the fall from 1 goes beyond that");
  const [, embedded] = besideThePost({ ...NONE, writers: [writer("pos_embed", 0, 0.5, true, [])] }, "M");
  assertStringIncludes(embedded, "0 of 1 found are in the first 2 of 6 layers.");
  assertEquals(besideThePost(NONE, "M").length, 1);
});

Deno.test("wilson() by hand: none of ten is 0 to z² / (10 + z²); all of ten the same from the other end", () => {
  const [low, high] = wilson(0, 10);
  assertAlmostEquals(low, 0, 1e-12);
  assertAlmostEquals(high, 3.8416 / 13.8416, 1e-12);
  assertAlmostEquals(wilson(10, 10)[0], 1 - high, 1e-12);
});

Deno.test("emergence(): the rows are those of the training's log, and the words follow the counts", async () => {
  const found = await emergence();
  const log = await Deno.readTextFile(
    new URL("../../../data/training/logs/population-g.jsonl", import.meta.url),
  );
  const own = log.trim().split("\n").map((line) => JSON.parse(line.replaceAll("NaN", "null"))).filter((
    { name },
  ) => /^g0[012]-/.test(name));
  assertEquals(
    found.models,
    own.map(({ name, writer, left, rotated }) => ({
      model: name,
      generation: Number(name.slice(1, 3)),
      writer,
      left,
      rotated,
    })),
  );
  assertEquals(emergenceRows(found).map(({ models }) => models), [48, 48, 48]);
  const made = (left: number | null, count: number) =>
    Array.from(
      { length: count },
      () => ({ model: "m", generation: 0, writer: "L1H0", left, rotated: left && 0.5 }),
    );
  const models = [...made(0.35, 3), ...made(0.36, 2), ...made(0.65, 1), ...made(0.64, 1), ...made(null, 3)];
  const [words] = emergenceInWords({ source: "", measured: "", tokens: [1e6], models });
  assertStringIncludes(
    words,
    "After 1.0 M tokens 3 of 10 models (11 to 60 %) have a head of which 0.15 or more",
  );
  assertStringIncludes(words, "of 1 the head that was chosen keeps as much more");
});
