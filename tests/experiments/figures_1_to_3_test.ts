import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { figures1to3 } from "../../lib/experiments/figures_1_to_3.ts";
import { nodeProjections } from "../../lib/experiments/node_projections.ts";
import { patchedProjections } from "../../lib/experiments/patched_projections.ts";
import { residualProjections } from "../../lib/experiments/residual_projections.ts";
import { Model } from "../../lib/transformer/model.ts";
import { randomPrompts } from "../transformer/models.ts";
import { letterModel } from "./plain_values.ts";

Deno.test("figures1to3() gives the rows of each figure by itself, in every view", async () => {
  const model = letterModel(121);
  const prompts = randomPrompts(model, 13, 5, 7);
  const views = [{}, { quantiles: [0.125, 0.875] as const, positions: [1, 5] as const }];
  const together = await figures1to3(model, prompts, views, { batchSize: 2 });
  assertEquals(together.length, 2);
  for (const [i, view] of views.entries()) {
    const { locations, nodes } = await patchedProjections(model, prompts, view);
    const alone = {
      fig1: (await residualProjections(model, prompts, view)).rows,
      fig2: (await nodeProjections(model, prompts, view)).rows,
      fig3a: locations,
      fig3b: nodes,
    };
    for (const [figure, rows] of Object.entries(alone)) {
      const found = together[i][figure as keyof typeof alone];
      assertEquals(found.length, rows.length, figure);
      rows.forEach((row, k) => {
        const { median, low, high, ...rest } = found[k];
        for (const [got, wanted] of [[median, row.median], [low, row.low], [high, row.high]]) {
          assertAlmostEquals(got, wanted, 1e-5 * Math.max(1, Math.abs(wanted)));
        }
        const { median: _, low: _low, high: _high, ...wanted } = row;
        assertEquals<object>(rest, wanted);
      });
    }
  }
});

Deno.test("figures1to3() refuses a writer that is no head, and bad views before anything runs", async () => {
  const { config, weights, processing } = letterModel(122);
  const cleanup = { writer: "MLP0", cleaners: ["L1H0"], patchedLayers: [1], source: "made up" };
  const model = new Model({ name: "mlp", config, weights, processing, cleanup });
  const prompts = randomPrompts(model, 14, 2, 4);
  await assertRejects(() => figures1to3(model, prompts), Error, "got writer MLP0; expected a head");
  const bad = [{ quantiles: [0.8, 0.9] as const }];
  const options = { createSession: () => Promise.reject(new Error("it ran")) };
  await assertRejects(
    () => figures1to3(letterModel(122), prompts, bad, options),
    Error,
    "quantiles: got [0.8,0.9]",
  );
});
