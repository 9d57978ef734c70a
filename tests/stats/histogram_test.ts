// Quantiles of histograms against exact ones, bins against their edges.
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { binOf, BINS, edge, Histograms } from "../../lib/stats/histogram.ts";
import { quantiles } from "../../lib/stats/quantiles.ts";
import { randomNormal, randomSource } from "../reference/random.ts";

Deno.test("binOf() and edge() agree: every value lies between the edges of its bin", () => {
  assertEquals(edge(0), -40);
  assertEquals(edge(BINS), 40);
  for (let bin = 0; bin < BINS; bin++) assert(edge(bin) < edge(bin + 1), `bin ${bin}`);
  const random = randomSource(3);
  for (let i = 0; i < 20_000; i++) {
    const value = (random() - 0.5) * (i % 2 ? 79 : 4.2);
    const bin = binOf(value);
    assert(value >= edge(bin) - 1e-9 && value <= edge(bin + 1) + 1e-9, `${value} in bin ${bin}`);
  }
});

Deno.test("binOf() puts values at edges into the upper bin, -0 with 0, and all beyond ±40 into the outermost", () => {
  assertEquals(edge(binOf(0)), 0);
  assertEquals(binOf(-0), binOf(0));
  assertEquals(binOf(-1e-9), binOf(0) - 1);
  assertAlmostEquals(edge(binOf(-2)), -2, 1e-12);
  assertEquals(edge(binOf(2)), 2);
  assertEquals([binOf(-1e9), binOf(-40.5), binOf(-39.5)], [0, 0, 0]);
  assertEquals([binOf(40), binOf(Infinity)], [BINS - 1, BINS - 1]);
});

Deno.test("quantile() is within a bin of the exact quantile", () => {
  const series = [randomNormal(randomSource(1), 5000, 0.3), randomNormal(randomSource(2), 5000, 8)];
  const histograms = new Histograms(2);
  series.forEach((values, i) => values.forEach((value) => histograms.add(i, value)));
  const at = [0.01, 0.125, 0.25, 0.5, 0.75, 0.875, 0.99];
  series.forEach((values, i) => {
    const exact = quantiles(values, at);
    at.forEach((p, k) => {
      const size = Math.abs(exact[k]), tolerance = size < 2 ? 0.021 : size < 9.9 ? 0.06 : 1.01;
      assertAlmostEquals(histograms.quantile(i, p), exact[k], tolerance, `series ${i}, p ${p}`);
    });
    assertEquals(histograms.total(i), 5000);
    assertEquals(histograms.shareBelowZero(i), values.filter((v) => v < 0).length / 5000);
  });
});

Deno.test("quantile() of one value is that value's bin; of none, NaN", () => {
  const histograms = new Histograms(2);
  histograms.add(0, -0.913);
  assertAlmostEquals(histograms.quantile(0, 0.5), -0.913, 0.02);
  assert(Number.isNaN(histograms.quantile(1, 0.5)));
  assert(Number.isNaN(histograms.shareBelowZero(1)));
});

Deno.test("Histograms go on with counts that were kept, and refuse counts of another size", () => {
  const first = new Histograms(1);
  first.add(0, 0.5);
  const second = new Histograms(1, first.counts.slice());
  second.add(0, 0.5);
  assertEquals(second.total(0), 2);
  assertThrows(() => new Histograms(2, first.counts), Error, `expected ${2 * BINS}`);
});
