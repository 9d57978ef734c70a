// Every sentence that draws a conclusion, on a result that makes it true and on one that makes it false. The
// results are made up.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { listed, number } from "../../../lib/experiments/numbers_in_words.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";
import type { Attribution } from "../../../lib/experiments/scan/attribution.ts";
import type { Candidate } from "../../../lib/experiments/scan/candidates.ts";
import type { ExaminedWriter } from "../../../lib/experiments/scan/examine.ts";
import type { ScanResult } from "../../../lib/experiments/scan/scan.ts";
import { DEFAULT_SETTINGS } from "../../../lib/experiments/scan/settings.ts";
import {
  describeWriter,
  inWords,
  modelInWords,
  oneSentence,
  overview,
} from "../../../lib/experiments/scan/words.ts";

const about = (value: number, half = 0.05): Estimate => ({ value, interval: [value - half, value + half] });

function writer(changes: Partial<ExaminedWriter> = {}): ExaminedWriter {
  return {
    writer: "L1H6",
    kind: "head",
    layer: 1,
    share: 0.2,
    left: about(0.05),
    control: about(0.5),
    specific: about(0.45),
    draws: [0.5],
    n: 1000,
    q: 0.001,
    locations: [],
    cleaners: [
      { writer: "L1H6", node: "L3H1", kind: "head", layer: 3, response: -0.4, specific: about(0.3) },
      { writer: "L1H6", node: "L3H5", kind: "head", layer: 3, response: -0.2, specific: about(0.15) },
    ],
    specificRatio: 0.45,
    leftByLength: about(0.1),
    shared: 0.1,
    growth: 1.2,
    routes: { values: 0.4, scales: 0.0, attention: 0.05 },
    ...changes,
  };
}

const dla = (changes: Partial<Attribution> = {}): Attribution => ({
  meanAbsolute: 0.8,
  takenBack: about(0.9),
  controlTakenBack: about(0.5),
  beyond: about(0.4),
  q: 0.01,
  effect: about(0.1),
  prompts: 16,
  ...changes,
});

function result(changes: Partial<ScanResult> = {}): ScanResult {
  return {
    model: { name: "made up", layers: 4, heads: 8, d_model: 64, parameters: 1 },
    prompts: { count: 32, length: 128, source: "test", screened: 8, examined: 16 },
    settings: DEFAULT_SETTINGS,
    assumptions: {},
    writers: [writer()],
    passedOver: [],
    layers: [],
    stream: [],
    responses: { writers: [], nodes: [], ratios: [] },
    ...changes,
  };
}

const says = (text: string, ...parts: string[]) =>
  parts.forEach((part) => assert(text.includes(part), `${part}\nin: ${text}`));
const saysNot = (text: string, ...parts: string[]) =>
  parts.forEach((part) => assert(!text.includes(part), `${part}\nin: ${text}`));

Deno.test("number(): a true minus sign, and no minus zero", () => {
  assertEquals([number(-0.034), number(-0.001), number(0), number(-1.5, 0)], ["−0.03", "0.00", "0.00", "−2"]);
});

Deno.test("listed()", () => {
  assertEquals([listed([]), listed(["A"]), listed(["A", "B"]), listed(["A", "B", "C"])], [
    "",
    "A",
    "A and B",
    "A, B and C",
  ]);
});

Deno.test("what was found: one, several, none examined, none that passes", () => {
  says(overview(result()), "One node writes what is specifically erased", "L1H6");
  says(
    overview(result({ writers: [writer(), writer({ writer: "L0H0" })] })),
    "2 nodes write",
    "L1H6 and L0H0",
  );
  const none = overview(result({ writers: [], passedOver: [{} as Candidate, {} as Candidate] }));
  says(none, "No clean-up was found", "None of 2 nodes");
  const failed = overview(result({ writers: [writer({ notFound: "too little", specific: about(0.04) })] }));
  says(failed, "No clean-up was found", "Of 1 nodes 1 was examined", "0.04 (−0.01 to 0.09)");
  saysNot(failed, "what is specifically erased");
});

