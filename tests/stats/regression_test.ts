// Anscombe's quartet (The American Statistician 27, 1973): four data sets with one and the same fit.
// Published: y = 3.00 + 0.500 x, standard error of the slope 0.118, multiple R² 0.667. More digits: R,
// summary(lm(y1 ~ x1, anscombe)) and so on.
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../lib/stats/random.ts";
import { BlockRegression, regress } from "../../lib/stats/regression.ts";

const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
const x4 = [8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8];
const quartet = [
  { x, y: [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68], r: 0.81642, error: 0.1179 },
  { x, y: [9.14, 8.14, 8.74, 8.77, 9.26, 8.1, 6.13, 3.1, 9.13, 7.26, 4.74], r: 0.81624, error: 0.118 },
  { x, y: [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73], r: 0.81629, error: 0.1179 },
  {
    x: x4,
    y: [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.5, 5.56, 7.91, 6.89],
    r: 0.81652,
    error: 0.1178,
  },
];

quartet.forEach(({ x, y, r, error }, i) => {
  Deno.test(`regress() gives the published fit of Anscombe's data set ${i + 1}`, () => {
    const fit = regress(x, y);
    assertEquals(fit.n, 11);
    assertAlmostEquals(fit.slope, 0.5, 5e-4);
    assertAlmostEquals(fit.intercept, 3, 3e-3);
    assertAlmostEquals(fit.r, r, 5e-6);
    assertAlmostEquals(fit.slopeError, error, 6e-5);
    assertAlmostEquals(fit.r ** 2, 0.667, 1e-3);
  });
});

Deno.test("regress() gives R's digits for the first: 3.0001 (1.1247), 0.5001 (0.1179)", () => {
  const fit = regress(quartet[0].x, quartet[0].y);
  assertAlmostEquals(fit.intercept, 3.0001, 5e-5);
  assertAlmostEquals(fit.interceptError, 1.1247, 5e-5);
  assertAlmostEquals(fit.slope, 0.5001, 5e-5);
});

Deno.test("regress() worked by hand: a falling line with one point off it", () => {
  // Means 1 and 1/6; Sxx = 2, Sxy = −2; so slope −1 and intercept 1/6 + 1.
  const fit = regress([0, 1, 2], [1, 0.5, -1]);
  assertAlmostEquals(fit.slope, -1, 1e-12);
  assertAlmostEquals(fit.intercept, 7 / 6, 1e-12);
  // Residuals −1/6, 1/3, −1/6: sum of squares 1/6, one degree of freedom, so the slope's error is √(1/6 / 2).
  assertAlmostEquals(fit.slopeError, Math.sqrt(1 / 12), 1e-12);
  assertAlmostEquals(fit.interceptError, Math.sqrt(1 / 6 * (1 / 3 + 1 / 2)), 1e-12);
});

Deno.test("regress() of points on a line has no error, and r of its sign", () => {
  const fit = regress([1, 2, 3, 5], [-2, -4, -6, -10]);
  assertAlmostEquals(fit.r, -1, 1e-12);
  assertAlmostEquals(fit.slopeError, 0, 1e-7);
});

Deno.test("regress() refuses what has no line", () => {
  assertThrows(() => regress([1, 1, 1], [1, 2, 3]), Error, "all 3 x are equal");
  assertThrows(() => regress([1, 2], [1, 2]), Error, "at least 3");
  assertThrows(() => regress([1, 2, 3], [1, 2]), Error, "the same number");
});

Deno.test("BlockRegression: over all blocks it is the regression of all points; over a draw, of the drawn ones", () => {
  const random = new Random(5);
  const points = Array.from({ length: 60 }, (_, i) => {
    const x = 3 + random.normal();
    return { x, y: -0.7 * x + 0.2 * random.normal(), block: i % 4 };
  });
  const sums = new BlockRegression(4);
  for (const { x, y, block } of points) sums.add(x, y, block);
  const direct = (part: typeof points) => regress(part.map((p) => p.x), part.map((p) => p.y));
  const drawn = [3, 1, 1, 0];
  for (
    const [got, want] of [
      [sums.at(), direct(points)],
      [sums.at(Int32Array.from(drawn)), direct(drawn.flatMap((b) => points.filter((p) => p.block === b)))],
    ]
  ) {
    for (const field of ["n", "r", "slope", "intercept"] as const) {
      assertAlmostEquals(got[field], want[field], 1e-10);
    }
  }
  const equal = new BlockRegression(1);
  for (const y of [1, 2, 3]) equal.add(7, y, 0);
  assert(Number.isNaN(equal.at().slope) && Number.isNaN(equal.at().r));
});
