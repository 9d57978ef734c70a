// Figure 10: ratios at the last position by loops, and by TransformerLens.
import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { promptLocations } from "../../lib/experiments/prompt_locations.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { letterModel, letters, plainRun, ratio, vector } from "./plain_values.ts";

const LOCATIONS = {
  resid_pre0: "blocks.0.hook_resid_pre",
  resid_mid0: "blocks.0.hook_resid_mid",
  resid_post0: "blocks.0.hook_resid_post",
  resid_mid1: "blocks.1.hook_resid_mid",
  resid_post1: "blocks.1.hook_resid_post",
};

Deno.test("promptLocations() by loops: a head, an MLP and an embedding as writer", async () => {
  const model = letterModel(101);
  const texts = ["lamp", "i"];
  for (const writer of [undefined, "MLP0", "pos_embed"]) {
    const { rows } = await promptLocations(model, texts.map((text) => ({ text })), { writer });
    assertEquals(
      rows.map((r) => [r.prompt, r.location]),
      texts.flatMap((t) => Object.keys(LOCATIONS).map((l) => [t, l])),
    );
    for (const { prompt, location, ratio: got, writer: named } of rows) {
      const tokens = letters.encode(prompt, { prependBos: true });
      const last = tokens.length - 1;
      const hooks = plainRun(model, [tokens]);
      const wrote = writer === undefined
        ? vector(hooks.get("blocks.0.attn.hook_result")!, 0, last, 1)
        : vector(hooks.get(writer === "MLP0" ? "blocks.0.hook_mlp_out" : "hook_pos_embed")!, 0, last);
      const at = vector(hooks.get(LOCATIONS[location as keyof typeof LOCATIONS])!, 0, last);
      assertAlmostEquals(got, ratio(at, wrote), 1e-4 * Math.max(1, Math.abs(got)));
      assertEquals(named, writer ?? "L0H1");
    }
  }
  await assertRejects(() => promptLocations(model, [{ text: "a" }], { writer: "L0H3" }), Error, "no node");
});

Deno.test("promptLocations() of the embedded model are those of TransformerLens", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const model = await loadModel("tiny-gelu-4l");
  const { rows } = await promptLocations(model, model.adversarial.prompts);
  const checks = compare("fig10", rows, expected);
  assertEquals(checks.length, 4 * 9);
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
});
