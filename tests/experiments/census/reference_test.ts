// Contraction, cosines and self-repair of the embedded model against PyTorch in 64 bits that was written
// from the definitions (tests/reference/census.py), with the same rotation.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { contraction } from "../../../lib/experiments/census/contraction.ts";
import { sublayerCosines } from "../../../lib/experiments/census/cosines.ts";
import { selfRepair } from "../../../lib/experiments/census/self_repair.ts";
import { measureRemovals } from "../../../lib/experiments/retention/removals.ts";
import { screenRemovals } from "../../../lib/experiments/scan/screen.ts";
import { loadModel, promptsFor } from "../../../lib/transformer/load.ts";

const recorded = JSON.parse(
  await Deno.readTextFile(new URL("../../reference/data/census-tiny-gelu-4l.json", import.meta.url)),
);
const model = await loadModel();
const prompts = await promptsFor(model, { count: recorded.count, length: recorded.length });

Deno.test("contraction() is PyTorch's: what is left of one rotated head a prompt, by layer", async () => {
  const clean = model.forward();
  const { removals, feeds } = screenRemovals(model, clean, { prompts, first: 0 }, 1, prompts.count);
  const rows = contraction(
    model.config,
    await measureRemovals(model, prompts, clean, removals, { feeds }),
    1,
  );
  const heads = rows.filter(({ kind }) => kind === "head").map(({ random }) => random.value);
  assertEquals(heads.length, recorded.contraction.length);
  // Histograms have bins of 0.005, and 188 tokens leave gaps about the median.
  heads.forEach((value, layer) =>
    assertAlmostEquals(value, recorded.contraction[layer], 0.006, `layer ${layer}`)
  );
});

Deno.test("sublayerCosines() are PyTorch's, with their control, their shares and position 0", async () => {
  const rows = await sublayerCosines(model, prompts, { seed: 1 });
  assertEquals(rows.length, recorded.cosines.length);
  rows.forEach(({ layer, sublayer, cosine, control, beyond, ...rest }, i) => {
    const expected = recorded.cosines[i];
    assertEquals([layer, sublayer], [expected.layer, expected.sublayer]);
    assertAlmostEquals(cosine.value, expected.cosine, 1e-5);
    assertAlmostEquals(control.value, expected.control, 1e-5);
    assertAlmostEquals(beyond.value, expected.cosine - expected.control, 1e-5);
    for (const name of ["opposed", "share", "first"] as const) {
      assertAlmostEquals(rest[name], expected[name], 1e-5);
    }
    assert(cosine.interval[0] < cosine.value && cosine.value < cosine.interval[1]);
  });
});

Deno.test("selfRepair() is PyTorch's, split into heads, MLPs and norm, also of what is exchanged rotated", async () => {
  const rows = await selfRepair(model, prompts, { seed: 1, rotations: 1, most: 36 });
  assertEquals(rows.length, 37);
  const close = (value: number, expected: number, what: string) =>
    assertAlmostEquals(value, expected, 1e-3 * Math.max(1, Math.abs(expected)), what);
  recorded.selfRepair.forEach((expected: typeof recorded.selfRepair[number], i: number) => {
    const row = rows.find(({ node }) => node === expected.node)!, { share, top } = row;
    close(row.directEffect, expected.directEffect, "direct effect");
    close(share.total.value, expected.total, `${row.node} total`);
    close(top!.directEffect, expected.top.directEffect, `${row.node} top DE`);
    close(top!.exchanged, expected.top.exchanged, `${row.node} top exchanged`);
    close(top!.repaired.total.value, expected.top.total, `${row.node} top total`);
    for (const name of ["heads", "mlps", "norm"] as const) {
      close(share[name], expected[name], `${row.node} ${name}`);
      close(top!.repaired[name], expected.top[name], `${row.node} top ${name}`);
    }
    close(row.control.value, recorded.control[i].total, `${row.node} control`);
  });
});
