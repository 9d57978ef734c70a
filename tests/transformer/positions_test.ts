/**
 * Rotary positions against complex multiplication, and the slowed frequencies against numbers worked out by
 * hand.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { run } from "../../lib/tensor/run.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { input, param } from "../../lib/tensor/tensor.ts";
import { alibiSlopes } from "../../lib/transformer/families/alibi.ts";
import { rotaryFrequencies, rotate } from "../../lib/transformer/positions.ts";
import { smallModel } from "../checkpoints/small_model.ts";
import { randomNormal, randomSource } from "../reference/random.ts";

const config = { ...smallModel(0).config, positional_embedding_type: "rotary" as const };

for (const [d_head, rotary_dim, rotary_base] of [[8, 8, 10000], [8, 4, 100], [6, 2, 10000], [2, 2, 5]]) {
  Deno.test(`rotate() turns ${rotary_dim} of ${d_head} dims as complex numbers`, async () => {
    const [B, T, H] = [2, 7, 3];
    const data = randomNormal(randomSource(d_head + rotary_dim), B * T * H * d_head);
    const x = input("x", [
      { name: "batch", size: "batch" },
      { name: "pos", size: "pos" },
      { name: "head", size: H },
      { name: "d_head", size: d_head },
    ], { dtype: "float32" });
    const names = ["batch", "pos", "head", "d_head"];
    const { y } = await run(
      { y: rotate({ ...config, d_head, rotary_dim, rotary_base }, x) },
      { x: new NdArray(data, names, [B, T, H, d_head]) },
    );
    assertEquals(y.names, names);
    const half = rotary_dim / 2;
    for (let row = 0; row < B * T * H; row++) {
      const t = Math.floor(row / H) % T;
      for (let i = 0; i < d_head; i++) {
        let expected = data[row * d_head + i];
        if (i < rotary_dim) { // (a + ib) · e^{iθ}: real parts in the first half, imaginary ones in the second
          const [a, b] = [data[row * d_head + i % half], data[row * d_head + half + i % half]];
          const theta = t * Math.pow(rotary_base, -2 * (i % half) / rotary_dim);
          expected = i < half
            ? a * Math.cos(theta) - b * Math.sin(theta)
            : a * Math.sin(theta) + b * Math.cos(theta);
        }
        assertAlmostEquals(y.data[row * d_head + i], expected, 2e-6);
      }
    }
  });
}

Deno.test("rotaryFrequencies() falls from 1 by rotary_base^(-2 / rotary_dim)", () => {
  const f = rotaryFrequencies({ ...config, d_head: 8, rotary_dim: 8, rotary_base: 16 });
  assertEquals(f.length, 4);
  [1, 0.5, 0.25, 0.125].forEach((expected, i) => assertAlmostEquals(f[i], expected, 1e-15));
});

Deno.test("rotaryFrequencies() slowed: linear divides all, llama3 the slow ones alone", () => {
  const plain = { ...config, d_head: 8, rotary_dim: 8, rotary_base: 16 };
  const linear = rotaryFrequencies({ ...plain, rotary_scaling: { rope_type: "linear", factor: 4 } });
  [1, 0.5, 0.25, 0.125].forEach((f, i) => assertAlmostEquals(linear[i], f / 4, 1e-15));
  // Over 8π positions f turns 4 f times: 4, 2, 1, 0.5. Kept from 3 on, divided by 10 up to 1, half way at 2.
  const llama3 = rotaryFrequencies({
    ...plain,
    rotary_scaling: {
      rope_type: "llama3",
      factor: 10,
      low_freq_factor: 1,
      high_freq_factor: 3,
      original_max_position_embeddings: 8 * Math.PI,
    },
  });
  [1, 0.5 * (0.5 + 0.5 / 10), 0.025, 0.0125].forEach((f, i) => assertAlmostEquals(llama3[i], f, 1e-15));
  assertThrows(
    () => rotaryFrequencies({ ...plain, rotary_scaling: { rope_type: "llama3", factor: 2 } }),
    Error,
    "low_freq_factor",
  );
  assert(llama3[0] > llama3[1]);
});

Deno.test("alibiSlopes(): powers of 2, and for other numbers those between", () => {
  assertEquals(alibiSlopes(8), [1, 2, 3, 4, 5, 6, 7, 8].map((i) => 2 ** -i));
  assertEquals(alibiSlopes(6), [1 / 4, 1 / 16, 1 / 64, 1 / 256, 1 / 2, 1 / 8]);
});

Deno.test("rotaryFrequencies() yarn by hand: kept from beta_fast turns on, divided up to beta_slow, a ramp over pairs between", () => {
  const yarn = (truncate: boolean) =>
    rotaryFrequencies({
      ...config,
      d_head: 8,
      rotary_base: 16,
      rotary_scaling: {
        rope_type: "yarn",
        factor: 4,
        original_max_position_embeddings: 32 * Math.PI,
        beta_fast: 8,
        beta_slow: 2,
        truncate,
      },
    });
  // f = 1, ½, ¼, ⅛ turn 16, 8, 4, 2 times over 32π positions: pair 1 is the last that is kept, pair 3 the
  // first that is divided.
  [1, 1 / 2, 1 / 4 * (1 / 2 + 1 / 2 / 4), 1 / 32].forEach((f, i) =>
    assertAlmostEquals(yarn(false)[i], f, 1e-12)
  );
  [1, 1 / 2, 1 / 4 * (1 / 2 + 1 / 2 / 4), 1 / 32].forEach((f, i) =>
    assertAlmostEquals(yarn(true)[i], f, 1e-12)
  );
});

Deno.test("tables of positions are as long as a run, not as the model's context", () => {
  const x = param("x", new Float32Array(2 * 8), [{ name: "head", size: 2 }, { name: "d_head", size: 8 }])
    .expand("pos", "pos").expand("batch", "batch");
  const y = rotate({ n_ctx: 2 ** 30, d_head: 8, rotary_dim: 6 }, x);
  const lengths = [5, 7].map((pos) => {
    const { params } = new Lowering({ y }, { batch: 1, pos }).graph;
    return [...params.values()].map(({ shape }) => shape.join()).sort();
  });
  // x itself; cos and sin of 3 pairs.
  assertEquals(lengths, [["2,8", "5,3", "5,3"], ["2,8", "7,3", "7,3"]]);
  const again = rotate({ n_ctx: 2 ** 30, d_head: 8, rotary_dim: 6 }, x);
  const [a, b] = [y, again].map((t) => new Lowering({ y: t }, { batch: 1, pos: 5 }).graph.params);
  assert(
    [...a.values()].every(({ data }, i) => data === [...b.values()][i].data),
    "the same arrays in all runs",
  );
});