Deno.test("all found: no node is left out without a word", () => {
  const many = Array.from({ length: 12 }, (_, i) => writer({ writer: `L0H${i}` }));
  says(overview(result({ writers: many })), "12 nodes write", "L0H7 and others");
  assertEquals(
    inWords(result({ writers: many })).filter((text) => text.includes("writes what is later erased")).length,
    12,
  );
});

Deno.test("what was not examined for its rank alone is counted, in either case", () => {
  const left = { passedOver: "not examined: 16 others have more erased of the stream" } as Candidate;
  const other = { passedOver: "no more of it is missing" } as Candidate;
  says(
    overview(result({ passedOver: [left, left, other] })),
    "2 more nodes lost 0.075 or more",
    "were not examined",
  );
  says(
    overview(result({ writers: [], passedOver: [left] })),
    "1 more node lost",
    "was not examined",
    "may be a writer",
  );
  saysNot(overview(result({ passedOver: [other] })), "not examined");
});

Deno.test("the overview names what is found whose interval reaches below the threshold, and says when the named erase a minority", () => {
  saysNot(overview(result()), "reaches below");
  const weak = { ...writer(), specific: { value: 0.2, interval: [0.1, 0.3] as const } };
  says(overview(result({ writers: [weak as never] })), "of L1H6 the interval reaches below 0.15");
  says(describeWriter(writer({ specificRatio: 2 })), "The erasing is spread over many nodes. L3H1");
  saysNot(describeWriter(writer()), "spread over many");
});

Deno.test("the other heads of the layer stand beside a head, as they were on the screen; less than any is not said of it", () => {
  const among = describeWriter(writer({ peers: [0.2, 0.3, 0.5] }));
  says(
    among,
    "Of the other heads of its layer 0.20 to 0.50 (median 0.30) was left when the nodes were screened.",
  );
  saysNot(describeWriter(writer()), "other heads of its layer");
});

Deno.test("where long outputs are kept otherwise than the typical one, it is said", () => {
  says(
    describeWriter(writer({ left: about(-0.2), leftByLength: about(0.47) })),
    "writes much keep more: of all that it writes, 0.47 (0.42 to 0.52) is left",
  );
  says(describeWriter(writer({ left: about(0.5), leftByLength: about(0.1) })), "writes much keep less");
  saysNot(describeWriter(writer()), "writes much");
});

Deno.test("a writer: what is left stands beside its control; one that ends below 0 is turned round", () => {
  says(
    describeWriter(writer()),
    "0.05 of it is left at the typical token, and 0.50 of the same output rotated at random",
    "That is 0.45 (0.40 to 0.50) less",
  );
  says(describeWriter(writer({ left: about(-0.2) })), "erased and turned round", "−0.20 of it is left");
  saysNot(describeWriter(writer()), "turned round", "grow here");
  says(
    describeWriter(writer({ control: about(1.2) })),
    "1.20 of the same output rotated at random (such vectors grow here)",
  );
});

Deno.test("cleaners: together is said of several alone; what the others do is said either way; none is said", () => {
  says(describeWriter(writer()), "L3H1 (0.30) and L3H5 (0.15) take back more", "together 0.45; that is all");
  const [one] = writer().cleaners;
  const single = describeWriter(writer({ cleaners: [one], specificRatio: 0.3 }));
  says(single, "L3H1 (0.30) takes back more of it than of the control; that is all");
  saysNot(single, "together");
  says(describeWriter(writer({ specificRatio: 0.6 })), "take back another 0.15");
  says(describeWriter(writer({ specificRatio: 0.3 })), "give 0.15 of it back");
  says(describeWriter(writer({ cleaners: [] })), "spread over many");
  const six = Array.from(
    { length: 6 },
    (_, i) => ({ ...one, node: `L3H${i}`, specific: about(0.1 + 0.01 * i) }),
  );
  says(
    describeWriter(writer({ cleaners: six })),
    "L3H5 (0.15), L3H4 (0.14), L3H3 (0.13), L3H2 (0.12) and 2 more",
  );
});

