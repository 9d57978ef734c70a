// A node that writes nothing has no projection ratio onto it: its rows say so, and a live writer beside it
// has its own.
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { bosParts } from "../../lib/experiments/bos_parts.ts";
import { allPairs } from "../../lib/experiments/all_pairs.ts";
import { nodeProjections } from "../../lib/experiments/node_projections.ts";
import { patchedProjections } from "../../lib/experiments/patched_projections.ts";
import { residualProjections } from "../../lib/experiments/residual_projections.ts";
import type { Band } from "../../lib/experiments/rows.ts";
import { fig1 } from "../../lib/figures/fig1.ts";
import { randomPrompts, small } from "../transformer/models.ts";

const [COUNT, LENGTH] = [20, 9];

/** A model in which L0H0 is pruned, and prompts. */
function pruned() {
  const { model } = small(7);
  const { d_head, d_model } = model.config;
  model.weights.get("blocks.0.attn.W_O")!.data.fill(0, 0, d_head * d_model);
  return { model, prompts: randomPrompts(model, 9, COUNT, LENGTH) };
}

const hasNone = ({ median, low, high, n }: Band) => [median, low, high].every(Number.isNaN) && n === 0;
const isWhole = ({ median, low, high, n }: Band) =>
  [median, low, high].every(Number.isFinite) && n === COUNT * LENGTH;

Deno.test("projections onto a pruned head have no value and an n of 0, those onto others are whole", async () => {
  const { model, prompts } = pruned();
  for (
    const rows of [
      (await residualProjections(model, prompts, { writer: "L0H1" })).rows,
      (await allPairs(model, prompts)).rows,
    ]
  ) {
    const [dead, live] = [true, false].map((is) => rows.filter((row) => (row.writer === "L0H0") === is));
    assert(dead.length > 0 && live.length > 0);
    assert(dead.every(hasNone) && live.every(isWhole));
  }
  const onto = { writer: "L0H0", cleaners: ["L1H0", "L1H1"] };
  assert((await nodeProjections(model, prompts, onto)).rows.every(hasNone));
  const patched = await patchedProjections(model, prompts, { ...onto, patchedLayers: [1] });
  assert([...patched.locations, ...patched.nodes].every(hasNone));
  assert((await bosParts(model, prompts, { writer: "L0H0", layers: [1] })).rows.every(hasNone));
});

Deno.test("where a node writes nothing at some tokens, these do not count", async () => {
  const { model, prompts } = pruned();
  const { d_model } = model.config;
  model.weights.get("embed.W_E")!.data.fill(0, 3 * d_model, 4 * d_model);
  const without = prompts.tokens.filter((id) => id !== 3).length;
  assert(without < COUNT * LENGTH);
  const { rows } = await residualProjections(model, prompts, { writer: "embed" });
  assertEquals(new Set(rows.map(({ n }) => n)), new Set([without]));
});

Deno.test("Figure 1 names a pruned head in its caption, and refuses it as the writer", async () => {
  const { model, prompts } = pruned();
  const { rows } = await residualProjections(model, prompts, { writer: "L0H1" });
  assertMatch(fig1(rows, { writer: "L0H1" }).textContent!, /no finite value.*L0H0/);
  const error = assertThrows(() => fig1(rows, { writer: "L0H0" }), Error);
  assertMatch(error.message, /L0H0 writes nothing/);
});

Deno.test("numbers that are not finite end a measurement, and the hook point where they begin is named", async () => {
  for (const damaged of [NaN, Infinity]) {
    const { model, prompts } = pruned();
    model.weights.get("blocks.1.mlp.W_out")!.data[5] = damaged;
    const error = await assertRejects(
      () => residualProjections(model, prompts, { writer: "L0H1" }),
      Error,
    );
    assertMatch(error.message, /values at blocks\.1\.hook_mlp_out are not all finite/, `${damaged}`);
  }
});
