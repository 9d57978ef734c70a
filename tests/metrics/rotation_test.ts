// Orthogonality, from its definition; that nothing of a vector's direction is kept, from the mean of many
// draws.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { randomOrthogonal, randomOrthogonalCentred, rotated, rotation } from "../../lib/metrics/rotation.ts";
import { run } from "../../lib/tensor/run.ts";
import { param } from "../../lib/tensor/tensor.ts";

/** Largest entry of |Q Qᵀ - I|. */
function offOrthogonal(Q: Float64Array, n: number): number {
  let worst = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < n; k++) dot += Q[i * n + k] * Q[j * n + k];
      worst = Math.max(worst, Math.abs(dot - (i === j ? 1 : 0)));
    }
  }
  return worst;
}

for (const n of [1, 2, 7, 64, 65, 130, 192]) {
  Deno.test(`randomOrthogonal(${n}) is orthogonal, plain and centred`, () => {
    assert(offOrthogonal(randomOrthogonal(n, 3), n) < 1e-12);
    assert(offOrthogonal(randomOrthogonalCentred(n, 3), n) < 1e-12);
  });
}

Deno.test("the centred rotation keeps (1, …, 1), and what has no mean gets none", () => {
  const n = 130, Q = randomOrthogonalCentred(n, 5);
  for (let i = 0; i < n; i++) {
    let row = 0, column = 0;
    for (let j = 0; j < n; j++) {
      row += Q[i * n + j];
      column += Q[j * n + i];
    }
    assertAlmostEquals(row, 1, 1e-12);
    assertAlmostEquals(column, 1, 1e-12);
  }
});

Deno.test("every entry of Q depends on every entry: a unit vector is spread over all dims, also beyond one block", () => {
  const n = 192;
  let zeros = 0, largest = 0;
  const Q = randomOrthogonal(n, 1);
  for (const x of Q) {
    if (x === 0) zeros++;
    largest = Math.max(largest, Math.abs(x));
  }
  assertEquals(zeros, 0);
  assert(largest < 6 / Math.sqrt(n), `${largest}`); // Gaussian entries of variance 1/n: 6 σ
});

Deno.test("over many seeds Q w has no direction in common with w: its cosine is 0 ± 1/√n", () => {
  const n = 100, seeds = 200;
  const w = Float64Array.from({ length: n }, (_, i) => Math.sin(i + 1) + (i === 3 ? 9 : 0));
  const norm = w.reduce((sum, x) => sum + x * x, 0);
  let [mean, square] = [0, 0];
  for (let seed = 0; seed < seeds; seed++) {
    const Q = randomOrthogonal(n, seed);
    let dot = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) dot += w[i] * Q[i * n + j] * w[j] / norm;
    mean += dot / seeds;
    square += dot * dot / seeds;
  }
  assert(Math.abs(mean) < 3 / Math.sqrt(n * seeds), `mean ${mean}`);
  assertAlmostEquals(square * n, 1, 0.35); // variance of a mean of 200 squares: 10 %; 3.5 of these
});

Deno.test("rotated() keeps length and dims, and is the same for the same seed alone", async () => {
  const dims = [{ name: "batch", size: 1 }, { name: "pos", size: 3 }, { name: "d_model", size: 80 }];
  const w = param("w", Float32Array.from({ length: 240 }, (_, i) => Math.cos(i * i)), dims);
  const config = { d_model: 80, normalization: "RMS" };
  const made = await run({
    a: rotated(w, rotation(config, 1)),
    again: rotated(w, rotation(config, 1)),
    b: rotated(w, rotation(config, 2)),
    norms: w.sumSquares("d_model"),
    rotatedNorms: rotated(w, rotation(config, 1)).sumSquares("d_model"),
  }, {});
  assertEquals(made.a.names, ["batch", "pos", "d_model"]);
  assertEquals(made.a.data, made.again.data);
  assert(made.a.data.some((x: number, i: number) => Math.abs(x - made.b.data[i]) > 0.1));
  made.norms.data.forEach((x: number, i: number) => assertAlmostEquals(made.rotatedNorms.data[i], x, 1e-4));
});