Deno.test("routes: the one that carries most is named; where none does, all three are given", () => {
  says(describeWriter(writer()), "Of the 0.45 at the typical token 0.40 goes through values and MLP inputs.");
  const all = describeWriter(writer({ routes: { values: 0.6, scales: 0, attention: -0.15 } }));
  says(all, "All of the 0.45 at the typical token goes through values and MLP inputs.");
  saysNot(all, "0.60");
  const attention = describeWriter(writer({ routes: { values: 0.05, scales: 0, attention: 0.4 } }));
  says(attention, "Of the 0.45 at the typical token 0.40 goes through attention patterns");
  says(
    describeWriter(writer({ routes: { values: 0, scales: 0.45, attention: 0 } })),
    "All of the 0.45 at the typical token goes through the normalisations' scales",
  );
  const mixed = describeWriter(writer({ routes: { values: 0.2, scales: 0.05, attention: 0.2 } }));
  says(mixed, "No route carries most of the 0.45 at the typical token: 0.20 through values and MLP inputs");
  saysNot(mixed, "token goes");
});

Deno.test("positional: on the condition that it is, and never of pos_embed", () => {
  says(
    describeWriter(writer({ shared: 0.91 })),
    "91 % of its output is the same at a position in all prompts",
  );
  saysNot(describeWriter(writer({ shared: 0.5 })), "in all prompts");
  saysNot(describeWriter(writer({ writer: "pos_embed", kind: "embed", shared: 1 })), "in all prompts");
});

Deno.test("attribution: taken back beyond the control, as much, less, added to, not sure, or next to nothing", () => {
  const words = (changes: Partial<Attribution>) => describeWriter(writer({ attribution: dla(changes) }));
  says(
    words({}),
    "credits it with 0.80 logits",
    "take back 90 % of that (95 %: 85 % to 95 %)",
    "rotated output's 50 %",
  );
  says(
    words({}),
    "misleads more for L1H6 than for what merely is written there",
    "0.10 logits for each logit",
  );
  const same = words({ controlTakenBack: about(0.88), beyond: about(0.02) });
  says(same, "no clear difference");
  saysNot(same, "misleads more");
  says(words({ takenBack: about(0.3), beyond: about(-0.2) }), "less than of what merely is written there");
  const added = words({ takenBack: about(-0.4), beyond: about(-0.9) });
  says(added, "do not take that back but add 40 % to it");
  saysNot(added, "misleads more", "take back 40 %");
  says(words({ takenBack: about(0.02) }), "is not sure (95 %: −3 % to 7 %)");
  const nothing = words({ meanAbsolute: 0.001 });
  says(nothing, "next to nothing");
  saysNot(nothing, "taken back", "take back 90 %");
  saysNot(describeWriter(writer()), "attribution");
});

Deno.test("one sentence for the table: the largest cleaner's part, more than the control only where it is so", () => {
  const plain = oneSentence(writer({ attribution: dla() }));
  says(
    plain,
    "0.05 of it is left, 0.45 less than of it rotated; L3H1 takes back 67 % of what is taken back beyond that",
  );
  says(plain, "more of its attribution is taken back than of the control's.");
  saysNot(plain, "typical", "same at a position");
  says(oneSentence(writer({ shared: 0.9 })), "; 90 % of it is the same at a position in all prompts");
  says(
    oneSentence(writer({ leftByLength: about(0.5) })),
    "0.05 of it is left at the typical token (0.50 (0.45 to 0.55) of all that it writes)",
  );
  saysNot(oneSentence(writer({ cleaners: [] })), "takes back");
  const over = oneSentence(writer({ specificRatio: 0.2 }));
  says(over, "L3H1 takes back more than that, and others give some of it back");
  saysNot(over, "%");
  const unsure = oneSentence(writer({ attribution: dla({ q: 0.2 }) }));
  saysNot(unsure, "more of its attribution");
  const same = oneSentence(writer({ attribution: dla({ controlTakenBack: about(0.9), beyond: about(0) }) }));
  says(same, "no clear difference from the control");
  saysNot(same, "more of its attribution");
  saysNot(oneSentence(writer({ attribution: dla({ meanAbsolute: 0.001 }) })), "attribution");
});

