// The sum check is an error where it fails; and shares as slopes through 0.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { checkAttribution } from "../../../lib/experiments/attribution/check_attribution.ts";
import { Credits } from "../../../lib/experiments/attribution/credits.ts";
import { checkSum } from "../../../lib/experiments/attribution/sum_check.ts";
import { createSession } from "../../../lib/tensor/session.ts";
import { letterModel } from "../plain_values.ts";

Deno.test("checkSum() takes rounding, and nothing more, and no NaN", () => {
  assertAlmostEquals(checkSum([1, 2, -0.5], 2.5005, "here"), 5e-4, 1e-12);
  assertAlmostEquals(checkSum([1000, -990], 10.1, "here"), 0.1, 1e-9); // 2e3 of terms: 0.2 may be rounding
  assertThrows(
    () => checkSum([1, 2, -0.5], 2.6, "prompt 3, position 4"),
    Error,
    "prompt 3, position 4: DLA of all nodes and biases adds up to 2.50000; expected the logit difference, 2.60000",
  );
  assertThrows(() => checkSum([1, NaN], 1, "here"), Error, "adds up to NaN");
  assertThrows(() => checkSum([1], NaN, "here"), Error, "expected the logit difference, NaN");
});

Deno.test("checkAttribution() ends with an error where the runtime's numbers do not add up", async () => {
  const model = letterModel(5);
  const options = { rotations: 0, samples: 0, nodes: ["MLP0"] };
  await checkAttribution(model, "cab", options); // as it is, they do
  const wrong: typeof createSession = async (...args) => {
    const session = await createSession(...args);
    return {
      ...session,
      async run(fed) {
        const made = await session.run(fed);
        // The logit difference alone is one number here; it gets another value.
        for (const [name, data] of made) {
          if (data.length === 1) made.set(name, data.map((x: number) => x + 0.5) as typeof data);
        }
        return made;
      },
    };
  };
  await assertRejects(
    () => checkAttribution(model, "cab", { ...options, createSession: wrong }),
    Error,
    "expected the logit difference",
  );
});

Deno.test("Credits: shares are slopes through 0, drawn by blocks, and joined by adding", () => {
  const credits = new Credits(1, 2);
  credits.add(0, 2, [-1]);
  credits.add(1, -1, [1]);
  credits.add(2, 0, [5]); // a token without DLA has no say
  assertEquals([credits.tokens, credits.square], [3, 5]);
  assertAlmostEquals(credits.share(0), -3 / 5, 1e-12);
  assertAlmostEquals(credits.share(0, Int32Array.of(0, 0)), -1 / 2, 1e-12);
  assertAlmostEquals(credits.dla, Math.sqrt(5 / 3), 1e-12);
  assertAlmostEquals(credits.logits(0), -3 / 5 * Math.sqrt(5 / 3), 1e-12);
  // around the slope: Σ (y + 0.6 x)² = 0.04 + 0.16 + 25, over 2
  assertAlmostEquals(credits.spread(0), Math.sqrt(25.2 / 2), 1e-12);
  const one = new Credits(1, 2);
  one.add(0, 3, [1]);
  const sum = Credits.joined([credits, one]);
  assertEquals(sum.tokens, 4);
  assertAlmostEquals(sum.share(0), 0 / 14, 1e-12);
  assertAlmostEquals(sum.mean(0), 6 / 4, 1e-12);
});

Deno.test("Credits of a single token keep sign and amount, also where the DLA is 0", () => {
  const one = new Credits(1, 1);
  one.add(0, -2, [1.5]);
  assertEquals([one.dla, one.share(0), one.logits(0)], [-2, -0.75, 1.5]);
  const none = new Credits(1, 1);
  none.add(0, 0, [0.3]);
  assertAlmostEquals(none.logits(0), 0.3, 1e-12);
  assert(Number.isNaN(none.share(0)) || !Number.isFinite(none.share(0)));
});
