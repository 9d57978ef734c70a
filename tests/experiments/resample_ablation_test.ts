// Figure 7: losses by the plain forward pass, by hand, and by TransformerLens.
import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { resampleAblation } from "../../lib/experiments/resample_ablation.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { embeddedPrompts, randomPrompts, rows as tokenRows } from "../transformer/models.ts";
import type { Plain } from "../reference/plain_forward.ts";
import { handMade, letterModel, mean, plainRun, quantile, vector } from "./plain_values.ts";

/** Mean of −log P(next token) over the positions from … to of each prompt. */
function losses(logits: Plain, tokens: number[][], from: number, to: number): number[] {
  return tokens.map((row, b) =>
    mean(Array.from({ length: to - from + 1 }, (_, i) => {
      const own = vector(logits, b, from + i);
      const largest = Math.max(...own);
      const all = own.reduce((sum, x) => sum + Math.exp(x - largest), 0);
      return Math.log(all) + largest - own[row[from + i + 1]];
    }))
  );
}

for (const [layer, positions] of [[0, undefined], [1, [1, 3]]] as const) {
  Deno.test(`resampleAblation() by loops: layer ${layer}, positions ${positions ?? "all"}`, async () => {
    const model = letterModel(71);
    const prompts = randomPrompts(model, 5, 5, 7);
    const result = await resampleAblation(model, prompts, { layer, positions, batchSize: 2 });
    const tokens = tokenRows(prompts);
    const [from, to] = positions ?? [0, 5];
    const name = `blocks.${layer}.attn.hook_result`;
    const clean = plainRun(model, tokens);
    const base = losses(clean.get("logits")!, tokens, from, to);
    const own = clean.get(name)!;
    assertEquals(result.rows.map((r) => r.node), ["none", ...[0, 1, 2].map((h) => `L${layer}H${h}`)]);
    const check = (row: typeof result.rows[number], values: number[]) => {
      assertAlmostEquals(row.mean, mean(values), 2e-6);
      for (const [field, p] of [["median", 0.5], ["low", 0.25], ["high", 0.75]] as const) {
        assertAlmostEquals(row[field], quantile(values, p), 2e-6);
      }
      assertEquals(row.n, 5);
    };
    check(result.rows[0], base);
    for (let h = 0; h < 3; h++) {
      const edit = (value: Plain) => {
        for (let b = 0; b < 5; b++) {
          for (let t = 0; t < 7; t++) vector(value, b, t, h).set(vector(own, (b + 1) % 5, t, h));
        }
      };
      const swapped = losses(
        plainRun(model, tokens, { edits: { [name]: edit } }).get("logits")!,
        tokens,
        from,
        to,
      );
      check(result.rows[1 + h], swapped.map((loss, b) => loss - base[b]));
    }
  });
}

Deno.test("resampleAblation() by zero, and by the mean over prompts at each position, by loops", async () => {
  const model = letterModel(73);
  const prompts = randomPrompts(model, 5, 4, 6);
  const tokens = tokenRows(prompts);
  const name = "blocks.0.attn.hook_result";
  const clean = plainRun(model, tokens);
  const own = clean.get(name)!;
  const base = losses(clean.get("logits")!, tokens, 0, 4);
  const put = {
    zero: (t: number) => vector(own, 0, t, 1).map(() => 0),
    mean: (t: number) =>
      vector(own, 0, t, 1).map((_, m) => mean([0, 1, 2, 3].map((b) => vector(own, b, t, 1)[m]))),
  };
  for (const by of ["zero", "mean"] as const) {
    const { rows, assumptions } = await resampleAblation(model, prompts, {
      heads: ["L0H1"],
      by,
      batchSize: 3,
    });
    const edit = (value: Plain) => {
      for (let b = 0; b < 4; b++) for (let t = 0; t < 6; t++) vector(value, b, t, 1).set(put[by](t));
    };
    const changed = losses(plainRun(model, tokens, { edits: { [name]: edit } }).get("logits")!, tokens, 0, 4);
    assertEquals(rows.map((r) => [r.node, r.by]), [["none", "none"], ["L0H1", by]]);
    assertAlmostEquals(rows[1].mean, mean(changed.map((loss, b) => loss - base[b])), 2e-6);
    assertEquals(assumptions.resampled.includes(by), true);
  }
  // As controls of the writer, in the run of the other heads: the same numbers.
  const writers = new Map<string, unknown>();
  for (const by of ["resampled", "zero", "mean"] as const) {
    const alone = { heads: [model.cleanup.writer], by, batchSize: 3 };
    writers.set(by, (await resampleAblation(model, prompts, alone)).rows[1]);
  }
  const { rows } = await resampleAblation(model, prompts, { controls: ["zero", "mean"], batchSize: 3 });
  assertEquals(rows.map((r) => r.by), ["none", ...rows.slice(3).map(() => "resampled"), "zero", "mean"]);
  for (const row of rows.filter(({ node }) => node === model.cleanup.writer)) {
    assertEquals(row, writers.get(row.by));
  }
  // One prompt is its own mean, and needs no other.
  const one = randomPrompts(model, 6, 1, 6);
  assertAlmostEquals(
    (await resampleAblation(model, one, { heads: ["L0H1"], by: "mean" })).rows[1].mean,
    0,
    1e-6,
  );
});

Deno.test("resampleAblation() by hand: no weights at all, so every token has the same probability", async () => {
  const model = handMade({ d_vocab: 8, n_layers: 1 }, {});
  const { rows } = await resampleAblation(model, randomPrompts(model, 1, 3, 4));
  assertAlmostEquals(rows[0].median, Math.log(8), 1e-6);
  assertAlmostEquals(rows[0].mean, Math.log(8), 1e-6);
  assertEquals(rows.slice(1).map((r) => [r.median, r.mean]), [[0, 0], [0, 0], [0, 0]]);
});

Deno.test("resampleAblation() of equal prompts changes nothing, and of one prompt is refused", async () => {
  const model = letterModel(72);
  const one = randomPrompts(model, 6, 1, 8);
  const tokens = Int32Array.from([...one.tokens, ...one.tokens, ...one.tokens]);
  const { rows } = await resampleAblation(model, { ...one, tokens, count: 3 });
  for (const row of rows.slice(1)) assertAlmostEquals(row.median, 0, 1e-6);
  await assertRejects(
    () => resampleAblation(model, one),
    Error,
    "got 1 prompt from random; expected at least 2",
  );
});

Deno.test("resampleAblation() of the embedded model gives TransformerLens' losses", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const model = await loadModel("tiny-gelu-4l");
  const prompts = await embeddedPrompts(expected.figures.fig7.prompts);
  const { rows } = await resampleAblation(model, prompts, { controls: ["zero", "mean"] });
  const checks = [
    ...compare("fig7", rows.slice(0, 9), expected),
    ...compare("fig7, controls", rows.slice(9), expected),
  ];
  assertEquals(checks.length, (9 + 2) * 5);
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
});
