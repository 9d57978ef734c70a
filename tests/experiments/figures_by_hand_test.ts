// Figures 1 to 5 on a small random model, worked out from a forward pass in plain loops: which value stands
// in which row.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { resampledAttribution } from "../../lib/experiments/adversarial.ts";
import { compositionAttribution } from "../../lib/experiments/composition_attribution.ts";
import { Bands } from "../../lib/experiments/experiment.ts";
import { nodeProjections, sumName } from "../../lib/experiments/node_projections.ts";
import { patchedProjections } from "../../lib/experiments/patched_projections.ts";
import { residualProjections } from "../../lib/experiments/residual_projections.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { regress } from "../../lib/stats/regression.ts";
import { currentWeights } from "../transformer/models.ts";
import { dot, letterModel, mean, plainRun, plus, quantile, ratio, vector } from "./plain_values.ts";

const model = letterModel(3);
const tokens = [[0, 4, 9, 2, 7], [0, 1, 1, 16, 3], [0, 6, 5, 4, 3]];
const prompts = { tokens: Int32Array.from(tokens.flat()), count: 3, length: 5, source: "made up" };
const plain = plainRun(model, tokens);
const places = [0, 1, 2].flatMap((batch) => [0, 1, 2, 3, 4].map((pos) => [batch, pos]));

const head = (layer: number, h: number, [batch, pos]: number[]) =>
  vector(plain.get(`blocks.${layer}.attn.hook_result`)!, batch, pos, h);
const at = (hook: string, [batch, pos]: number[]) => vector(plain.get(hook)!, batch, pos);

const close = (actual: number, expected: number) =>
  assertAlmostEquals(actual, expected, 5e-4 * Math.max(1, Math.abs(expected)));

function band(row: { median: number; low: number; high: number; n: number }, values: number[]) {
  assertEquals(row.n, values.length);
  close(row.median, quantile(values, 0.5));
  close(row.low, quantile(values, 0.25));
  close(row.high, quantile(values, 0.75));
}

