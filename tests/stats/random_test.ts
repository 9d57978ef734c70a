import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Random } from "../../lib/stats/random.ts";

Deno.test("Random.next() is uniform in [0, 1), and the same for the same seed", () => {
  const [a, b] = [new Random(5), new Random(5)];
  const counts = new Array(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const x = a.next();
    assertEquals(x, b.next());
    assert(x >= 0 && x < 1);
    counts[Math.floor(10 * x)]++;
  }
  // χ² of ten bins with 2000 expected each; 27.9 is the 0.1 % point for 9 degrees of freedom
  const chi = counts.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
  assert(chi < 27.9, `χ² ${chi}`);
});

Deno.test("Random.normal() has mean 0, variance 1 and a normal's tails", () => {
  const random = new Random(6);
  const x = Array.from({ length: 20_000 }, () => random.normal());
  const mean = (f: (v: number) => number) => x.reduce((sum, v) => sum + f(v), 0) / x.length;
  assertAlmostEquals(mean((v) => v), 0, 0.025);
  assertAlmostEquals(mean((v) => v * v), 1, 0.04);
  assertAlmostEquals(mean((v) => Math.abs(v) > 1.959964 ? 1 : 0), 0.05, 0.006);
});

Deno.test("Random.permutation() holds every number once; each place sees each number", () => {
  const random = new Random(7);
  const first = new Array(5).fill(0);
  for (let i = 0; i < 2000; i++) {
    const order = random.permutation(5);
    assertEquals([...order].sort(), [0, 1, 2, 3, 4]);
    first[order[0]]++;
  }
  assert(first.every((n) => n > 330 && n < 470), `${first}`); // 400 ± 18
  assertEquals(random.permutation(0).length, 0);
});
