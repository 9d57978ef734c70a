// A scan finds what is planted, exactly that, and nothing where nothing is. Power over 100 seeds: power.ts and tests/README.md.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { foundWriters, scan } from "../../../lib/experiments/scan/scan.ts";
import { inWords } from "../../../lib/experiments/scan/words.ts";
import { type KindName, KINDS, plantedModel, plantedPrompts } from "./planted/kinds.ts";

const SEEDS = [101, 102];
const WRITER = "L0H2";
const WHAT_THIS_SCAN_FINDS: KindName[] = ["pair", "shared", "mlp", "positional", "none"];

for (const kind of WHAT_THIS_SCAN_FINDS) {
  Deno.test(`scan() of planted models, "${kind}": the writer, exactly its cleaners, and whether it is causal`, async () => {
    for (const seed of SEEDS) {
      const result = await scan(plantedModel(kind, seed), plantedPrompts(seed));
      const found = foundWriters(result);
      if (kind === "none") {
        assertEquals(found, [], `seed ${seed}`);
        assertStringIncludes(inWords(result)[0], "No clean-up was found");
        continue;
      }
      assertEquals(found.map((w) => w.candidate.name), [WRITER], `seed ${seed}`);
      const [{ verdict, causal, consequence, candidate }] = found;
      assertEquals(
        verdict.cleaners.map((c) => c.node).sort(),
        [...KINDS[kind].truth.cleaners[WRITER]],
        `seed ${seed}`,
      );
      const positional = kind === "positional";
      assertEquals(verdict.sharedAcrossPrompts > 0.5, positional, `seed ${seed}: shared`);
      assertEquals(inWords(result)[0].includes("the same across prompts"), positional);
      // The cleaners write the opposite of all (or, of the positional kind, of 9/10) that the writer wrote.
      assertAlmostEquals(verdict.groupRatio, positional ? -0.9 : -1, 0.06, `seed ${seed}: group`);
      assertAlmostEquals(candidate.present, 1, 0.1);
      // And all of it because they read the writer: it vanishes when the writer is taken out of their input.
      assertAlmostEquals(causal!.patched.frozen.undone, 1, 0.06, `seed ${seed}: frozen`);
      assertAlmostEquals(causal!.patched.direction.undone, 1, 0.06, `seed ${seed}: direction`);
      assertAlmostEquals(
        causal!.patched.control.undone,
        0,
        positional ? 0.35 : 0.15,
        `seed ${seed}: control`,
      );
      for (const [node, share] of Object.entries(causal!.causalShare)) {
        assertAlmostEquals(share, 1, 0.06, `seed ${seed}: κ of ${node}`);
      }
      if (kind === "mlp") assertEquals(consequence, undefined);
      else if (!positional) { // what the writer seems to say to the logits is taken back
        assertAlmostEquals(consequence!.composition.slope, -1, 0.06);
        assertAlmostEquals(consequence!.composition.r, -1, 0.02);
        assert(consequence!.meanAbsoluteCorrected < 0.1 * consequence!.meanAbsolute);
      }
    }
  });
}

Deno.test("scan() with shuffled weights: what was planted is gone, and the words say so", async () => {
  const result = await scan(plantedModel("pair", 103), plantedPrompts(103), {
    settings: { untrainedPrompts: 32 },
  });
  assertEquals(foundWriters(result).length, 1);
  assertEquals(result.untrained!.prompts, 32);
  assertEquals(result.untrained!.found, []);
  assertStringIncludes(inWords(result).at(-1)!, "found no writer");
});

Deno.test("scan() is the same again for the same seed", async () => {
  const [a, b] = [
    await scan(plantedModel("pair", 104), plantedPrompts(104)),
    await scan(plantedModel("pair", 104), plantedPrompts(104), { batchSize: 5 }),
  ];
  assertEquals(
    foundWriters(a).map((w) => w.verdict.cleaners.map((c) => [c.node, c.q])),
    foundWriters(b).map((w) => w.verdict.cleaners.map((c) => [c.node, c.q])),
  );
  assertAlmostEquals(a.writers[0].verdict.groupRatio, b.writers[0].verdict.groupRatio, 1e-5);
});
