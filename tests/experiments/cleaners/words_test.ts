// Each sentence has the condition under which it is true: rows on both sides of it.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type {
  DirectionRow,
  LensRow,
  PartsRow,
  SuppressionRow,
} from "../../../lib/experiments/cleaners/rows.ts";
import { lensInWords, partsInWords, suppressionInWords } from "../../../lib/experiments/cleaners/words.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";

const at = (value: number, half = 0.02): Estimate => ({ value, interval: [value - half, value + half] });
const beside = (response: number, control: number) => ({
  response: at(response),
  control: at(control),
  specific: at(control - response),
});

const whole = (specific: number, weakening: number, ofWeakening: number): PartsRow => ({
  writer: "L1H6",
  node: "L3H1",
  kind: "head",
  layer: 3,
  ...beside(-specific - 0.1, -0.1),
  parts: 16,
  ...(specific > 0.02 && { half: 2 }),
  weakening,
  ofWeakening: beside(-ofWeakening, 0),
});
const part: DirectionRow = {
  writer: "L1H6",
  node: "L3H1",
  direction: 4,
  sigma: 1,
  cosine: -0.3,
  ...beside(-0.2, 0),
  share: 0.6,
};

Deno.test("partsInWords(): of parts only where more is surely taken back; weakening ones above, below, unsure, none", () => {
  const sure = partsInWords(whole(0.3, 3, 0.2), [part]);
  assertStringIncludes(sure, "L3H1 writes back 0.40 of the output, of the same rotated 0.10");
  assertStringIncludes(sure, "made up by 2 of its 16 singular directions");
  assertStringIncludes(
    sure,
    "The first, singular direction 4, makes up 60 % (cosine of what it reads and writes −0.30)",
  );
  assertStringIncludes(
    sure,
    "The 3 with a cosine below −0.4 take back 0.20 (0.18 to 0.22) beyond the control",
  );
  assertStringIncludes(partsInWords(whole(0.3, 3, 0.01), [part]), "do not surely take back more");
  assertStringIncludes(partsInWords(whole(0.3, 3, -0.2), [part]), "take back surely less");
  assertStringIncludes(partsInWords(whole(0.3, 0, 0), [part]), "None has a cosine below −0.4");
  const unsure = partsInWords(whole(0.01, 3, 0.2), [part]);
  assert(unsure.endsWith("not surely more, so nothing is said of its parts."), unsure);
});

const opposing = (node: string, opposed: number, beyond: number): SuppressionRow => ({
  writer: "L1H6",
  node,
  opposed: at(opposed),
  control: at(opposed - beyond),
  beyond: at(beyond),
});

Deno.test("suppressionInWords(): who surely opposes, and more than on another text; else none", () => {
  const rows = [opposing("L3H1", 0, 0), opposing("MLP3", 0.2, 0.1), opposing("MLP2", 0.3, 0.01)];
  const words = suppressionInWords(rows);
  assertStringIncludes(words, "MLP3 (10 % beyond the control) opposes what the other earlier nodes predict");
  assertStringIncludes(words, "Of L3H1 and MLP2 that is not shown.");
  // above the control, which strengthens, and not above 0: nothing is opposed
  const none = suppressionInWords([opposing("MLP1", -0.1, 0.2)]);
  assertStringIncludes(none, "None of MLP1 is shown to oppose");
  assert(none.endsWith("that any suppresses predictions is not shown."), none);
  assert(!none.includes("erase"), none); // whether MLP1 erases is another question
  assertEquals(suppressionInWords([]), "");
});

const lens = (run: LensRow["run"], stream: number, logits: number, size: number): LensRow => ({
  writer: "L1H6",
  location: "resid_post3",
  run,
  stream: at(stream),
  logits: at(logits),
  size: at(size),
});

Deno.test("lensInWords(): gone and silent, gone and turned into something else, kept; nothing of a base model", () => {
  const turned = lensInWords([lens("writer", 0.1, 0.1, 1.2), lens("control", 0.5, 0.5, 1)]);
  assertStringIncludes(turned, "0.10 of the output is left along itself in the stream, 0.10 of what it said");
  assertStringIncludes(turned, "(of the same rotated 0.50, 0.50, 1.00)");
  assertStringIncludes(turned, "what it said is taken away");
  assertStringIncludes(
    turned,
    "what it has become says something else, as does what becomes of any such vector.",
  );
  for (const beside of [[lens("control", 0.5, 0.5, 0.2)], []]) { // which says little, or was not measured
    const own = lensInWords([lens("writer", 0.1, 0.1, 1.2), ...beside]);
    assert(own.endsWith("what it has become says something else."), own);
  }
  // of any such vector no more is left
  const alike = lensInWords([lens("writer", 0.1, 0.1, 1.2), lens("control", 0.1, 0.11, 1)]);
  assertStringIncludes(alike, "though not surely less than of any such vector");
  assert(!alike.includes("taken away"), alike);
  const silent = lensInWords([lens("writer", 0.1, 0.1, 0.2)]);
  assertStringIncludes(silent, "So little of it is left to be read by the unembedding");
  const kept = lensInWords([lens("writer", 0.9, 0.8, 1)]);
  assert(!kept.includes("So "), kept);
  assertEquals(lensInWords([lens("writer", 0.1, NaN, NaN)]), "");
});
