import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../lib/stats/random.ts";
import { symmetricEigen } from "../../lib/stats/symmetric.ts";

/** Largest difference of Σ λ v vᵀ from the matrix, and of v · v' from 0 or 1. */
function errors(matrix: Float64Array, n: number): [number, number] {
  const { values, vectors } = symmetricEigen(matrix, n);
  let made = 0, unit = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let entry = 0, dot = 0;
      for (let k = 0; k < n; k++) {
        entry += values[k] * vectors[k * n + i] * vectors[k * n + j];
        dot += vectors[i * n + k] * vectors[j * n + k];
      }
      made = Math.max(made, Math.abs(entry - matrix[i * n + j]));
      unit = Math.max(unit, Math.abs(dot - Number(i === j)));
    }
  }
  for (let k = 1; k < n; k++) assert(values[k] <= values[k - 1]);
  return [made, unit];
}

Deno.test("symmetricEigen() takes random matrices apart, of full and of low rank", () => {
  for (const [n, rank] of [[1, 1], [2, 2], [5, 5], [40, 40], [40, 3], [65, 64], [64, 0]]) {
    const random = new Random(n);
    const matrix = new Float64Array(n * n);
    for (let r = 0; r < rank; r++) {
      const v = Float64Array.from({ length: n }, () => random.normal());
      v.forEach((x, i) => v.forEach((y, j) => matrix[i * n + j] += (r % 3 === 0 ? -1 : 1) * x * y));
    }
    for (const error of errors(matrix, n)) assertAlmostEquals(error, 0, 1e-10, `${n}, rank ${rank}`);
  }
});

Deno.test("symmetricEigen(): by hand", () => {
  // [[2, 1], [1, 2]]: 3 along (1, 1), 1 along (1, -1)
  const { values, vectors } = symmetricEigen([2, 1, 1, 2], 2);
  assertAlmostEquals(values[0], 3, 1e-12);
  assertAlmostEquals(values[1], 1, 1e-12);
  assertAlmostEquals(vectors[0], vectors[1], 1e-12);
  assertAlmostEquals(Math.abs(vectors[2] + vectors[3]), 0, 1e-12);
  assertEquals([...symmetricEigen([1, 0, 0, 0, 5, 0, 0, 0, 3], 3).values], [5, 3, 1]);
  // Equal values, and a block apart: numpy.linalg.eigvalsh gives 4, 4, 1, -2.
  const four = symmetricEigen([4, 0, 0, 0, 0, 4, 0, 0, 0, 0, -0.5, 1.5, 0, 0, 1.5, -0.5], 4).values;
  [4, 4, 1, -2].forEach((x, i) => assertAlmostEquals(four[i], x, 1e-12));
  assertThrows(() => symmetricEigen([NaN], 1), Error, "not finite");
});
