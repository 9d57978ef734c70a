// The interval of a control's mean against what it is for: to hold the mean over all draws that could have
// been made.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ControlDraws, studentT } from "../../lib/stats/control_draws.ts";
import { bootstrapDraws, bootstrapInterval } from "../../lib/stats/significance.ts";
import { randomNormal, randomSource } from "../reference/random.ts";

Deno.test("studentT() gives the printed table's quantiles", () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, column 0.975.
  const table: [number, number][] = [[1, 12.706], [2, 4.303], [10, 2.228], [11, 2.201], [15, 2.131], [
    30,
    2.042,
  ], [100, 1.984]];
  for (const [degrees, t] of table) assertAlmostEquals(studentT(degrees), t, 0.001, `${degrees} degrees`);
});

Deno.test("ControlDraws: the mean of all without a bootstrap draw; one draw stays as it is", () => {
  const draws = bootstrapDraws(4, 50, 1);
  const three = new ControlDraws([1, 2, 6], draws, 2);
  assertEquals(three.mean((x) => x), 3);
  const one = new ControlDraws([5], draws, 2);
  for (const draw of draws) assertEquals(one.mean((x) => x, draw), 5);
});

Deno.test("ControlDraws: intervals of 2 to 16 draws hold the true mean about as often as they say; a plain bootstrap's do not", () => {
  const prompts = bootstrapDraws(8, 400, 3);
  const coverage = (n: number, plain: boolean) => {
    const times = 400;
    let held = 0;
    for (let i = 0; i < times; i++) {
      const values = [...randomNormal(randomSource(1000 * n + i), n, 1)]; // true mean 0
      const control = new ControlDraws(values, prompts, i + 1);
      const [low, high] = bootstrapInterval(
        (draw) =>
          plain
            ? draw.slice(0, n).reduce((sum, b) => sum + values[b % n], 0) / n
            : control.mean((x) => x, draw),
        prompts,
      );
      if (low <= 0 && high >= 0) held++;
    }
    return held / times;
  };
  for (const n of [2, 3, 4, 8]) {
    const held = coverage(n, false);
    // 400 repetitions of 95 %: 0.929 … 0.971. With two draws a bootstrap knows three means only, hence the
    // wider bound.
    assert(held > 0.92 && held < 0.995, `${n} draws: ${held}`);
  }
  assert(coverage(3, true) < 0.85, `three draws, plain: ${coverage(3, true)}`);
});
