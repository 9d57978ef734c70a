import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  headDots,
  headProjectionRatios,
  projectionRatio,
  projectionRatiosOntoHeads,
} from "../../lib/metrics/projection.ts";
import type { NdArray } from "../../lib/tensor/nd_array.ts";
import { run } from "../../lib/tensor/run.ts";
import { param } from "../../lib/tensor/tensor.ts";
import { feed } from "../../lib/transformer/model.ts";
import { dot, letterModel, plainRun, ratio, vector } from "../experiments/plain_values.ts";

const dims = (
  n: number,
) => [{ name: "batch", size: 1 }, { name: "pos", size: n }, { name: "d_model", size: 2 }];

Deno.test("projectionRatio() by hand: present, absent, erased, half, doubled", async () => {
  const b = [3, 4];
  const cases: [number[], number][] = [
    [[3, 4], 1],
    [[4, -3], 0],
    [[-3, -4], -1],
    [[1.5, 2], 0.5],
    [[10, 5], 2], // (30 + 20) / 25
    [[0, 0], 0],
  ];
  const a = param("a", Float32Array.from(cases.flatMap(([v]) => v)), dims(cases.length));
  const writer = param("b", Float32Array.from(cases.flatMap(() => b)), dims(cases.length));
  const { ratio } = await run({ ratio: projectionRatio(a, writer) }, {});
  cases.forEach(([, expected], i) => assertAlmostEquals(ratio.data[i], expected, 1e-6));
});

Deno.test("projectionRatio() is divided by the writer's norm, not by that of what is looked at", async () => {
  const long = param("a", Float32Array.of(10, 0), dims(1));
  const short = param("b", Float32Array.of(2, 0), dims(1));
  const made = await run({ onto: projectionRatio(long, short), back: projectionRatio(short, long) }, {});
  assertAlmostEquals(made.onto.data[0], 5, 1e-6);
  assertAlmostEquals(made.back.data[0], 0.2, 1e-6);
});

Deno.test("projections in head space are those of the heads' results, by plain loops", async () => {
  const model = letterModel(5);
  const tokens = [[0, 4, 9, 2, 7], [0, 1, 1, 16, 3]];
  const prompts = { tokens: Int32Array.from(tokens.flat()), count: 2, length: 5, source: "test" };
  const clean = model.forward();
  const writer = clean.headResult(0, 1);
  const stream = clean.hook("blocks.0.hook_resid_post");
  const made = await run({
    dots: headDots(clean, 1, stream),
    ratios: headProjectionRatios(clean, 1, writer),
    onto: projectionRatiosOntoHeads(clean, 0, [stream, clean.hook("hook_embed")]),
  }, feed(prompts));
  const plain = plainRun(model, tokens);
  const result = (layer: number) => plain.get(`blocks.${layer}.attn.hook_result`)!;
  const resid = plain.get("blocks.0.hook_resid_post")!;
  const close = (array: NdArray, at: Record<string, number>, expected: number) =>
    assertAlmostEquals(array.at(at), expected, 2e-4 * Math.max(1, Math.abs(expected)));
  assertEquals(made.dots.names, ["batch", "pos", "head"]);
  for (let batch = 0; batch < 2; batch++) {
    for (let pos = 0; pos < 5; pos++) {
      const w = vector(result(0), batch, pos, 1), r = vector(resid, batch, pos);
      for (let head = 0; head < 3; head++) {
        const at = { batch, pos, head };
        close(made.dots, at, dot(vector(result(1), batch, pos, head), r));
        close(made.ratios, at, ratio(vector(result(1), batch, pos, head), w));
        const b = vector(result(0), batch, pos, head);
        close(made.onto, { ...at, value: 0 }, ratio(r, b));
        close(made.onto, { ...at, value: 1 }, ratio(vector(plain.get("hook_embed")!, batch, pos), b));
      }
    }
  }
});
