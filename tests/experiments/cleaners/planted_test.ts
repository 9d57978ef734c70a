// Cleaners of which it is known which neuron or singular direction erases, and whether they suppress what
// is predicted, because it was planted.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { stateDictShapes } from "../../../lib/checkpoints/state_dict.ts";
import { cleanersInDetail } from "../../../lib/experiments/cleaners/cleaners.ts";
import { Model } from "../../../lib/transformer/model.ts";
import { NO_STEPS } from "../../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../../lib/transformer/weights.ts";
import { plantedModel, plantedPrompts } from "../scan/planted/kinds.ts";
import { plant, plantMultiple } from "../scan/planted/nodes.ts";
import { times, World } from "../scan/planted/world.ts";

const SIZE = 3, NEURON = 7;

/** L0H2 writes SIZE times one direction at every position; `clean` makes a later node write its opposite. */
function oneDirection(clean: (world: World) => void): Model {
  const world = new World(5);
  plant(world, "L0H2", [world.course(() => SIZE)], [world.S[0]]);
  clean(world);
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(world.config)) {
    weights.set(name, weight(name, world.arrays.get(name)!, shape));
  }
  return new Model({ name: "one direction", config: world.config, weights, processing: NO_STEPS });
}

Deno.test("a planted neuron: it is named first, has a cosine of −1, and takes all back alone", async () => {
  const model = oneDirection((world) => {
    const sigma = world.sigma(2, SIZE ** 2); // pre = 6 with the writer and 0 without: gelu is exact at both
    world.column("blocks.2.mlp.W_in", world.config.d_mlp!, NEURON, times(2 * sigma, [world.S[0]])[0]);
    world.row("blocks.2.mlp.W_out", NEURON, times(-0.5, [world.S[0]])[0]);
  });
  const { cleaners, neurons } = await cleanersInDetail(model, plantedPrompts(5, 16), {
    writer: "L0H2",
    cleaners: ["MLP2", "MLP3"],
    most: 2,
  });
  const [planted, other] = cleaners;
  assertAlmostEquals(planted.response.value, -1, 0.1);
  assert(planted.specific.interval[0] > 0.6);
  assertEquals([planted.half, planted.weakening, planted.parts], [1, 1, 64]);
  assertAlmostEquals(planted.ofWeakening.response.value, planted.response.value, 0.05);
  assertEquals(neurons[0].neuron, NEURON);
  assertAlmostEquals(neurons[0].cosine, -1, 1e-5);
  assertAlmostEquals(neurons[0].share!, 1, 0.1);
  assert(Math.abs(neurons[1].share!) < 0.1);
  assertEquals(other.half, undefined, "nothing is said of half of an erasure that is not sure");
  assert(Math.abs(other.specific.value) < 0.1);
});

Deno.test("a planted singular direction: the first, of cosine −1, takes all back alone; positions alike", async () => {
  const model = oneDirection((world) =>
    plantMultiple(world, "L2H3", -1, world.sigma(2, SIZE ** 2), [world.S[0]])
  );
  const result = await cleanersInDetail(model, plantedPrompts(5, 16), {
    writer: "L0H2",
    cleaners: ["L2H3"],
    most: 2,
  });
  const [first, second] = result.directions;
  assertEquals(first.direction, 0);
  assertAlmostEquals(first.cosine, -1, 1e-5);
  assertAlmostEquals(first.share!, 1, 0.02);
  assert(Math.abs(second.share!) < 0.01);
  assertEquals(result.cleaners[0].half, 1);
  assertEquals(result.neurons, []);
  assertEquals(result.positions.map(({ from, to }) => [from, to]), [[1, 1], [2, 3], [4, 7], [8, 15]]);
  for (const { response } of result.positions) assertAlmostEquals(response.value, -1, 0.1);
  // What is left is nothing in the stream, and nothing in what it says; of the rotated output nearly all.
  const end = result.lens.filter(({ location }) => location === "resid_post3");
  const [own, control] = [
    end.find(({ run }) => run === "writer")!,
    end.find(({ run }) => run === "control")!,
  ];
  for (const value of [own.stream, own.logits]) assertAlmostEquals(value.value, 0, 0.12);
  assert(own.size.value < 0.5 && control.size.value > 0.8, `${own.size.value} ${control.size.value}`);
  assert(control.stream.value > 0.8 && control.logits.value > 0.8);
});

Deno.test("an eraser of one direction does not oppose what others predict; a head that takes back everything does", async () => {
  const model = plantedModel("contraction and cleaner", 5);
  const { suppression } = await cleanersInDetail(model, plantedPrompts(5, 16), {
    writer: "L0H2",
    cleaners: ["L1H3", "L2H5"],
  });
  const [eraser, suppressor] = suppression;
  assert(Math.abs(eraser.opposed.value) < 0.03, `${eraser.opposed.value}`);
  // Half of 8 of the 31 token axes; that of another text is of other tokens.
  assert(suppressor.beyond.interval[0] > 0.05, `${suppressor.beyond.value}`);
  assert(suppressor.opposed.value > 0.08 && suppressor.opposed.value < 0.25, `${suppressor.opposed.value}`);
});

Deno.test("cleanersInDetail() refuses what it cannot use", async () => {
  const model = plantedModel("pair", 3), prompts = plantedPrompts(3, 8);
  const refused = (options: Parameters<typeof cleanersInDetail>[2], message: string, count = 8) =>
    assertRejects(
      () => cleanersInDetail(model, count === 8 ? prompts : plantedPrompts(3, count), options),
      Error,
      message,
    );
  await refused({}, "has no cleanup.json");
  await refused({ writer: "L2H3", cleaners: ["L0H2"] }, "L0H2 does not come after L2H3");
  await refused({ writer: "L0H2", cleaners: ["L2H9"] }, `no node "L2H9"`);
  await refused({ writer: "L0H2", cleaners: [] }, "at least one");
  await refused({ writer: "L0H2", cleaners: ["L2H3"], rotations: 1 }, "got 1 for rotations");
  await refused({ writer: "L0H2", cleaners: ["L2H3"], mots: 1 } as never, `Did you mean "most"`);
  await refused({ writer: "L0H2", cleaners: ["L2H3"] }, "got 1 prompt; expected at least 2", 1);
});
