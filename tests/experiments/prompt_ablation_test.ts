// Figure 9: DLA and resampling by the plain forward pass, and by TransformerLens.
import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { promptAblation } from "../../lib/experiments/prompt_ablation.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import type { Plain } from "../reference/plain_forward.ts";
import { currentWeights, embeddedPrompts, randomPrompts, rows as tokenRows } from "../transformer/models.ts";
import { letterModel, letters, plainRun, quantile, vector } from "./plain_values.ts";

for (const processed of [true, false]) {
  Deno.test(`promptAblation() by loops, ${processed ? "processed" : "stored"} weights`, async () => {
    const model = letterModel(91, processed);
    const { d_model: D, d_vocab: V } = model.config;
    const unrelated = randomPrompts(model, 11, 7, 8);
    const prompts = [{ text: "cab", correct: "d", incorrect: "f" }, { text: "gone" }];
    const { rows } = await promptAblation(model, prompts, unrelated, { samples: 5, batchSize: 2 });
    assertEquals(rows.length, 2 * 6);
    const weights = currentWeights(model);
    const W_U = weights.get("unembed.W_U")!;
    const w = weights.get("ln_final.w") ?? new Float32Array(D).fill(1);
    for (const { text, correct, incorrect } of prompts) {
      const tokens = letters.encode(text, { prependBos: true });
      const last = tokens.length - 1;
      const clean = plainRun(model, [tokens]);
      const logits = vector(clean.get("logits")!, 0, last);
      const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a]);
      const [a, b] = correct ? [letters.encode(correct)[0], letters.encode(incorrect!)[0]] : order;
      const difference = ({ data }: Plain, row: number) =>
        data[(row * tokens.length + last) * V + a] - data[(row * tokens.length + last) * V + b];
      const others = plainRun(
        model,
        tokenRows(unrelated).slice(0, 5).map((row) => row.slice(0, tokens.length)),
      );
      for (let layer = 0; layer < 2; layer++) {
        for (let h = 0; h < 3; h++) {
          const name = `blocks.${layer}.attn.hook_result`;
          const row = rows.find((r) => r.prompt === text && r.node === `L${layer}H${h}`)!;
          // DLA: ((c − mean(c)) / s) · w · (W_U[:, a] − W_U[:, b])
          const c = vector(clean.get(name)!, 0, last, h);
          const mean = c.reduce((x, y) => x + y) / D;
          const [s] = vector(clean.get("ln_final.hook_scale")!, 0, last);
          const dla = c.reduce(
            (sum, x, m) => sum + (x - mean) / s * w[m] * (W_U[m * V + a] - W_U[m * V + b]),
            0,
          );
          assertAlmostEquals(row.dla, dla, 1e-5);
          const swapped = Array.from({ length: 5 }, (_, i) => {
            const edit = (value: Plain) =>
              vector(value, 0, last, h).set(vector(others.get(name)!, i, last, h));
            return difference(plainRun(model, [tokens], { edits: { [name]: edit } }).get("logits")!, 0);
          });
          const effect = difference(clean.get("logits")!, 0) - quantile(swapped, 0.5);
          assertAlmostEquals(row.effect, effect, 1e-5);
          const nothing = (value: Plain) => vector(value, 0, last, h).fill(0);
          const without = plainRun(model, [tokens], { edits: { [name]: nothing } }).get("logits")!;
          const zeroed = difference(clean.get("logits")!, 0) - difference(without, 0);
          assertAlmostEquals(row.zeroed, zeroed, 1e-5);
        }
      }
    }
  });
}

Deno.test("promptAblation(): resampled from the prompt itself, nothing changes", async () => {
  const model = letterModel(92);
  const own = model.prompts(["bead", "bead"]);
  const { rows, assumptions } = await promptAblation(model, [{ text: "bead" }], own);
  for (const row of rows) assertAlmostEquals(row.effect, 0, 1e-5);
  assertEquals(assumptions.positions, undefined); // the last position of each prompt, whatever is asked for
  await assertRejects(() => promptAblation(model, [{ text: "beach" }], own), Error, "Cannot take");
});

Deno.test("promptAblation() of the embedded model gives TransformerLens' values", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const model = await loadModel("tiny-gelu-4l");
  const { rows } = await promptAblation(model, model.adversarial.prompts, await embeddedPrompts());
  const checks = compare("fig9", rows, expected);
  assertEquals(checks.length, 4 * 32 * 2);
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
});
