// Each sentence has the condition under which it is true: rows on both sides of it.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CensusResult } from "../../../lib/experiments/census/census.ts";
import type {
  ContractionRow,
  CosineRow,
  EarlyRow,
  SelfRepairRow,
} from "../../../lib/experiments/census/rows.ts";
import {
  censusInWords,
  contractionInWords,
  cosinesInWords,
  earlyInWords,
  modelsInWords,
  selfRepairInWords,
  writersInWords,
} from "../../../lib/experiments/census/words.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";
import type { ExaminedWriter } from "../../../lib/experiments/scan/examine.ts";

const at = (value: number, half = 0.05): Estimate => ({ value, interval: [value - half, value + half] });

const layer = (
  i: number,
  random: number,
  own: number,
  more: Partial<ContractionRow> = {},
): ContractionRow => ({
  layer: i,
  kind: "head",
  node: "heads",
  random: at(random),
  own: at(own),
  wide: false,
  ...more,
});

Deno.test("contractionInWords(): own outputs that fare otherwise are named only where the intervals lie apart", () => {
  const apart = contractionInWords([layer(0, 0.5, 0.2), layer(1, 0.7, 0.9)]);
  assertStringIncludes(apart, "more is left of what the heads of layer 1 write");
  assertStringIncludes(apart, "less of what the heads of layer 0 write");
  assertStringIncludes(apart, "0.50 (0.45 to 0.55) of one written in layer 0");
  const alike = contractionInWords([layer(0, 0.5, 0.45), layer(1, 0.7, 0.75)]);
  assertStringIncludes(alike, "Of no layer's own outputs is surely more or less left");
  const silent = contractionInWords([layer(0, -3, 2, { wide: true })]);
  assertStringIncludes(silent, "Nothing can be said");
  assert(!contractionInWords([layer(0, 0.5, 0.5), layer(1, 0.5, 0.9, { wide: true })]).includes("layer 1"));
});

const sublayer = (cosine: number, control: number, beyond: number): CosineRow => ({
  layer: 2,
  sublayer: "attn",
  cosine: at(cosine),
  control: at(control),
  beyond: at(beyond),
  opposed: 0,
  share: 0.1,
  first: 0,
});

Deno.test("cosinesInWords(): against the stream, and beyond what is so on any text", () => {
  const specific = cosinesInWords({ cosines: [sublayer(-0.3, -0.1, -0.2), sublayer(0.3, 0, 0.3)] });
  assertStringIncludes(specific, "1 of 2 sublayers write against it in the mean (attention 2), 1 along it");
  assertStringIncludes(specific, "Beyond what they add on another text: attention 2");
  const generic = cosinesInWords({ cosines: [sublayer(-0.3, -0.3, 0)] });
  assertStringIncludes(generic, "None is shown to be opposed more than what it adds on another text");
  const none = cosinesInWords({ cosines: [sublayer(-0.04, 0, -0.2)] });
  assertStringIncludes(none, "0 of 1 sublayers write against it");
  assert(!none.includes("another text"));
});

const early = (node: string, beyond: number): EarlyRow => ({
  node,
  layer: 0,
  dla: 1,
  takenBack: at(0.7),
  control: at(0.7 - beyond),
  beyond: at(beyond, 0.1),
  effect: at(0.3),
});

Deno.test("earlyInWords(): surely more, surely less, not sure; nothing for a base model", () => {
  const more = earlyInWords([early("L0H1", 0.3), early("L0H2", 0), early("all", 0.2)]);
  assertStringIncludes(
    more,
    "That is surely more: 20 % (10 % to 30 %). Head by head it is surely more of L0H1.",
  );
  assertStringIncludes(more, "of the DLA of 2, 70 %");
  assertStringIncludes(earlyInWords([early("L0H1", -0.3), early("all", -0.3)]), "That is surely less.");
  const unsure = earlyInWords([early("L0H1", 0.05), early("all", 0.05)]);
  assert(unsure.endsWith("The difference is not sure."), unsure);
  assertEquals(earlyInWords([]), "");
});

const repair = (node: string, beyond: number): SelfRepairRow => ({
  node,
  kind: "head",
  layer: 0,
  directEffect: 1,
  share: { total: at(0.5), heads: 0.2, mlps: 0.2, norm: 0.1 },
  control: at(0.5 - beyond),
  beyond: at(beyond, 0.1),
});

Deno.test("selfRepairInWords(): beyond the control, below it, or not shown", () => {
  assertStringIncludes(
    selfRepairInWords([repair("L0H1", 0.3), repair("all", 0.3)]),
    "So 30 % (20 % to 40 %) goes beyond what happens to any such vector. Node by node it is surely beyond in L0H1.",
  );
  assertStringIncludes(
    selfRepairInWords([repair("all", -0.3)]),
    "So less is made up for than of any such vector",
  );
  const none = selfRepairInWords([repair("L0H1", 0), repair("all", 0.05)]);
  assert(none.endsWith("So none is shown beyond what happens to any such vector."), none);
  assertEquals(selfRepairInWords([]), "");
});

const writer = (name: string, value: number, notFound?: string) =>
  ({ writer: name, specific: at(value), ...(notFound && { notFound }) }) as ExaminedWriter;
const result = (more: Partial<CensusResult>): CensusResult =>
  ({
    settings: { specific: 0.15 },
    screened: new Array(38),
    writers: [],
    contraction: [layer(0, 0.5, 0.5)],
    cosines: [sublayer(0, 0, 0)],
    early: [],
    selfRepair: [],
    ...more,
  }) as unknown as CensusResult;

Deno.test("writersInWords(): found ones alone; none says so", () => {
  const found = writersInWords(result({ writers: [writer("L1H6", 0.4), writer("L0H0", 0.9, "not sure")] }));
  assertStringIncludes(
    found,
    "1 (of 38 nodes, 2 examined) is specifically erased: L1H6. The most: L1H6, 0.40",
  );
  const none = writersInWords(result({ writers: [writer("L0H0", 0.9, "not sure")] }));
  assertStringIncludes(none, "none whose output is surely erased by 0.15 or more");
});

Deno.test("modelsInWords() counts models, and censusInWords() names position 0 where there is a sink", () => {
  const one = result({ writers: [writer("L1H6", 0.4)], early: [early("all", 0.3)] });
  const words = modelsInWords([one, result({}), result({ selfRepair: [repair("all", -0.3)] })]);
  assertStringIncludes(words, "specifically erased occur in 1 of 3 models");
  assertStringIncludes(words, "DLA of early heads is taken back beyond the control's in 1 of 3 models");
  assertStringIncludes(words, "Self-repair goes beyond the control's in 0 of 3 models");
  const sink = { location: "resid_post1", times: 30.2, writer: "MLP1" } as CensusResult["sink"];
  assertStringIncludes(
    censusInWords(result({ sink })).join(" "),
    "at resid_post1 the stream is 30 times as long there as elsewhere, an attention sink that MLP1 writes",
  );
  assert(!censusInWords(result({})).join(" ").includes("Position 0"));
});
