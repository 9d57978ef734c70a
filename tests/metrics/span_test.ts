// The span of an output: by hand, of known directions, and turned.
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { outputSpans } from "../../lib/experiments/output_span.ts";
import { chance, rotatedSpan, spanOf, spanTensor } from "../../lib/metrics/span.ts";
import { run } from "../../lib/tensor/run.ts";
import { feed } from "../../lib/transformer/model.ts";
import { letterModel } from "../experiments/plain_values.ts";
import { randomPrompts } from "../transformer/models.ts";

Deno.test("spanOf(): the fewest directions that hold a part of the energy, or as many as asked for", () => {
  const moment = [1, 0, 0, 0, 6, 0, 0, 0, 3]; // energies 6, 3, 1 along the axes 1, 2, 0
  const kept = spanOf(moment, 3, { energy: 0.9 });
  assertEquals([kept.k, kept.energy], [2, 0.9]);
  assertEquals([...kept.directions].map(Math.abs), [0, 1, 0, 0, 0, 1]);
  assertEquals(spanOf(moment, 3, { energy: 0.91 }).k, 3);
  assertEquals(spanOf(moment, 3, { energy: 0.5 }).k, 1);
  assertEquals([spanOf(moment, 3, { k: 1 }).k, spanOf(moment, 3, { k: 1 }).energy], [1, 0.6]);
  assertThrows(() => spanOf(new Float64Array(9), 3, { k: 1 }), Error, "the output is zero");
});

Deno.test("rotatedSpan(): orthonormal again, without a mean where the model subtracts it, and elsewhere", () => {
  const n = 10, config = { d_model: n, normalization: "LNPre" };
  const span = { directions: new Float32Array(2 * n), k: 2, energy: 1 };
  span.directions.set([Math.SQRT1_2, -Math.SQRT1_2]);
  span.directions.set([0.5, 0.5, -0.5, -0.5], n);
  const turned = rotatedSpan(config, span, 3);
  const dot = (i: number, j: number, other = turned) =>
    Array.from({ length: n }, (_, m) => turned[i * n + m] * other[j * n + m]).reduce((a, b) => a + b);
  [[0, 0, 1], [0, 1, 0], [1, 1, 1]].forEach(([i, j, want]) => assertAlmostEquals(dot(i, j), want, 1e-6));
  assertAlmostEquals(turned.subarray(0, n).reduce((a, b) => a + b), 0, 1e-6);
  assert(Math.abs(dot(0, 0, span.directions)) < 0.9);
  assertAlmostEquals(chance(config, 3), 1 / 3);
  assertAlmostEquals(chance({ d_model: 10, normalization: "RMSPre" }, 3), 0.3);
});

Deno.test("outputSpans(): the energy that a span holds is that of the outputs projected on it, position 0 apart", async () => {
  const model = letterModel(4), prompts = randomPrompts(model, 5, 6, 7);
  const [span] = await outputSpans(model, prompts, ["L0H1"], { k: 2 });
  const S = spanTensor([span.directions], 2, model.config.d_model).select("span", 0);
  const w = model.forward().node("L0H1").slice("pos", 1, 7);
  const outputs = { held: w.dot(S, "d_model").sumSquares("k", "pos"), all: w.sumSquares("d_model", "pos") };
  const { held, all } = await run(outputs, feed(prompts));
  const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b);
  assertAlmostEquals(sum(held.data) / sum(all.data), span.energy, 1e-5);
  const whole = await outputSpans(model, prompts, ["L0H1", "MLP1"], { energy: 0.99999 });
  assert(whole[0].k <= model.config.d_head, `${whole[0].k}`);
  assertAlmostEquals(whole[1].energy, 1, 1.1e-5);
});
