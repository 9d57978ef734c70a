import { assertAlmostEquals } from "@std/assert";
import {
  compositionZ,
  compositionZWithoutAttention,
  vInputPatch,
  writtenByHeads,
} from "../../lib/metrics/v_composition.ts";
import { run } from "../../lib/tensor/run.ts";
import { feed } from "../../lib/transformer/model.ts";
import { currentWeights } from "../transformer/models.ts";
import { letterModel, mean, plainRun, vector } from "../experiments/plain_values.ts";

const tokens = [[0, 4, 9, 2, 3], [0, 1, 1, 16, 8]];
const prompts = { tokens: Int32Array.from(tokens.flat()), count: 2, length: 5, source: "test" };

/** v_h(i) of the module's formula, in loops: head `head` of layer 1 with the writer L0H1. */
function byHand(
  model: ReturnType<typeof letterModel>,
  batch: number,
  pos: number,
  head: number,
  attend = true,
) {
  const { d_model, d_head, n_heads } = model.config;
  const plain = plainRun(model, tokens);
  const weights = currentWeights(model);
  const W_V = weights.get("blocks.1.attn.W_V")!, W_O = weights.get("blocks.1.attn.W_O")!;
  const ln = weights.get("blocks.1.ln1.w");
  const pattern = plain.get("blocks.1.attn.hook_pattern")!;
  const out = new Float64Array(d_model);
  for (let j = 0; j <= pos; j++) {
    const a = attend ? pattern.data[((batch * n_heads + head) * 5 + pos) * 5 + j] : Number(j === pos);
    const w = [...vector(plain.get("blocks.0.attn.hook_result")!, batch, j, 1)];
    const sigma = vector(plain.get("blocks.1.ln1.hook_scale")!, batch, j)[0];
    const read = w.map((x, m) => (x - mean(w)) / sigma * (ln ? ln[m] : 1));
    for (let k = 0; k < d_head; k++) {
      const v = read.reduce((sum, x, m) => sum + x * W_V[(head * d_model + m) * d_head + k], 0);
      for (let m = 0; m < d_model; m++) out[m] += a * v * W_O[(head * d_head + k) * d_model + m];
    }
  }
  return out;
}

for (const processed of [true, false]) {
  Deno.test(`V-composition is the formula in plain loops, weights ${processed ? "processed" : "as stored"}`, async () => {
    const model = letterModel(11, processed);
    const clean = model.forward();
    const z = compositionZ(clean, 1, clean.node("L0H1"));
    const same = compositionZWithoutAttention(clean, 1, clean.node("L0H1"));
    const made = await run({
      one: writtenByHeads(clean, 1, z, [2]),
      two: writtenByHeads(clean, 1, z, [0, 2]),
      all: writtenByHeads(clean, 1, z, [0, 1, 2]),
      unweighted: writtenByHeads(clean, 1, same, [2]),
    }, feed(prompts));
    for (const [batch, pos] of [[0, 0], [0, 4], [1, 3]]) {
      const heads = [0, 1, 2].map((head) => byHand(model, batch, pos, head));
      const unweighted = byHand(model, batch, pos, 2, false);
      for (let m = 0; m < model.config.d_model; m++) {
        const at = { batch, pos, d_model: m };
        assertAlmostEquals(made.one.at(at), heads[2][m], 1e-4);
        assertAlmostEquals(made.two.at(at), heads[0][m] + heads[2][m], 1e-4);
        assertAlmostEquals(made.all.at(at), heads[0][m] + heads[1][m] + heads[2][m], 1e-4);
        assertAlmostEquals(made.unweighted.at(at), unweighted[m], 1e-4);
      }
    }
  });
}

Deno.test("clean minus patched head result is the V-composition, for every head", async () => {
  const model = letterModel(12);
  const clean = model.forward();
  const writer = clean.node("L0H1");
  const patched = model.forward({ hooks: vInputPatch(clean, [1], writer) });
  const z = compositionZ(clean, 1, writer);
  for (let head = 0; head < 3; head++) {
    const lost = clean.headResult(1, head).sub(patched.headResult(1, head));
    const made = await run({ lost, v: writtenByHeads(clean, 1, z, [head]) }, feed(prompts));
    made.lost.data.forEach((x, i) => assertAlmostEquals(x, made.v.data[i], 1e-5));
  }
});
