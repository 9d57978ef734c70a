import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { smallModel } from "../checkpoints/small_model.ts";
import { erf } from "./erf.ts";
import { plainForward } from "./plain_forward.ts";

Deno.test("erf() agrees with published values to 1e-15", () => {
  // Abramowitz and Stegun, table 7.1, and the complements erfc(3), erfc(5) from the same source's
  // asymptotics.
  for (const [x, y] of [[0.5, 0.5204998778130465], [1, 0.8427007929497149], [2, 0.9953222650189527]]) {
    assertAlmostEquals(erf(x), y, 1e-15);
    assertAlmostEquals(erf(-x), -y, 1e-15);
  }
  assertAlmostEquals(1 - erf(3), 2.209049699858544e-5, 1e-15);
  assertAlmostEquals(1 - erf(5), 1.5374597944280349e-12, 1e-15);
  assertEquals([erf(0), erf(7), erf(-7)], [0, 1, -1]);
});

const model = smallModel(11);
const weights = new Map(
  Object.entries(model.tensors).map(([name, { data }]) => [name, data as Float32Array]),
);
const tokens = [[0, 3, 5, 16], [0, 1, 1, 2]];

Deno.test("plainForward() by hand: one layer of attention over two positions", () => {
  // d_model 2, one head of size 1, no MLP; every weight chosen so that the arithmetic can be followed on
  // paper.
  const { config } = smallModel(0, {
    d_model: 2,
    n_layers: 1,
    d_head: 1,
    n_heads: 1,
    n_ctx: 2,
    d_vocab: 2,
    attn_only: true,
    eps: 0,
  });
  const hooks = plainForward(
    config,
    new Map([
      ["embed.W_E", [3, 1, 1, 5]], // token 0: (3, 1), token 1: (1, 5)
      ["pos_embed.W_pos", [0, 0, 0, 0]],
      ["blocks.0.attn.W_Q", [1, 0]],
      ["blocks.0.attn.W_K", [1, 0]],
      ["blocks.0.attn.W_V", [2, 0]],
      ["blocks.0.attn.W_O", [1, 3]],
      ["unembed.W_U", [1, 0, 0, 1]],
    ]),
    [[0, 1]],
  );
  // LayerNorm: (3, 1) → (1, −1) with scale 1; (1, 5) → (−1, 1) with scale 2.
  assertEquals(Array.from(hooks.get("blocks.0.ln1.hook_scale")!.data), [1, 2]);
  assertEquals(Array.from(hooks.get("blocks.0.attn.hook_q")!.data), [1, -1]);
  // Scores of the second query: −1·1 and −1·−1; pattern e^−1 and e^1 over their sum.
  assertEquals(Array.from(hooks.get("blocks.0.attn.hook_attn_scores")!.data), [1, -Infinity, -1, 1]);
  const first = Math.exp(-1) / (Math.exp(-1) + Math.exp(1));
  const z = first * 2 + (1 - first) * -2;
  assertAlmostEquals(hooks.get("blocks.0.attn.hook_z")!.data[1], z, 1e-15);
  assertAlmostEquals(hooks.get("blocks.0.attn.hook_result")!.data[3], 3 * z, 1e-15);
  assertAlmostEquals(hooks.get("blocks.0.hook_resid_post")!.data[2], 1 + z, 1e-15);
  assertEquals(hooks.get("logits")!.dims, [1, 2, 2]);
});

Deno.test("plainForward() records every hook point and the additive identity holds", () => {
  const hooks = plainForward(model.config, weights, tokens);
  const at = (name: string) => hooks.get(name)!.data;
  assertEquals(hooks.get("blocks.1.attn.hook_pattern")!.dims, [2, 3, 4, 4]);
  const last = at("blocks.1.hook_resid_post");
  const parts = ["hook_embed", "hook_pos_embed", "blocks.0.hook_attn_out", "blocks.0.hook_mlp_out"];
  parts.push("blocks.1.hook_attn_out", "blocks.1.hook_mlp_out");
  for (let i = 0; i < last.length; i++) {
    assertAlmostEquals(parts.reduce((sum, name) => sum + at(name)[i], 0), last[i], 1e-12);
  }
  assertEquals(hooks.size, 2 + 2 * 22 + 3); // 22 a layer, hook_mlp_in among them
});

Deno.test("plainForward() does not look ahead", () => {
  const V = model.config.d_vocab;
  const full = plainForward(model.config, weights, tokens).get("logits")!.data;
  const cut = plainForward(model.config, weights, tokens.map((row) => row.slice(0, 2))).get("logits")!.data;
  for (const b of [0, 1]) {
    for (let i = 0; i < 2 * V; i++) assertAlmostEquals(cut[b * 2 * V + i], full[b * 4 * V + i], 1e-12);
  }
});

Deno.test("plainForward() edits: an edit that changes nothing changes nothing, an unknown one is refused", () => {
  const clean = plainForward(model.config, weights, tokens).get("logits")!.data;
  for (const name of ["blocks.1.hook_v_input", "blocks.0.ln1.hook_normalized", "blocks.1.ln1.hook_scale"]) {
    const logits =
      plainForward(model.config, weights, tokens, { edits: { [name]: () => {} } }).get("logits")!.data;
    for (let i = 0; i < clean.length; i++) assertAlmostEquals(logits[i], clean[i], 1e-13);
  }
  assertThrows(
    () => plainForward(model.config, weights, tokens, { edits: { "blocks.9.hook_v_input": () => {} } }),
    Error,
    "blocks.9.hook_v_input",
  );
});