Deno.test("embed as a writer is described as any other", () => {
  says(
    describeWriter(writer({ writer: "embed", kind: "embed", layer: -1 })),
    "embed writes what is later erased",
  );
});

Deno.test("the model as a whole: contraction only where there is some, and position 0 only where it is a sink", () => {
  const layers = [0.4, 0.5, 0.9].map((left, layer) => ({
    layer,
    kind: "head" as const,
    left,
    low: left,
    high: left,
  }));
  const [contraction] = modelInWords(result({ layers }));
  says(contraction, "writes back part of anything", "layer 0: 0.40, layer 1: 0.50, layer 2: 0.90");
  const keeps = modelInWords(result({ layers: layers.map((l) => ({ ...l, left: 0.95 })) }))[0];
  says(keeps, "leaves most of anything");
  saysNot(keeps, "writes back");
  // what is written in layer 0 is small against what its absence changes: 10.25 would be no retention
  const wide = layers.map((l) => l.layer === 0 ? { ...l, left: 10.25, low: -8, high: 30 } : l);
  const [unsaid] = modelInWords(result({ layers: wide }));
  says(unsaid, "layer 1: 0.50, layer 2: 0.90", "Of layer 0 nothing can be said");
  saysNot(unsaid, "10.25");
  saysNot(contraction, "nothing can be said");
  assertEquals(modelInWords(result({ layers: layers.slice(0, 1) })), []);
  const sink = {
    location: "resid_post2",
    times: 28.3,
    writer: "MLP11",
    norm: 25061.4,
    elsewhere: 29.2,
    left: 0.05,
    takenBackBy: { node: "MLP28", part: 0.57, ofControl: -0.002 },
  };
  const [sunk] = modelInWords(result({ sink }));
  says(
    sunk,
    "massive activation",
    "28 times as long",
    "MLP11 writes a vector of length 25,061 there, and 29 elsewhere",
    "MLP28 takes 57 % of that back (of the same vector rotated: 0 %)",
  );
  const [kept] = modelInWords(
    result({ sink: { ...sink, takenBackBy: { node: "MLP3", part: 0.04, ofControl: 0 } } }),
  );
  says(kept, "No later node takes a tenth of that back");
  saysNot(kept, "MLP3");
});

Deno.test("what is kept better than the control is said; what merely is not erased is not", () => {
  const candidate = {
    passedOver: "protected: 0.9 of it is left, of the layer's control 0.5",
    name: "MLP0",
  } as Candidate;
  const more = { ...candidate, name: "MLP3", specific: -0.7 };
  assertEquals(modelInWords(result({ passedOver: [{ ...candidate, specific: -0.4 }, more] })), [
    "Kept better than the layer's control on the first half, the most kept first (not tested on the second): MLP3 and MLP0.",
  ]);
  assertEquals(
    modelInWords(result({ passedOver: [{ ...candidate, passedOver: "no more of it is missing …" }] })),
    [],
  );
});

Deno.test("the untrained null: how many it found, and one that it found is named", () => {
  const untrained = { prompts: 32, examined: ["L0H1"], found: [], largestSpecific: 0.08 };
  assertMatch(
    modelInWords(result({ untrained }))[0],
    /found no writer; 1 was examined, and the largest specific erasure was 0\.08/,
  );
  says(modelInWords(result({ untrained: { ...untrained, found: ["L0H1"] } }))[0], "found 1 (L0H1)");
});
