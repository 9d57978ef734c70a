import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  attributionVector,
  directLogitAttribution,
  topTwo,
  unembedding,
} from "../../lib/metrics/attribution.ts";
import { run } from "../../lib/tensor/run.ts";
import { feed } from "../../lib/transformer/model.ts";
import { modelNodes } from "../../lib/transformer/nodes.ts";
import { currentWeights } from "../transformer/models.ts";
import { dot, letterModel, mean, plainRun, vector } from "../experiments/plain_values.ts";

const tokens = [[0, 4, 9, 2], [0, 1, 1, 16]];
const prompts = { tokens: Int32Array.from(tokens.flat()), count: 2, length: 4, source: "test" };

for (const processed of [true, false]) {
  Deno.test(`DLA is ((c − mean(c)) / s) · (W_U[:, t1] − W_U[:, t2]), weights ${processed ? "processed" : "as stored"}`, async () => {
    const model = letterModel(8, processed);
    const clean = model.forward();
    const { first, second } = topTwo(clean);
    const u = attributionVector(clean, unembedding(clean, first).sub(unembedding(clean, second)));
    const made = await run(
      { dla: directLogitAttribution(clean.node("L1H2"), u), first, second },
      feed(prompts),
    );

    const plain = plainRun(model, tokens);
    const weights = currentWeights(model);
    const { d_model, d_vocab } = model.config;
    const W_U = weights.get("unembed.W_U")!, ln = weights.get("ln_final.w");
    for (let batch = 0; batch < 2; batch++) {
      for (let pos = 0; pos < 4; pos++) {
        const logits = [...vector(plain.get("logits")!, batch, pos)];
        const [t1, t2] = logits.map((_, i) => i).sort((a, b) => logits[b] - logits[a]);
        const at = batch * 4 + pos;
        assertEquals([made.first.data[at], made.second.data[at]], [t1, t2]);
        const c = [...vector(plain.get("blocks.1.attn.hook_result")!, batch, pos, 2)];
        const scale = vector(plain.get("ln_final.hook_scale")!, batch, pos)[0];
        const centred = c.map((x, i) => (x - mean(c)) / scale * (ln ? ln[i] : 1));
        const direction = Array.from(
          { length: d_model },
          (_, i) => W_U[i * d_vocab + t1] - W_U[i * d_vocab + t2],
        );
        assertAlmostEquals(made.dla.data[at], dot(centred, direction), 1e-4);
      }
    }
  });
}

Deno.test("DLA of all nodes, of b_O and of b_U add up to the logit difference", async () => {
  const model = letterModel(9);
  const clean = model.forward();
  const { first, second, logitDifference } = topTwo(clean);
  const u = attributionVector(clean, unembedding(clean, first).sub(unembedding(clean, second)));
  const nodes = modelNodes(model.config).map(({ name }) => directLogitAttribution(clean.node(name), u));
  const b_O = [0, 1].map((layer) => clean.weight(`blocks.${layer}.attn.b_O`).dot(u, "d_model"));
  const b_U = clean.weight("unembed.b_U");
  const bias = b_U.gather("d_vocab", first).sub(b_U.gather("d_vocab", second));
  const sum = [...nodes, ...b_O, bias].reduce((a, b) => a.add(b));
  const made = await run({ sum: sum.order("batch", "pos"), logitDifference }, feed(prompts));
  made.sum.data.forEach((x, i) => assertAlmostEquals(x, made.logitDifference.data[i], 1e-4));
});
