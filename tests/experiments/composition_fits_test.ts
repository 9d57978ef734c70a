// Figure 5's fits: over prompts, without position 0, and beside those of the other early heads.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { compositionAttribution } from "../../lib/experiments/composition_attribution.ts";
import {
  baselineInWords,
  cancellationBaseline,
  fitsOverPrompts,
} from "../../lib/experiments/composition_fits.ts";
import type { FitRow, PairRow } from "../../lib/experiments/rows.ts";
import { Random } from "../../lib/stats/random.ts";
import { regress } from "../../lib/stats/regression.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { embeddedPrompts } from "../transformer/models.ts";

/**
 * 20 prompts of 50 positions; each prompt has a slope of its own around -0.7, and position 0 is one point far
 * away, 20 times.
 */
function pairs(): PairRow[] {
  const random = new Random(3);
  return Array.from({ length: 20 }, (_, prompt) => {
    const slope = -0.7 + 0.2 * random.normal();
    return Array.from({ length: 50 }, (_, position): PairRow => {
      if (position === 0) return { prompt, position, writer: 50, composition: 50, total: 50 };
      const writer = random.normal();
      const composition = slope * writer + 0.05 * random.normal();
      return { prompt, position, writer, composition, total: composition + random.normal() };
    });
  }).flat();
}

Deno.test("fitsOverPrompts(): identical points at position 0 do not count, and intervals are over prompts", () => {
  const rows = pairs();
  const [composition, total] = fitsOverPrompts(rows, "L0H2");
  const rest = rows.filter((row) => row.position > 0);
  const direct = regress(rest.map((r) => r.writer), rest.map((r) => r.composition));
  assertEquals([composition.of, composition.n, total.of], ["composition", 20 * 49, "total"]);
  assertAlmostEquals(composition.slope.value, direct.slope, 1e-9);
  assertAlmostEquals(composition.r.value, direct.r, 1e-9);
  assertAlmostEquals(composition.intercept.value, direct.intercept, 1e-9);
  // The points of a prompt share its slope: the standard error of independent points is several times too
  // small.
  const [low, high] = composition.slope.interval;
  assert(high - low > 2 * 3.92 * direct.slopeError, `${high - low} against ${3.92 * direct.slopeError}`);
  assert(low < composition.slope.value && composition.slope.value < high);
  assertEquals(fitsOverPrompts(rows, "L0H2"), [composition, total], "seeded");
});

Deno.test("cancellationBaseline(): all heads up to the writer's layer, the writer as in Figure 5", async () => {
  const model = await loadModel();
  const prompts = await embeddedPrompts(6, 64);
  const { writer } = model.cleanup;
  const { rows } = await cancellationBaseline(model, prompts);
  assertEquals(rows.length, (model.writersLayer + 1) * model.config.n_heads);
  const own = rows.find((row) => row.node === writer)!;
  const [figure] = fitsOverPrompts((await compositionAttribution(model, prompts)).rows, writer);
  assertAlmostEquals(own.r.value, figure.r.value, 1e-5);
  assertAlmostEquals(own.slope.value, figure.slope.value, 1e-5);
  assertAlmostEquals(own.r.interval[0], figure.r.interval[0], 1e-4);
  assertEquals(own.n, 6 * 63);
});

Deno.test("baselineInWords(): says that the writer stands out only where every other head's interval lies above its own", () => {
  const estimate = (value: number) => ({ value, interval: [value - 0.02, value + 0.02] as [number, number] });
  const row = (node: string, r: number): FitRow => {
    return { node, of: "composition", r: estimate(r), slope: estimate(r), intercept: estimate(0), n: 100 };
  };
  const clear = baselineInWords([row("L0H0", -0.5), row("L0H1", -0.9), row("L0H2", -0.6)], "L0H1");
  assertEquals(
    clear,
    "L0H1: r = −0.90 (95 %: −0.92 to −0.88); the 2 other heads of these layers: −0.60 … −0.50. " +
      "The same cleaners cancel L0H1 more surely than every other head.",
  );
  const near = baselineInWords([row("L0H0", -0.89), row("L0H1", -0.9)], "L0H1");
  assertStringIncludes(near, "the one other head of these layers: −0.89, none of them as low or lower.");
  assertStringIncludes(near, "The same cleaners cancel others too.");
  const below = baselineInWords([row("L0H0", -0.95), row("L0H1", -0.9), row("L0H2", -0.2)], "L0H1");
  assertStringIncludes(below, "1 of them as low or lower");
  assertEquals(baselineInWords([row("L0H1", -0.9)], "L0H1"), "");
});
