import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { quantiles } from "../../lib/stats/quantiles.ts";

Deno.test("quantiles() interpolates as type 7 does, worked by hand", () => {
  // Ten values 1 … 10: the p-quantile lies at index 9p of the sorted values.
  const values = Float64Array.from([7, 1, 10, 3, 5, 2, 8, 4, 9, 6]);
  assertEquals(quantiles(values, [0, 0.5, 1]), [1, 5.5, 10]);
  const [low, high, wideLow, wideHigh] = quantiles(values, [0.25, 0.75, 0.125, 0.875]);
  assertAlmostEquals(low, 3.25, 1e-12);
  assertAlmostEquals(high, 7.75, 1e-12);
  assertAlmostEquals(wideLow, 2.125, 1e-12);
  assertAlmostEquals(wideHigh, 8.875, 1e-12);
});

Deno.test("quantiles() of four values by hand: 0.4 lies at index 1.2, a fifth of the way from 2 to 4", () => {
  assertAlmostEquals(quantiles(Float64Array.of(8, 1, 4, 2), [0.4])[0], 2.4, 1e-12);
});

Deno.test("quantiles() leaves the values as they are, and sorts negative numbers as numbers", () => {
  const values = Float32Array.of(-1, -10, 9, 0);
  assertEquals(quantiles(values, [0, 1]), [-10, 9]);
  assertEquals([...values], [-1, -10, 9, 0]);
});

Deno.test("quantiles() refuses NaN and no values", () => {
  assertThrows(() => quantiles(Float32Array.of(1, NaN), [0.5]), Error, "NaN at index 1 of 2");
  assertThrows(() => quantiles(new Float32Array(0), [0.5]), Error, "got no values");
});
