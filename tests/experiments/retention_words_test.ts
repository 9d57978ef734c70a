// Sentences on retention: each conclusion is printed where its interval allows it, and not where it does not.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cleanersInWords, retentionInWords } from "../../lib/experiments/retention/in_words.ts";
import type { CleanerRow, Estimate, WriterRow } from "../../lib/experiments/rows.ts";

const estimate = (value: number, room = 0.05): Estimate => ({
  value,
  interval: [value - room, value + room],
});

const writer = (left: number, control?: number, room = 0.05): WriterRow => ({
  writer: "L0H2",
  kind: "head",
  layer: 0,
  share: 0.2,
  left: estimate(left),
  ...(control !== undefined && { control: estimate(control), specific: estimate(control - left, room) }),
  draws: control === undefined ? [] : [control, control],
  n: 100,
});

Deno.test("retentionInWords(): erased for what it says, beside what any such vector loses", () => {
  assertEquals(
    retentionInWords(writer(0.1, 0.6)),
    "Of what L0H2 writes, 0.10 is left at the end (95 %: 0.05 to 0.15). Of the same output, rotated, 0.60 is left " +
      "(95 %: 0.55 to 0.65). So 0.50 of it is erased for what it says (95 %: 0.45 to 0.55); 0.40 would be taken back of any " +
      "such vector.",
  );
  assert(
    !retentionInWords(writer(0.1, 1.2)).includes("would be taken back"),
    "nothing is taken back of any vector",
  );
});

Deno.test("retentionInWords(): kept, not sure, and without a control", () => {
  assertStringIncludes(
    retentionInWords(writer(0.9, 0.5)),
    "So 0.40 of it is kept that is taken back of any such vector.",
  );
  const one = retentionInWords({ ...writer(0.1, 0.6), draws: [0.6] });
  assertStringIncludes(one, "That is one draw of the control");
  assert(!one.includes("is erased"), one);
  const unsure = retentionInWords(writer(0.4, 0.5, 0.2));
  assertStringIncludes(unsure, "No more of it is surely erased than of any such vector.");
  assert(!unsure.includes("for what it says"));
  assertStringIncludes(retentionInWords(writer(0.1)), "Without a control that says little.");
  assertStringIncludes(
    retentionInWords(writer(0.1, 0.6), "by the values of layer 3"),
    "0.10 is left by the values of layer 3 (95",
  );
});

Deno.test("cleanersInWords(): none, one, several", () => {
  const row = (node: string, response: number): CleanerRow => {
    return { writer: "L0H2", node, kind: "head", layer: 2, response, specific: estimate(-response) };
  };
  assertStringIncludes(cleanersInWords("L0H2", []), "No later node surely takes back more");
  assertEquals(cleanersInWords("L0H2", [row("L2H3", -0.3)]), "After L0H2, L2H3 (−0.30) cleans up.");
  assertEquals(
    cleanersInWords("L0H2", [row("L2H3", -0.3), row("L2H4", -0.25)]),
    "After L0H2, L2H3 (−0.30) and L2H4 (−0.25) clean up: together −0.55 times its output.",
  );
});
