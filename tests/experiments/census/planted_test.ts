// A census of models of which the truth is known, because it was planted.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { census } from "../../../lib/experiments/census/census.ts";
import { selfRepair } from "../../../lib/experiments/census/self_repair.ts";
import { foundWriters } from "../../../lib/experiments/scan/scan.ts";
import { modelOf, plantedModel, plantedPrompts } from "../scan/planted/kinds.ts";
import { plant } from "../scan/planted/nodes.ts";
import { controlOf } from "../scan/planted/truth.ts";
import { LENGTH, times, VOCABULARY, World } from "../scan/planted/world.ts";

Deno.test("census(): a planted pair: its DLA is taken back, its exchange is made up for, and by heads", async () => {
  const result = await census(plantedModel("pair", 3), plantedPrompts(3), {
    early: 3,
    repair: 24,
    settings: { examine: 2, rotations: 2 },
  });
  assertEquals(foundWriters(result).map(({ writer }) => writer), ["L0H2"]);
  const early = result.early.find(({ node }) => node === "L0H2")!;
  assertEquals(result.early[0].node, "L0H2", "it has the largest DLA of the early heads");
  assertAlmostEquals(early.takenBack.value, 1, 0.1);
  assertAlmostEquals(early.control.value, 1 - controlOf(1), 0.25); // two draws of a rotation
  assert(early.beyond.interval[0] > 0.3);
  assert(early.effect.value < 0.25);
  const repair = result.selfRepair.find(({ node }) => node === "L0H2")!;
  assertAlmostEquals(repair.share.heads, 1, 0.15);
  assertAlmostEquals(
    repair.share.heads + repair.share.mlps + repair.share.norm,
    repair.share.total.value,
    1e-6,
  );
  assert(repair.beyond.interval[0] > 0.3);
  // The last layer's MLP has no later node: the final norm alone answers.
  const last = result.selfRepair.find(({ node }) => node === "MLP3")!;
  assertEquals([last.share.heads, last.share.mlps].map(Math.abs), [0, 0]);
});

Deno.test("census(): a layer that writes the opposite of half of everything has a cosine of −1, and contracts any vector to a half", async () => {
  const result = await census(plantedModel("contraction", 3), plantedPrompts(3), {
    early: 1,
    repair: 1,
    settings: { examine: 1, rotations: 2 },
  });
  const attention = result.cosines.find(({ sublayer, layer }) => sublayer === "attn" && layer === 2)!;
  assert(attention.cosine.value < -0.9, `${attention.cosine.value}`);
  assert(attention.beyond.interval[1] < -0.1, "another prompt shares positions with it, and no tokens");
  const others = result.cosines.filter((row) => row !== attention);
  others.forEach(({ cosine }) => assert(Math.abs(cosine.value) < 0.5));
  for (const { layer, kind, random, own } of result.contraction) {
    for (const { value, interval: [low, high] } of [random, own]) {
      assert(low <= value && value <= high && high - low < 0.5, `${kind} ${layer}: ${low} ${value} ${high}`);
    }
    const before = layer < 2;
    if (kind === "embed") continue; // nearly all of the stream: without it the norms divide by another number
    assertAlmostEquals(random.value, before ? 0.5 : 1, 0.1, `${kind} ${layer}`);
  }
  assertEquals(foundWriters(result), []);
});

Deno.test("census(): the same again for the same seed, however prompts are batched", async () => {
  const model = plantedModel("pair 0.5", 4), prompts = plantedPrompts(4, 16);
  const few = { early: 1, repair: 1, settings: { examine: 1, rotations: 2 } };
  const steps: string[] = [];
  const onPass = (name: string) => void steps.push(name);
  const once = await census(model, prompts, few);
  assertEquals(await census(model, prompts, { ...few, batchSize: 3, onPass }), once);
  assertEquals(steps.length, 6);
});

Deno.test("selfRepair() chooses nodes by the positions that have a next token: one that writes at the last alone is none", async () => {
  const world = new World(3), W_U = world.arrays.get("unembed.W_U")!;
  const tokenZero = Float64Array.from({ length: world.config.d_model }, (_, i) => W_U[i * VOCABULARY]);
  plant(world, "L0H2", times(20, [world.positions[LENGTH - 1]]), [tokenZero]);
  plant(world, "L0H5", world.fromToken(3), world.S);
  const [first] = await selfRepair(modelOf(world), plantedPrompts(3), { seed: 1, rotations: 2, most: 1 });
  assertEquals(first.node, "L0H5");
  await assertRejects(
    () =>
      selfRepair(modelOf(world), { ...plantedPrompts(3), tokens: new Int32Array(8), count: 4, length: 2 }, {
        seed: 1,
        rotations: 2,
        most: 1,
      }),
    Error,
    "self-repair: got prompts of 2 tokens",
  );
});

Deno.test("census() refuses what it cannot use", async () => {
  const model = plantedModel("pair", 3), prompts = plantedPrompts(3);
  await assertRejects(
    () => census(model, prompts, { early: 0 }),
    Error,
    "got 0 for early; expected a whole number",
  );
  await assertRejects(
    () => census(model, prompts, { repare: 2 } as never),
    Error,
    `no option "repare". Did you mean "repair"`,
  );
  await assertRejects(() => census(model, plantedPrompts(3, 4)), Error, "got 4 prompts");
});
