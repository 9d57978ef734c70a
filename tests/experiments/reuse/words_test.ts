// Every sentence of words.ts: with numbers that make it true, and with numbers that make it false.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ReuseResult } from "../../../lib/experiments/reuse/reuse.ts";
import type { OccupancyRow, ReadRow, SpanName, WrittenRow } from "../../../lib/experiments/reuse/rows.ts";
import { halves, reuseInWords } from "../../../lib/experiments/reuse/words.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";

const about = (value: number, width = 0.01): Estimate => ({
  value,
  interval: [value - width, value + width],
});

interface Made {
  cleaners?: string[];
  k?: number;
  /** Share at the end, and of other content. */
  end?: number;
  endRest?: number;
  /** Share of what MLP3, after the last cleaner, writes; none: no such node. */
  after?: number | null;
  /** What the keys of layer 2 take in. */
  keys?: number;
  /** What MLP3 takes in from other content. */
  later?: number;
  own?: number;
  helps?: number;
  more?: number;
  /** Of the node that is not erased: other content at the end, and KL without it; none: no such node. */
  other?: [content: number, read: number];
  /** Half the width of every interval. */
  width?: number;
}

const RANDOM = 0.05;

/** What reuse() returns with these numbers; random spans hold 0.05 of everything. */
function made(m: Made): ReuseResult {
  const {
    cleaners = ["L2H3"],
    k = 1,
    end = RANDOM,
    endRest = end,
    after = RANDOM,
    keys = 0.5,
    width = 0.01,
  } = m;
  const shares = (all: number, rest: number, span: SpanName) => ({
    all: about(all, width),
    own: about(0, width),
    rest: about(rest, width),
    ...(span !== "random" && { more: about(all - RANDOM, width), moreRest: about(rest - RANDOM, width) }),
  });
  const of = (span: SpanName, value: number) => span === "random" ? RANDOM : value;
  const spans: SpanName[] = ["writer", "random"];
  const occupancy = spans.map((span): OccupancyRow => ({
    span,
    location: "resid_post3",
    phase: "after",
    ...shares(of(span, end), of(span, endRest), span),
  }));
  const written = spans.flatMap((span): WrittenRow[] =>
    after === null ? [] : [{
      span,
      node: "MLP3",
      kind: "mlp",
      layer: 3,
      phase: "after",
      cleaner: false,
      ...shares(of(span, after), of(span, after), span),
    }]
  );
  const read = spans.flatMap((span): ReadRow[] => [
    { span, reader: "layer 2", input: "K", layer: 2, phase: "between", ...shares(of(span, keys), 0, span) },
    { span, reader: "L2H0", input: "K", layer: 2, phase: "between", ...shares(0.9, 0.9, span) },
    {
      span,
      reader: "MLP3",
      input: "MLP",
      layer: 3,
      phase: "after",
      ...shares(of(span, m.later ?? RANDOM), of(span, m.later ?? RANDOM), span),
    },
  ]);
  return {
    writer: "L0H2",
    cleaners,
    ...(m.other && { other: "L0H5" }),
    spans: [{ span: "writer", node: "L0H2", k, energy: 0.96, chance: k / 63 }],
    occupancy: m.other
      ? [...occupancy, { ...occupancy[0], span: "other", ...shares(m.other[0], m.other[0], "other") }]
      : occupancy,
    written,
    read,
    putBack: [
      { run: "writer", lambda: 1, loss: about(m.own ?? 0.1, width) },
      { run: "control", lambda: 1, loss: about(0.1, width) },
    ],
    changed: [],
    helps: about(m.helps ?? 0, width),
    needed: [
      { span: "writer", loss: about(0.2, width), divergence: about(0.3, width) },
      { span: "random", loss: about(0.2, width), divergence: about(0.3, width) },
      ...(m.other
        ? [{ span: "other" as const, loss: about(0.2, width), divergence: about(m.other[1], width) }]
        : []),
    ],
    neededMore: about(m.more ?? 0, width),
    assumptions: {},
  };
}

