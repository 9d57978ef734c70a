/** The waterfall: its bars lead from DLA to effect, and it is legible for small and for large models. */
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { AttributionRow, Credit, StepRow } from "../../lib/experiments/attribution/rows.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { attributionWaterfall } from "../../lib/figures/waterfall.ts";
import { type Bar, waterfallBars } from "../../lib/figures/waterfall_bars.ts";
import { Random } from "../../lib/stats/random.ts";
import { assertSound } from "./svg_checks.ts";

interface Shape {
  node?: string;
  layers?: number;
  heads?: number;
  control?: boolean;
  /** Positions: 1 or many. */
  n?: number;
  dla?: number;
}

/** Made-up rows of a node of layer 0. */
function made(
  { node = "L0H2", layers = 4, heads = 8, control = true, n = 1, dla = 1.7 }: Shape = {},
  seed = 1,
) {
  const random = new Random(seed);
  const credit = (share: number, beside: number): Credit => ({
    logits: share * dla,
    share,
    ...(n > 1 && { interval: [share - 0.1, share + 0.1] as const }),
    ...(control && { control: beside, controlInterval: [beside - 0.5, beside + 0.5] as const }),
  });
  const steps = Array.from({ length: layers - 1 }, (_, l) => [
    ...Array.from(
      { length: heads },
      (_, h) => ({ by: `L${l + 1}H${h}`, kind: "head" as const, layer: l + 1 }),
    ),
    { by: `MLP${l + 1}`, kind: "mlp" as const, layer: l + 1 },
  ]).flat().map((of): StepRow => ({ node, ...of, ...credit(0.1 * random.normal(), 0.02 * random.normal()) }));
  const sum = (field: "share" | "control") => steps.reduce((s, step) => s + (step[field] ?? 0), 0);
  const row: AttributionRow = {
    node,
    kind: "head",
    layer: 0,
    dla,
    takenBack: credit(sum("share"), sum("control")),
    left: credit(1 + sum("share"), 1 + sum("control")),
    finalScale: credit(-0.05, 0.01),
    effect: credit(0.95 + sum("share"), 1.01 + sum("control")),
    resampled: { kept: dla, keptShare: 1, effect: 0.1, share: 0.1 / dla, exchanged: 0.5, n: 20 },
    n,
  };
  return { row, steps };
}

const step = (bar: Bar) => bar.kind === "back" || bar.kind === "added";

Deno.test("waterfallBars(): each step begins where the one before ended, for the node and for its control", () => {
  for (const dla of [1.7, -1.7]) {
    const one = made({ dla });
    const bars = waterfallBars(one, 5);
    assertEquals(
      bars.map(({ label }) => label).slice(6), // after DLA and five named steps; 27 nodes read it
      ["22 others", "left", "final scale", "effect", "resampled"],
    );
    for (const [i, bar] of bars.entries()) {
      assertAlmostEquals(bar.to - bar.from, bar.value, 1e-9);
      if (step(bar)) {
        assertAlmostEquals(bar.from, bars[i - 1].to, 1e-9);
        assertAlmostEquals(bar.control![0], bars[i - 1].control![1], 1e-9);
        assertEquals(bar.kind, bar.value * dla < 0 ? "back" : "added");
      } else assertEquals(bar.from, 0);
    }
    // the steps lead to what is left, and on to the effect
    const left = bars.findIndex(({ label }) => label === "left");
    assertAlmostEquals(bars[left - 1].to, bars[left].to, 1e-9);
    assertAlmostEquals(bars[left - 1].control![1], bars[left].control![1], 1e-9);
    assertAlmostEquals(bars[left + 1].to, bars[left + 2].to, 1e-9);
  }
});

Deno.test("waterfallBars(): the largest steps have a bar of their own, in the order of the forward pass", () => {
  const { row, steps } = made();
  const named = waterfallBars({ row, steps }, 4).filter(step).slice(0, 4).map(({ label }) => label);
  const largest = [...steps].sort((a, b) => Math.abs(b.logits) - Math.abs(a.logits)).slice(0, 4);
  assertEquals(named, steps.filter((one) => largest.includes(one)).map(({ by }) => by));
  const others = made({ node: "L1H1" }).steps; // rows of another node do not count
  assertEquals(waterfallBars({ row, steps: [...steps, ...others] }, 4), waterfallBars({ row, steps }, 4));
  assertEquals(waterfallBars({ row, steps: [] }).map(({ label }) => label), [
    "DLA",
    "left",
    "final scale",
    "effect",
    "resampled",
  ]);
});

Deno.test("attributionWaterfall() is sound: one node, several prompts, many layers, with and without a control", () => {
  const one = assertSound(toSvg(attributionWaterfall([made()])));
  assertStringIncludes(one.words, "From the attribution of L0H2 to its effect");
  assertStringIncludes(one.words, "Its whiskers: where 95 % of single draws lie.");
  assertEquals(one.count("rect"), 13); // DLA, 7 steps, others, left, final scale, effect, resampled
  const four = Array.from({ length: 4 }, (_, i) => ({
    ...made({ dla: [2, -0.8, 11, 0.02][i] }, i),
    title: "“handleUnrepresentable(schema, ctx,”",
    subtitle: "“␣a” against “⏎”, logit difference 2.04",
  }));
  const panels = assertSound(toSvg(attributionWaterfall(four, { subtitle: "four prompts" })));
  assertEquals(panels.count("rect"), 4 * 13);
  assertStringIncludes(panels.words, "Each panel has its own scale.");
  assertStringIncludes(panels.words, "⏎ line break");
  const large = ["L3H11", "MLP20", "pos_embed"].map((node) => made({ node, layers: 30, heads: 12, n: 900 }));
  const drawn = assertSound(toSvg(attributionWaterfall(large)));
  assertStringIncludes(drawn.words, "From the attribution of 3 nodes to their effects");
  assertStringIncludes(drawn.words, "Whiskers: 95 %, bootstrap over prompts.");
  assertStringIncludes(drawn.words, "root mean square");
  const bare = assertSound(toSvg(attributionWaterfall([made({ control: false })])));
  assert(!bare.words.includes("control") && !bare.words.includes("hiskers"));
  const last = made();
  assertSound(toSvg(attributionWaterfall([{ ...last, steps: [] }, last])));
});

Deno.test("attributionWaterfall() refuses no rows, and numbers that are not finite", () => {
  assertThrows(() => attributionWaterfall([]), Error, "Drawing the waterfall failed: got no rows");
  const { row, steps } = made();
  const bad = { row: { ...row, effect: { ...row.effect, logits: NaN } }, steps };
  assertThrows(() => attributionWaterfall([bad]), Error, "L0H2 has numbers that are not finite");
});
