// A scan finds what is planted, exactly that, and nothing where nothing is. Power over 100 seeds: power.ts
// and tests/README.md.
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { foundWriters, scan } from "../../../lib/experiments/scan/scan.ts";
import { inWords } from "../../../lib/experiments/scan/words.ts";
import { type KindName, KINDS, plantedModel, plantedPrompts } from "./planted/kinds.ts";

const SEEDS = [101, 102];
const WRITER = "L0H2";
const SIMPLE: KindName[] = ["pair", "shared", "mlp", "positional", "none"];
/**
 * The cleaners erase a subspace of 8 of the 63 dims that have no mean: of a vector in any direction, that
 * part.
 */
const OF_ANY = 8 / 63;

for (const kind of SIMPLE) {
  Deno.test(`scan() of planted models, "${kind}": the writer, exactly its cleaners, and the route`, async () => {
    for (const seed of SEEDS) {
      const result = await scan(plantedModel(kind, seed), plantedPrompts(seed));
      const found = foundWriters(result);
      if (kind === "none") {
        assertEquals(found.map((w) => w.writer), [], `seed ${seed}`);
        assertStringIncludes(inWords(result)[0], "No clean-up was found");
        continue;
      }
      assertEquals(found.map((w) => w.writer), [WRITER], `seed ${seed}`);
      // Of the positional kind, the cleaners read the nine tenths of the output that its position makes.
      const erased = kind === "positional" ? 0.9 : 1;
      const [{ cleaners, left, control, routes, shared, attribution }] = found;
      assertEquals(
        cleaners.map((c) => c.node).sort(),
        [...KINDS[kind].truth.cleaners[WRITER]],
        `seed ${seed}`,
      );
      assertAlmostEquals(left.value, 1 - erased, 0.1, `seed ${seed}: left`);
      assertAlmostEquals(control.value, 1 - OF_ANY, 0.05, `seed ${seed}: control`);
      assertAlmostEquals(routes!.values, erased - OF_ANY, 0.1, `seed ${seed}: through values`);
      assertEquals(shared > 0.7, kind === "positional", `seed ${seed}: shared ${shared}`);
      // what the writer seems to say to the logits is taken back, what its rotated output says is not
      assertAlmostEquals(attribution!.takenBack.value, erased, 0.15);
      assertAlmostEquals(attribution!.controlTakenBack.value, OF_ANY, 0.15);
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

Deno.test("scan() is the same again for the same seed, however prompts are batched", async () => {
  const [a, b] = [
    await scan(plantedModel("pair", 104), plantedPrompts(104)),
    await scan(plantedModel("pair", 104), plantedPrompts(104), { batchSize: 5 }),
  ];
  const found = (result: typeof a) =>
    foundWriters(result).map((w) => [w.writer, w.cleaners.map((c) => c.node), w.q]);
  assertEquals(found(a), found(b));
  assertAlmostEquals(a.writers[0].specific.value, b.writers[0].specific.value, 1e-3);
  assert(a.responses.ratios.flat().every(Number.isFinite));
});
