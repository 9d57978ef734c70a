// Benjamini–Hochberg against the 1995 paper's example, the bootstrap against cases that can be worked out.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { sumOfBlocks } from "../../lib/stats/block_sums.ts";
import { Random } from "../../lib/stats/random.ts";
import {
  benjaminiHochberg,
  bootstrapDraws,
  bootstrapInterval,
  pBelowZero,
} from "../../lib/stats/significance.ts";

// Benjamini & Hochberg (1995), section 3.2: 15 comparisons of a study of thrombolysis, ordered. At q = 0.05
// the procedure rejects the first four, and Bonferroni's the first three.
const P = [
  0.0001,
  0.0004,
  0.0019,
  0.0095,
  0.0201,
  0.0278,
  0.0298,
  0.0344,
  0.0459,
  0.324,
  0.4262,
  0.5719,
  0.6528,
  0.759,
  1,
];

Deno.test("benjaminiHochberg() gives the adjusted values of the 1995 paper's example", () => {
  // p(i) · 15 / i, then the smallest of those from i on (as R's p.adjust(…, "BH") does); worked out by hand.
  const expected = [
    0.0015,
    0.003,
    0.0095,
    0.035625,
    0.0603,
    0.0638571429,
    0.0638571429,
    0.0645,
    0.0765,
    0.486,
    0.5811818182,
    0.714875,
    0.7532307692,
    0.8132142857,
    1,
  ];
  const adjusted = benjaminiHochberg(P);
  adjusted.forEach((q, i) => assertAlmostEquals(q, expected[i], 1e-9, `value ${i}`));
  assertEquals(adjusted.filter((q) => q <= 0.05).length, 4);
});

Deno.test("benjaminiHochberg() keeps the order of what it is given", () => {
  const order = [7, 2, 14, 0, 9, 4, 11, 1, 13, 6, 3, 12, 8, 5, 10];
  const adjusted = benjaminiHochberg(P);
  assertEquals(benjaminiHochberg(order.map((i) => P[i])), order.map((i) => adjusted[i]));
  assertEquals(benjaminiHochberg([]), []);
  assertEquals(benjaminiHochberg([0.03]), [0.03]);
});

/** Mean over blocks of one sum each. */
const meanOf = (sums: number[], draw?: Int32Array) =>
  sumOfBlocks(Float64Array.from(sums), draw) / sums.length;

Deno.test("pBelowZero() is that of a normal test where blocks are many", () => {
  // 100 blocks, mean -2 standard errors: P(Z > 2) = 0.0228.
  const random = new Random(4);
  const raw = Array.from({ length: 100 }, () => random.normal());
  const mean = raw.reduce((a, b) => a + b, 0) / 100;
  const sd = Math.sqrt(raw.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 100);
  const sums = raw.map((x) => (x - mean) / sd - 0.2); // mean -0.2, error of the mean 0.1
  const draws = bootstrapDraws(100, 20_000, 1);
  assertAlmostEquals(pBelowZero((draw) => meanOf(sums, draw), draws), 0.0228, 0.004);
  const [low, high] = bootstrapInterval((draw) => meanOf(sums, draw), draws);
  assertAlmostEquals(low, -0.2 - 1.96 * 0.1, 0.01);
  assertAlmostEquals(high, -0.2 + 1.96 * 0.1, 0.01);
});

Deno.test("pBelowZero() is never 0, and never below what a sign test of the blocks could reach", () => {
  const sure = (count: number) => {
    const sums = new Array(count).fill(-1);
    return pBelowZero((draw) => meanOf(sums, draw), bootstrapDraws(count, 999, 1));
  };
  assertEquals(sure(64), 1 / 1000);
  assertEquals(sure(4), 1 / 16);
});

Deno.test("pBelowZero() is uniform where there is no effect", () => {
  const random = new Random(8);
  const draws = bootstrapDraws(64, 500, 2);
  let [low, half] = [0, 0];
  for (let i = 0; i < 400; i++) {
    const sums = Array.from({ length: 64 }, () => random.normal());
    const p = pBelowZero((draw) => meanOf(sums, draw), draws);
    if (p <= 0.05) low++;
    if (p <= 0.5) half++;
  }
  // 400 tests: 20 ± 4.4 and 200 ± 10; three standard deviations are allowed
  assert(low >= 7 && low <= 34, `${low} of 400 at 0.05`);
  assert(half >= 170 && half <= 230, `${half} of 400 at 0.5`);
});

Deno.test("bootstrapDraws() gives blocks that exist, and the same ones for the same seed", () => {
  const draws = bootstrapDraws(5, 200, 3);
  assertEquals(draws.length, 200);
  assert(draws.every((draw) => draw.length === 5 && draw.every((block) => block >= 0 && block < 5)));
  assertEquals(new Set(draws.flatMap((draw) => [...draw])).size, 5);
  assertEquals(draws, bootstrapDraws(5, 200, 3));
  assert(bootstrapDraws(5, 200, 4).some((draw, i) => draw.some((block, k) => block !== draws[i][k])));
});
