// Against quantiles of the values themselves, of all blocks and of drawn ones.
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { BlockQuantile } from "../../lib/stats/block_quantile.ts";
import { sumOfBlocks } from "../../lib/stats/block_sums.ts";
import { Histograms } from "../../lib/stats/histogram.ts";
import { quantiles } from "../../lib/stats/quantiles.ts";
import { randomNormal, randomSource } from "../reference/random.ts";

Deno.test("BlockQuantile: quantiles of all blocks and of drawn ones are those of their values, within a bin", () => {
  const blocks = Array.from(
    { length: 5 },
    (_, b) => randomNormal(randomSource(b + 1), 400 * (b + 1), 0.2 * b + 0.1),
  );
  const histograms = new Histograms(5);
  blocks.forEach((values, b) => values.forEach((v) => histograms.add(b, v)));
  const quantile = new BlockQuantile(histograms);
  const draw = Int32Array.of(4, 4, 0, 2, 2);
  const joined = (order: Iterable<number>) => Float64Array.from([...order].flatMap((b) => [...blocks[b]]));
  for (const p of [0.01, 0.25, 0.5, 0.75, 0.99]) {
    assertAlmostEquals(quantile.at(p), quantiles(joined([0, 1, 2, 3, 4]), [p])[0], 0.01);
    assertAlmostEquals(quantile.at(p, draw), quantiles(joined(draw), [p])[0], 0.01);
  }
});

Deno.test("BlockQuantile agrees with Histograms.quantile() where there is one block, and is NaN for none", () => {
  const histograms = new Histograms(1);
  for (const v of [-1.3, 0.2, 0.21, 0.7, 12, 50]) histograms.add(0, v);
  const quantile = new BlockQuantile(histograms);
  for (const p of [0.1, 0.5, 0.9, 1]) assertAlmostEquals(quantile.at(p), histograms.quantile(0, p), 1e-12);
  assertEquals(new BlockQuantile(new Histograms(2)).at(0.5), NaN);
});

Deno.test("a draw of another number of blocks is refused: a quantile of it would be the lowest bin's edge", () => {
  const draw = Int32Array.of(0, 1, 1, 3), message = "a bootstrap draw of 4 blocks; expected 1";
  const histograms = new Histograms(1);
  histograms.add(0, 0.5);
  assertThrows(() => new BlockQuantile(histograms).at(0.5, draw), Error, message);
  assertThrows(() => sumOfBlocks(Float64Array.of(1), draw), Error, message);
});
