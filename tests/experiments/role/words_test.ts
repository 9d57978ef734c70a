// Every sentence of words.ts: with numbers that make it true, and with numbers that make it false.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { RoleResult } from "../../../lib/experiments/role/role.ts";
import type { EdgeRow, Factor, WithoutRow } from "../../../lib/experiments/role/rows.ts";
import { roleInWords } from "../../../lib/experiments/role/words.ts";
import type { Estimate } from "../../../lib/experiments/rows.ts";

const about = (value: number, width = 0.01): Estimate => ({
  value,
  interval: [value - width, value + width],
});

interface Made {
  /** DLA of the first token, and the largest of a rotated output. */
  top?: number;
  chance?: number;
  /** Weight on position 0 near the beginning and at the end; none: no head. */
  near?: number;
  far?: number;
  attends?: boolean;
  /** What position and token explain with the others in the sum, and shuffled labels. */
  position?: number;
  token?: number;
  shuffled?: number;
  /** Loss when the keys of L2H3 lack the output, and a rotated one; none: edges were not measured. */
  edge?: number | null;
  edgeControl?: number;
  pattern?: number;
  /** Loss without it, without a rotated vector, and of two classes. */
  removed?: number;
  rotated?: number;
  digits?: number;
  words?: number;
  /** Loss without a rotated vector, of each class. */
  classRotated?: number;
  width?: number;
}

function made(m: Made): RoleResult {
  const { top = 0.4, chance = 0.2, near = 0.9, far = 0.3, edge = 0.1, edgeControl = 0, width = 0.01 } = m;
  const { removed = 0.3, rotated = 0.1, digits = 0.5, words = 0.2, classRotated = 0.1, shuffled = 0.02 } = m;
  const attention = [[1, 32, near], [224, 255, far]].map(([from, to, weight]) => ({
    from,
    to,
    target: "first" as const,
    weight: about(weight, width),
    uniform: 2 / (from + to + 2),
  }));
  const share = (factor: Factor | "all", last: number) => ({
    factor,
    alone: about(last, width),
    last: about(last, width),
    shuffledAlone: shuffled,
    shuffledLast: shuffled,
  });
  const edges: EdgeRow[] = edge === null ? [] : [
    {
      reader: "L2H3",
      input: "K",
      layer: 2,
      loss: about(edge, width),
      control: about(edgeControl, width),
      more: about(edge - edgeControl, width),
      pattern: about(m.pattern ?? 0, width),
      patternControl: about(0, width),
    },
    {
      reader: "MLP2",
      input: "MLP",
      layer: 2,
      loss: about(0, width),
      control: about(0, width),
      more: about(0, width),
    },
  ];
  const loss = (by: WithoutRow["by"], group: string, run: WithoutRow["run"], value: number): WithoutRow => ({
    by,
    group,
    run,
    loss: about(value, width),
    n: 100,
  });
  return {
    writer: "L0H2",
    vocabulary: [
      { token: " State", id: 7, rank: 1, dla: about(top, width) },
      { token: "x", id: 8, rank: 4096, dla: about(-top, width) },
    ],
    chance: [{ seed: 1, largest: chance, smallest: -chance }, { seed: 2, largest: chance / 2, smallest: 0 }],
    attention: m.attends === false ? [] : attention,
    variance: [share("position", m.position ?? 0.5), share("token", m.token ?? 0.1), share("all", 0.9)],
    edges,
    without: [
      loss("all", "all", "removed", removed),
      loss("all", "all", "rotated", rotated),
      loss("class", "digit", "removed", digits),
      loss("class", "digit", "rotated", classRotated),
      loss("class", "part of a word", "removed", words),
      loss("class", "part of a word", "rotated", classRotated),
    ],
    assumptions: {},
  };
}

/** [numbers, what is then said, what is not] */
const CASES: [Made, string, string][] = [
  [{}, "so it says something to the vocabulary", "is not shown. The weight"],
  [
    { chance: 0.6 },
    "that its own list says more than any such vector's would is not shown.",
    "says something to the",
  ],
  // the interval holds the control's
  [{ top: 0.205 }, "says more than any such vector's would is not shown", "says no more"],
  [{}, "The weight on position 0 falls from 90 % (positions 1 to 32) to 30 %", "rises"],
  [{ near: 0.3, far: 0.9 }, "The weight on position 0 rises from 30 %", "falls"],
  [{ near: 0.5, far: 0.505 }, "The weight on position 0 goes from 50 %", "rises"],
  [{ far: 0.6 }, "So L0H2 rests there.", "rises"],
  [{ far: 0.505 }, "to 51 % (positions 224 to 255)", "rests there"], // or less than half
  [{}, "uniform attention gives", "rests there"],
  [{ attends: false }, "Position, token", "The weight on position 0"],
  [{ position: 0.55 }, "So it is mostly about position.", "a large part"],
  [{}, "So a large part of it is about position.", "mostly"], // 0.49 to 0.51
  [{ position: 0.35 }, "So a large part of it is about position.", "none of them surely"],
  [{ position: 0.305 }, "position 31 % (shuffled 2 %)", "a large part"], // or less than 0.3
  [{ position: 0.05, token: 0.6 }, "So it is mostly about the token.", "mostly about position"],
  [{ position: 0.1, token: 0.1 }, "position 10 % (shuffled 2 %)", "it is"],
  [{ shuffled: 0.6 }, "none of them surely more than shuffled labels", "it is"],
  [
    {},
    "One of 2 inputs needs L0H2 more than any such vector (each held to its own 95 %: by chance hardly one would " +
    "pass), most of all the keys of L2H3",
    "No single input",
  ],
  [{ edgeControl: 0.1 }, "No single input of 2 surely needs L0H2", "inputs needs"],
  [{ edge: -0.1, edgeControl: -0.3 }, "No single input", "inputs needs"], // without it the loss is lower
  [{ edge: null }, "Without L0H2", "inputs"],
  [{ pattern: 0.5 }, "the pattern of 1 of 1 queries and keys surely changes more", "No single input"],
  [{}, "needs L0H2", "It decides where heads look"],
  [
    { edge: 0, pattern: 0.5 },
    "No single input of 2 surely needs L0H2 more than the rotated output. It decides",
    "One of",
  ],
  [{}, "without a rotated vector 0.100, surely less.", "is not shown over all tokens"],
  [{ rotated: 0.3 }, "is not shown over all tokens", "surely less"],
  [
    {},
    "It matters most for digit (0.500, a rotated vector 0.100), least for part of a word (0.200, a rotated vector 0.100).",
    "not shown",
  ],
  [{ digits: 0.21 }, "surely less.", "It matters most"],
  // a class of which nothing is surely lost is the least
  [
    { digits: 0 },
    "most for part of a word (0.200, a rotated vector 0.100), least for digit (0.000",
    "not shown",
  ],
  [{ classRotated: 0.5 }, "surely less.", "It matters most"], // any such vector does as much there
  [{ digits: -0.1, words: -0.3, classRotated: -0.4 }, "surely less.", "It matters most"],
];

for (const [numbers, said, unsaid] of CASES) {
  Deno.test(`roleInWords(${JSON.stringify(numbers)}) says "${said}"`, () => {
    const words = roleInWords(made(numbers)).join(" ");
    assertStringIncludes(words, said);
    assert(!words.includes(unsaid), words);
  });
}

Deno.test("roleInWords() of a model without unembedding speaks of attention and variance alone", () => {
  const words = roleInWords({ ...made({}), vocabulary: [], chance: [], edges: [], without: [] });
  assertEquals(words.length, 2);
});