/** [numbers, what is then said, what is not] */
const CASES: [Made, string, string][] = [
  [{}, "One direction holds 96 % of the energy of what L0H2 writes", "directions hold 96"],
  [{ k: 7 }, "7 directions hold 96 %", "One direction"],
  [{}, "L2H3 erases it.", "Nobody surely erases it"],
  [{ cleaners: ["L2H3", "L2H4"] }, "L2H3 and L2H4 erase it.", "erases it"],
  [{ cleaners: [] }, "Nobody surely erases it", "So that the freed"],
  [{}, "read by the keys of layer 2 (50 % of all that they take in); each more", "takes much"],
  [{}, "read by the keys of layer 2", "among others"], // nobody else is shown to
  // surely more, but not twice as much
  [{ keys: 0.09 }, "and at least twice as much as from random ones; ", "surely takes more"],
  [{ keys: 0.09 }, "That anybody between write and erasure takes much from these", "the keys of layer 2"],
  [{ keys: 0.5, width: 0.6 }, "takes much from these directions", "the keys of layer 2"],
  [{}, "no sure difference", "surely more."],
  [{ end: 0.3 }, "random ones 5.0 %: surely more.", "no sure difference"],
  [{ end: 0.01 }, "surely less.", "no sure difference"],
  [
    {},
    "That any node after the last cleaner (MLP3) writes at least twice",
    "After the last cleaner MLP3 writes",
  ],
  [{ after: 0.4 }, "After the last cleaner MLP3 writes more into them", "That any node after"],
  // surely more, but not twice as much
  [
    { after: 0.09 },
    "writes at least twice as much into them as into random ones, also without what L0H2 wrote, is",
    "surely writes more",
  ],
  [{ after: 0.09 }, "That any node after", "MLP3 writes more"],
  [{ after: 0.4, width: 0.5 }, "That any node after", "MLP3 writes more"],
  [{ after: null }, "No node comes after the last cleaner.", "That any node after"],
  [{}, "It is not shown to disturb more than any such vector, nor that erasing helps", "disturbs no more"],
  [{}, "nor that erasing helps for what the output says", "So erasing helps"],
  // it may be that the model predicts no worse with it, though the control predicts surely better
  [{ own: 0.005, helps: 0.05 }, "that the model predicts worse with it is not shown", "So erasing helps"],
  [{ helps: 0.05 }, "So erasing helps, beyond", "is not shown. With"],
  [{ helps: -0.05 }, "bears it well", "So erasing helps"],
  [{ own: -0.1 }, "The model predicts better with it, so erasing does not help.", "bears it well"],
  [{ own: -0.1, helps: 0.05 }, "erasing does not help", "So erasing helps"],
  [{ more: 0.1 }, "surely more than with random", "not surely another amount"],
  [{ more: -0.1 }, "surely less than with random", "not surely another amount"],
  [{}, "not surely another amount than with random", "surely less than"],
  [{ end: 0.3, more: 0.1 }, "There is no node that is not erased to compare with: that", "are used again:"],
  [
    { end: 0.3, later: 0.4 },
    "and it is read, more than in random directions. There is",
    "that it is read is",
  ],
  // the writer's: content 0.3, KL 0.3
  [
    { end: 0.3, more: 0.1, other: [0.1, 0.1] },
    "So the freed directions are used again: other content is there, and it is read, more than in random " +
    "directions, and more than in those of L0H5, which is not erased.",
    "is not shown.\nSo",
  ],
  [
    { end: 0.3, more: 0.1, other: [0.1, 0.6] },
    "But beside the directions of L0H5, which is not erased, there is more other content in them (30 % against " +
    "10 %), and the predictions depend on them less (0.300 against 0.600 nats): that the directions are used again " +
    "because they were freed is not shown.",
    "are used again:",
  ],
  [
    { end: 0.3, more: 0.1, other: [0.5, 0.1] },
    "there is less other content in them (30 %",
    "are used again:",
  ],
  [
    { end: 0.3, more: 0.1, other: [0.31, 0.31] },
    "there is not surely another amount of other content in them (30 % against 31 %), and the predictions depend " +
    "on them not surely to another degree",
    "are used again:",
  ],
  [{ end: 0.3 }, "that it is read is not shown", "are used again: other"],
  [{ end: 0.3, endRest: 0.01, more: 0.1 }, "that more stands there is not shown", "are used again: other"],
  [
    {},
    "So that the freed directions are used again, more than any others are, is not shown.",
    "and it is read.",
  ],
];

for (const [numbers, said, unsaid] of CASES) {
  Deno.test(`reuseInWords(${JSON.stringify(numbers)}) says "${said}"`, () => {
    const words = reuseInWords(made(numbers)).join(" ");
    assertStringIncludes(words, said);
    assert(!words.includes(unsaid), words);
  });
}

Deno.test('reuseInWords() speaks of the largest λ, as "helps" does, whatever the order', () => {
  const result = made({ own: 0.2 });
  const half = result.putBack.map((row) => ({ ...row, lambda: 0.5, loss: about(-0.4) }));
  for (const putBack of [[...result.putBack, ...half], [...half, ...result.putBack]]) {
    assertEquals(reuseInWords({ ...result, putBack }), reuseInWords(result));
  }
});

Deno.test("reuseInWords(): where more is erased and nothing put back, whether erasing helps is not asked", () => {
  const result = made({ own: -0.1 });
  const words = reuseInWords({ ...result, putBack: result.putBack.map((row) => ({ ...row, lambda: -0.5 })) });
  assertStringIncludes(words.join(" "), "so whether erasing helps is not asked");
  assert(!words.join(" ").includes("does not help"));
});

Deno.test("halves(): nothing is said of an output that nobody erases; without a loss nothing of it", () => {
  assertEquals(halves(made({ cleaners: [], end: 0.4, more: 0.3 })), { content: false, read: false });
  const { helps: _, ...rest } = made({});
  assert(!reuseInWords({ ...rest, putBack: [] }).join(" ").includes("Putting back"));
});
