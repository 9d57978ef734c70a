// Figure 8: the two parts of the writer's output by loops, and by TransformerLens.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { bosParts } from "../../lib/experiments/bos_parts.ts";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { currentWeights, embeddedPrompts, randomPrompts, rows as tokenRows } from "../transformer/models.ts";
import { dot, letterModel, minus, plainRun, plus, quantile, ratio, vector } from "./plain_values.ts";

for (const processed of [true, false]) {
  Deno.test(`bosParts() by loops, ${processed ? "processed" : "stored"} weights`, async () => {
    const model = letterModel(81, processed);
    const { d_model: D, d_head: K } = model.config;
    const prompts = randomPrompts(model, 8, 6, 5);
    const { rows, cosine, apart } = await bosParts(model, prompts, { batchSize: 4 });
    const cosines: number[] = [];
    assertEquals(rows.length, 5 + 4); // nothing but BOS at position 0
    const hooks = plainRun(model, tokenRows(prompts));
    const W_O = currentWeights(model).get("blocks.0.attn.W_O")!;
    const [pattern, v, result] = ["hook_pattern", "hook_v", "hook_result"].map((x) =>
      hooks.get(`blocks.0.attn.${x}`)!
    );
    const erasing = hooks.get("blocks.1.attn.hook_result")!;
    for (const { part, position, median, low, high, n, writer } of rows) {
      const values = Array.from({ length: 6 }, (_, b) => {
        const attention = vector(pattern, b, 1, position)[0];
        const copied = Float64Array.from(
          { length: D },
          (_, m) => dot(vector(v, b, 0, 1), Array.from({ length: K }, (_, k) => W_O[(K + k) * D + m])),
        );
        const bos = copied.map((x) => attention * x);
        const rest = minus(vector(result, b, position, 1), bos);
        const onto = part === "BOS" ? bos : rest;
        if (part === "rest") cosines.push(dot(bos, rest) / Math.sqrt(dot(bos, bos) * dot(rest, rest)));
        const sum = [0, 1, 2].map((h) => vector(erasing, b, position, h)).reduce(plus);
        return ratio(sum, onto);
      });
      for (const [got, p] of [[median, 0.5], [low, 0.25], [high, 0.75]]) {
        const wanted = quantile(values, p);
        assertAlmostEquals(got, wanted, 1e-4 * Math.max(1, Math.abs(wanted)));
      }
      assertEquals([n, writer], [6, "L0H1"]);
    }
    assertEquals(cosines.length, 6 * 4);
    assertAlmostEquals(cosine.median, quantile(cosines, 0.5), 1e-4);
    assertEquals([cosine.n, apart], [6 * 4, Math.abs(cosine.median) <= 0.95]);
  });
}

Deno.test("bosParts() takes positions, quantiles and several layers, and refuses a writer that is no head", async () => {
  const model = letterModel(82);
  const prompts = randomPrompts(model, 9, 5, 6);
  const all = await bosParts(model, prompts);
  const some = await bosParts(model, prompts, { positions: [2, 3], quantiles: [0.5, 0.5] });
  assertEquals(some.rows.map((r) => [r.part, r.position]), [["BOS", 2], ["BOS", 3], ["rest", 2], [
    "rest",
    3,
  ]]);
  for (const row of some.rows) {
    assertEquals([row.low, row.high], [row.median, row.median]);
    const same = all.rows.find((r) => r.part === row.part && r.position === row.position)!;
    assertAlmostEquals(row.median, same.median, 1e-5);
  }
  // Two layers: ratios add, prompt by prompt. With one prompt the median is the ratio.
  const one = randomPrompts(model, 10, 1, 6);
  const [first, second, both] = await Promise.all(
    [[0], [1], [0, 1]].map((layers) => bosParts(model, one, { layers })),
  );
  both.rows.forEach((row, i) => {
    const sum = first.rows[i].median + second.rows[i].median;
    assertAlmostEquals(row.median, sum, 1e-4 * Math.max(1, Math.abs(sum)));
  });
  await assertRejects(() => bosParts(model, one, { writer: "MLP0" }), Error, "head; got writer MLP0");
  await assertRejects(() => bosParts(model, one, { positions: [0, 6] }), Error, "expected them in 0 … 5");
});

Deno.test("bosParts() of the embedded model are those of TransformerLens", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const { rows } = await bosParts(await loadModel("tiny-gelu-4l"), await embeddedPrompts());
  const checks = compare("fig8", rows, expected);
  assertEquals(checks.length, 25 * 4);
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
  assert(rows.length === 256 + 255);
});
