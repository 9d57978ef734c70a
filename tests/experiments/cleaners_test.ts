// The rule that says who is a cleaner, on responses made up by hand, so that each of its conditions is once
// the one that fails.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import { cleanersOf } from "../../lib/experiments/retention/cleaners.ts";
import { RemovalStats } from "../../lib/experiments/retention/removal_stats.ts";
import { Summary } from "../../lib/experiments/retention/summary.ts";

const config = { n_layers: 2, n_heads: 4, attn_only: true } as unknown as ModelConfig;
const nodes = ["L1H0", "L1H1", "L1H2", "L1H3"];
const prompts = 20;

/** Each prompt has one token with ‖δ‖² = 1; `response(prompt)` are the four heads' (c - c̃)·δ. */
function stats(response: (prompt: number) => number[]): RemovalStats {
  const made = new RemovalStats({
    locations: [{ location: "resid_mid0", after: 0 }, { location: "resid_post1", after: 4 }],
    nodes,
    blocks: prompts,
  });
  for (let prompt = 0; prompt < prompts; prompt++) made.add(response(prompt), 0, 1, prompt);
  return made;
}

const summary = (own: RemovalStats, controls: RemovalStats[]) =>
  new Summary(config, "L0H0", own, controls, { seed: 1, quantiles: [0.25, 0.75] });

Deno.test("cleaners: enough, and surely more than of the rotated output", () => {
  // H0 cleans. H1 writes back as much of any vector. H2 is sure, but below 2 %. H3 takes back 0.1 on average,
  // now more and now less.
  const own = stats((prompt) => [-0.3, -0.3, -0.019, prompt % 2 === 0 ? -1.2 : 1]);
  const controls = [0, 1].map((i) => stats(() => [-0.1 - 0.02 * i, -0.3 - 0.02 * i, 0, 0]));
  const found = cleanersOf(config, summary(own, controls));
  assertEquals(found.map(({ writer, node, kind, layer }) => [writer, node, kind, layer]), [
    ["L0H0", "L1H0", "head", 1],
  ]);
  assertAlmostEquals(found[0].response, -0.3, 1e-12);
  assertAlmostEquals(found[0].specific.value, 0.19, 1e-12);
  const [low, high] = found[0].specific.interval;
  // Both of the control's draws are the first: 0.01 below the mean of the two, stretched by √2 · 12.706 /
  // 1.959964.
  assertAlmostEquals(low, 0.19 - 0.01 * Math.SQRT2 * 12.706 / 1.959964, 1e-9);
  assertAlmostEquals(high, 0.19 + 0.01 * Math.SQRT2 * 12.706 / 1.959964, 1e-9);
});

Deno.test("cleaners: what is amplified, or taken back less than of any vector, has none", () => {
  const own = stats(() => [0.3, -0.05, -0.03, -0.02]);
  const control = stats(() => [-0.1, -0.2, -0.2, -0.2]);
  assertEquals(cleanersOf(config, summary(own, [control, control])), []);
});

Deno.test("cleaners: surely more than of the rotated output, but by less than 2 %, is no clean-up", () => {
  const own = stats(() => [-0.3, -0.5, -0.021, 0]);
  const control = stats(() => [-0.285, -0.47, 0, 0]); // 0.015, 0.03 and 0.021 more
  const found = cleanersOf(config, summary(own, [control, control]));
  assertEquals(found.map(({ node }) => node), ["L1H1", "L1H2"]);
});

Deno.test("cleaners: without a control nobody can be told from a contraction", () => {
  const own = stats(() => [-0.9, -0.9, -0.9, -0.9]);
  assertEquals(cleanersOf(config, summary(own, [])), []);
  const control = stats(() => [0, 0, 0, 0]);
  assertEquals(cleanersOf(config, summary(own, [control])), [], "one draw says nothing of chance");
  assertEquals(cleanersOf(config, summary(own, [control, control])).length, 4);
});
