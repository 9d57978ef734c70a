import { assert, assertAlmostEquals } from "@std/assert";
import { Random } from "../../lib/stats/random.ts";
import { explained } from "../../lib/stats/variance_shares.ts";

const labels = (n: number, of: (i: number) => number) => Int32Array.from({ length: n }, (_, i) => of(i));

Deno.test("explained(): by hand", () => {
  // Means by label are 2 and 6, the mean 4: 4 · 4 of 4 · 4 + 4 · 1.
  assertAlmostEquals(explained([1, 3, 5, 7], 1, [labels(4, (i) => i >> 1)]), 0.8, 1e-12);
  assertAlmostEquals(explained([1, 3, 5, 7], 1, [labels(4, () => 0)]), 0, 1e-12);
  assertAlmostEquals(explained([1, 3, 5, 7], 1, [labels(4, (i) => i)]), 1, 1e-12);
  assertAlmostEquals(explained([1, 3, 5, 7], 1, []), 0, 1e-12);
  // Two crossed factors explain an additive table wholly: 1 + 10 a + 4 b.
  const crossed = [labels(4, (i) => i >> 1), labels(4, (i) => i & 1)];
  assertAlmostEquals(explained([1, 5, 11, 15], 1, crossed), 1, 1e-12);
  assertAlmostEquals(explained([1, 5, 11, 15], 1, [crossed[0]]), 100 / 116, 1e-12);
  // and not an interaction
  assertAlmostEquals(explained([1, -1, -1, 1], 1, crossed), 0, 1e-12);
});

Deno.test("explained(): planted shares of two unbalanced factors, of vectors", () => {
  const random = new Random(5), n = 4000;
  const a = labels(n, () => random.below(20)),
    b = labels(n, (i) => random.next() < 0.5 ? a[i] : random.below(20));
  const effects = Array.from({ length: 80 }, () => random.normal());
  const y = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    y[2 * i] = 2 * effects[a[i]] + effects[20 + b[i]] + random.normal();
    y[2 * i + 1] = effects[40 + a[i]] + 0.5 * random.normal();
  }
  const both = explained(y, 2, [a, b]), first = explained(y, 2, [a]), second = explained(y, 2, [b]);
  // Correlated labels: alone each explains some of what belongs to the other.
  assert(first + second > both + 0.1 && both > first && both > second, `${first} ${second} ${both}`);
  const noise = 1.25 / ((y.reduce((s, x) => s + x * x, 0)) / n);
  assertAlmostEquals(1 - both, noise, 0.02);
  const shuffled = labels(n, () => random.below(20));
  assertAlmostEquals(explained(y, 2, [a, b, shuffled]) - both, 0, 0.01);
});