Deno.test("Bands takes the positions that count, of one slice of the last dim", () => {
  const array = new NdArray(Float32Array.from([...Array(24).keys()]), ["batch", "pos", "head"], [2, 4, 3]);
  const bands = new Bands({ positions: [1, 2] });
  assertEquals([...bands.series(array, 2)], [5, 8, 17, 20]);
  assertEquals([...new Bands().series(new NdArray(Float32Array.of(1, 2), ["batch", "pos"], [1, 2]))], [1, 2]);
  const row = new Bands({ quantiles: [0.125, 0.875] }).band(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
  assertEquals(row, { median: 5, low: 2, high: 8, n: 9 });
});

Deno.test("Figure 1 by hand", async () => {
  const { rows } = await residualProjections(model, prompts);
  assertEquals(rows.length, 3 * 5);
  const hooks = [
    "0.hook_resid_pre",
    "0.hook_resid_mid",
    "0.hook_resid_post",
    "1.hook_resid_mid",
    "1.hook_resid_post",
  ];
  const names = ["resid_pre0", "resid_mid0", "resid_post0", "resid_mid1", "resid_post1"];
  for (let h = 0; h < 3; h++) {
    hooks.forEach((hook, i) => {
      const row = rows.find((r) => r.writer === `L0H${h}` && r.location === names[i] && r.run === "clean");
      band(row!, places.map((p) => ratio(at(`blocks.${hook}`, p), head(0, h, p))));
    });
  }
});

Deno.test("Figure 1 of an embedding gives that writer alone", async () => {
  const { rows } = await residualProjections(model, prompts, { writer: "pos_embed" });
  assertEquals(rows.map(({ writer }) => writer), Array(5).fill("pos_embed"));
  band(rows[4], places.map((p) => ratio(at("blocks.1.hook_resid_post", p), at("hook_pos_embed", p))));
});

Deno.test("Figure 2 by hand: every other node in order, and the sum position by position", async () => {
  const { rows } = await nodeProjections(model, prompts);
  const heads = (layer: number) => [0, 1, 2].map((h) => `L${layer}H${h}`);
  const order = ["embed", "pos_embed", ...heads(0), "MLP0", ...heads(1), "MLP1"].filter((n) => n !== "L0H1");
  assertEquals(rows.map(({ node }) => node), [...order, "L1H0+L1H2"]);
  assertEquals(rows.filter(({ cleaner }) => cleaner).map(({ node }) => node), ["L1H0", "L1H2", "L1H0+L1H2"]);
  const row = (node: string) => rows.find((r) => r.node === node)!;
  const onto = (vectorAt: (p: number[]) => Float64Array) =>
    places.map((p) => ratio(vectorAt(p), head(0, 1, p)));
  band(row("embed"), onto((p) => at("hook_embed", p)));
  band(row("MLP1"), onto((p) => at("blocks.1.hook_mlp_out", p)));
  band(row("L1H2"), onto((p) => head(1, 2, p)));
  band(row("L1H0+L1H2"), onto((p) => plus(head(1, 0, p), head(1, 2, p))));
  assertEquals([row("embed").layer, row("MLP1").kind, row("L1H0+L1H2").kind], [-1, "mlp", "sum"]);
});

Deno.test("sumName() names a sum by its first and last node", () => {
  assertEquals(sumName(["L2H2", "L2H3", "L2H4"]), "L2H2+…+L2H4");
  assertEquals(sumName(["L2H2", "L2H3"]), "L2H2+L2H3");
  assertEquals(sumName(["L2H2"]), "L2H2");
});

Deno.test("Figure 3 by hand: the writer leaves the V input, with the scale of the clean run", async () => {
  const { locations, nodes } = await patchedProjections(model, prompts);
  const scale = plain.get("blocks.1.ln1.hook_scale")!;
  const { d_model, n_heads } = model.config;
  const patched = plainRun(model, tokens, {
    edits: {
      "blocks.1.hook_v_input": ({ data }) => {
        places.forEach((p, i) =>
          head(0, 1, p).forEach((x, m) => {
            for (let h = 0; h < n_heads; h++) data[(i * n_heads + h) * d_model + m] -= x;
          })
        );
      },
      "blocks.1.ln1.hook_scale": ({ data }) => data.set(scale.data),
    },
  });
  const onto = (hook: string, h?: number) =>
    places.map(([batch, pos]) => {
      const value = patched.get(hook)!;
      return ratio(
        h === undefined ? vector(value, batch, pos) : vector(value, batch, pos, h),
        head(0, 1, [batch, pos]),
      );
    });
  const location = (run: string) => locations.find((r) => r.run === run && r.location === "resid_mid1")!;
  band(location("patched"), onto("blocks.1.hook_resid_mid"));
  band(location("clean"), places.map((p) => ratio(at("blocks.1.hook_resid_mid", p), head(0, 1, p))));
  band(nodes.find((r) => r.run === "patched" && r.node === "L1H2")!, onto("blocks.1.attn.hook_result", 2));
  assertEquals(nodes.filter((r) => r.run === "patched").map((r) => r.node), [
    "L1H0",
    "L1H1",
    "L1H2",
    "L1H0+L1H2",
  ]);
});

/** DLA of a vector at a place, for the answers t1 and t2, by the formula. */
function dla(
  c: Float64Array,
  run: ReturnType<typeof plainRun>,
  place: number[],
  t1: number,
  t2: number,
): number {
  const W_U = currentWeights(model).get("unembed.W_U")!;
  const { d_vocab } = model.config;
  const scale = vector(run.get("ln_final.hook_scale")!, ...place)[0];
  const centre = mean([...c]);
  return c.reduce(
    (sum, x, i) => sum + (x - centre) / scale * (W_U[i * d_vocab + t1] - W_U[i * d_vocab + t2]),
    0,
  );
}

Deno.test("Figure 4 by hand: clean DLA, the top other head, and each resampled input", async () => {
  const { rows } = await resampledAttribution(model, [{ text: "cgkd" }, {
    text: "bb",
    correct: "d",
    incorrect: "e",
  }], prompts);
  assertEquals(rows.map(({ panel }) => panel), ["a", "b", "a", "b"]);
  for (const [i, text, answers] of [[0, [0, 2, 6, 10, 3], undefined], [2, [0, 1, 1], [3, 4]]] as const) {
    const last = text.length - 1;
    const own = plainRun(model, [[...text]]);
    const logits = [...vector(own.get("logits")!, 0, last)];
    const [t1, t2] = answers ?? logits.map((_, id) => id).sort((a, b) => logits[b] - logits[a]);
    const result = (layer: number, h: number) =>
      vector(own.get(`blocks.${layer}.attn.hook_result`)!, 0, last, h);
    const all = [0, 1].flatMap((layer) =>
      [0, 1, 2].map((h) => ({ layer, h, dla: dla(result(layer, h), own, [0, last], t1, t2) }))
    );
    const top = all.filter(({ layer, h }) => !(layer === 0 && h === 1)).reduce((a, b) =>
      b.dla > a.dla ? b : a
    );
    for (const [row, { layer, h, dla: clean }] of [[rows[i], all[1]], [rows[i + 1], top]] as const) {
      assertEquals(row.node, `L${layer}H${h}`);
      close(row.logitDifference, logits[t1] - logits[t2]);
      close(row.clean, clean);
      const samples = tokens.map((other) => {
        const unrelated = plainRun(model, [other.slice(0, text.length)]);
        const hook = `blocks.${layer}.ln1.hook_normalized`;
        const read = vector(unrelated.get(hook)!, 0, last);
        const mixed = plainRun(model, [[...text]], {
          edits: { [hook]: ({ data }) => data.set(read, last * read.length) },
        });
        return dla(
          vector(mixed.get(`blocks.${layer}.attn.hook_result`)!, 0, last, h),
          own,
          [0, last],
          t1,
          t2,
        );
      });
      assertEquals(row.samples.length, 3);
      samples.forEach((x, s) => close(row.samples[s], x));
      close(row.median, quantile(samples, 0.5));
    }
  }
});

Deno.test("Figure 5 by hand: rows in order of prompt and position, fits over all of them", async () => {
  const { rows, fit, totalFit } = await compositionAttribution(model, prompts);
  assertEquals(rows.map(({ prompt, position }) => [prompt, position]), places);
  places.forEach((place, i) => {
    const logits = [...at("logits", place)];
    const [t1, t2] = logits.map((_, id) => id).sort((a, b) => logits[b] - logits[a]);
    close(rows[i].writer, dla(head(0, 1, place), plain, place, t1, t2));
    close(rows[i].total, dla(plus(head(1, 0, place), head(1, 2, place)), plain, place, t1, t2));
  });
  const column = (key: "writer" | "composition" | "total") => rows.map((row) => row[key]);
  close(fit.slope, regress(column("writer"), column("composition")).slope);
  close(totalFit.r, regress(column("writer"), column("total")).r);
});

Deno.test("Figure 5 of the next token reads the logit of the token that comes, and leaves the last position out", async () => {
  const options = { target: "next token", attentionWeighted: false, positions: [1, 3] } as const;
  const { rows } = await compositionAttribution(model, prompts, options);
  const kept = places.filter(([, pos]) => pos >= 1 && pos <= 3);
  assertEquals(rows.map(({ prompt, position }) => [prompt, position]), kept);
  const W_U = currentWeights(model).get("unembed.W_U")!;
  kept.forEach(([batch, pos], i) => {
    const c = head(0, 1, [batch, pos]), next = tokens[batch][pos + 1];
    const scale = at("ln_final.hook_scale", [batch, pos])[0];
    const column = Array.from(c, (_, m) => W_U[m * model.config.d_vocab + next]);
    close(rows[i].writer, dot(c.map((x) => (x - mean([...c])) / scale), column));
  });
});

Deno.test("wrong options give one clear error each", async () => {
  const fails = (promise: () => Promise<unknown>, message: string) => assertRejects(promise, Error, message);
  await fails(() => residualProjections(model, prompts, { writer: "L0H8" }), 'no node "L0H8"');
  await fails(
    () => residualProjections(model, prompts, { positions: [1, 5] }),
    "got [1, 5]; expected them in 0 … 4",
  );
  await fails(() => residualProjections(model, prompts, { positions: [3, 2] }), "got [3, 2]");
  await fails(() => nodeProjections(model, prompts, { cleaners: ["L9H0"] }), 'no node "L9H0"');
  await fails(() => patchedProjections(model, prompts, { patchedLayers: [7] }), "got 7, whose heads do not");
  await fails(
    () => compositionAttribution(model, prompts, { cleaners: ["MLP1"] }),
    "got cleaner MLP1; expected heads",
  );
  await fails(
    () => resampledAttribution(model, [{ text: "abc" }], prompts, { writer: "MLP0" }),
    "got writer MLP0",
  );
  const answers = [{ text: "abc", correct: "dd", incorrect: "e" }];
  await fails(
    () => resampledAttribution(model, answers, prompts),
    `answer "dd": got 2 tokens ("d", "d"); expected one`,
  );
  await fails(
    () => resampledAttribution(model, [{ text: "abcdefgh" }], prompts),
    "Cannot take 9 tokens each",
  );
  for (const quantiles of [[0.75, 0.25], [-0.1, 0.9], [0.25, NaN]] as [number, number][]) {
    assertThrows(() => new Bands({ quantiles }), Error, "expected two: one in 0 … 0.5 and one in 0.5 … 1");
  }
  assert(model.cleanup.writer === "L0H1");
});
