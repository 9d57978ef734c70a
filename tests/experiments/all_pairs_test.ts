// The appendix plot: every location onto every node, by loops, against Figure 1, and by TransformerLens.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { allPairs } from "../../lib/experiments/all_pairs.ts";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { residualProjections } from "../../lib/experiments/residual_projections.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { embeddedPrompts, randomPrompts, rows as tokenRows } from "../transformer/models.ts";
import { letterModel, plainRun, quantile, ratio, vector } from "./plain_values.ts";

Deno.test("allPairs() by loops: 10 nodes × 5 locations of a small model", async () => {
  const model = letterModel(111);
  const prompts = randomPrompts(model, 12, 4, 6);
  const { rows } = await allPairs(model, prompts, { positions: [1, 4], batchSize: 3 });
  assertEquals(rows.length, 10 * 5);
  const hooks = plainRun(model, tokenRows(prompts));
  for (const { writer, location, run, median, low, high, n } of rows) {
    const [, part, layer] = /^(resid_\w+)(\d)$/.exec(location)!;
    const stream = hooks.get(`blocks.${layer}.hook_${part}`)!;
    const [, head] = /^L\dH(\d)$/.exec(writer) ?? [];
    const wrote = head !== undefined
      ? hooks.get(`blocks.${writer[1]}.attn.hook_result`)!
      : hooks.get(writer.startsWith("MLP") ? `blocks.${writer[3]}.hook_mlp_out` : `hook_${writer}`)!;
    const values: number[] = [];
    for (let b = 0; b < 4; b++) {
      for (let t = 1; t <= 4; t++) {
        const own = head === undefined ? vector(wrote, b, t) : vector(wrote, b, t, Number(head));
        values.push(ratio(vector(stream, b, t), own));
      }
    }
    for (const [got, p] of [[median, 0.5], [low, 0.25], [high, 0.75]]) {
      const wanted = quantile(values, p);
      assertAlmostEquals(got, wanted, 2e-4 * Math.max(1, Math.abs(wanted)), `${writer} ${location}`);
    }
    assertEquals([run, n], ["clean", 16]);
  }
});

Deno.test("allPairs() of the embedded model: Figure 1 is part of it, and all of it is TransformerLens'", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const model = await loadModel("tiny-gelu-4l");
  const prompts = await embeddedPrompts();
  const { rows } = await allPairs(model, prompts);
  assertEquals(rows.length, 38 * 9);
  const figure1 = (await residualProjections(model, prompts)).rows;
  for (const row of figure1) {
    const same = rows.find((r) => r.writer === row.writer && r.location === row.location)!;
    assertAlmostEquals(same.median, row.median, 1e-4 * Math.max(1, Math.abs(row.median)));
  }
  const checks = ["fig1", "appendix", "appendix, later nodes"].flatMap((name) =>
    compare(name, rows, expected)
  );
  assertEquals(checks.length, 38 * 9 * 4);
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
});
