// role() of models whose truth is planted, its classes of tokens, and what it refuses.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { jackknife } from "../../../lib/experiments/role/variance.ts";
import { role, type RoleResult } from "../../../lib/experiments/role/role.ts";
import { binsOf } from "../../../lib/experiments/role/attention.ts";
import { classOf } from "../../../lib/experiments/role/without.ts";
import { roleInWords } from "../../../lib/experiments/role/words.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { embeddedPrompts } from "../../transformer/models.ts";
import { assertRises } from "../progress.ts";
import { modelOf, plantedPrompts } from "../scan/planted/kinds.ts";
import { plant, plantMultiple } from "../scan/planted/nodes.ts";
import { World } from "../scan/planted/world.ts";

const SEED = 11;
const prompts = plantedPrompts(SEED);
const variance = ({ variance }: RoleResult, factor: string) => variance.find((row) => row.factor === factor)!;
const edge = ({ edges }: RoleResult, reader: string, input: string) =>
  edges.find((row) => row.reader === reader && row.input === input)!;

Deno.test("role() of a planted head that writes by the token to itself, and is read by one head's values", async () => {
  const world = new World(SEED);
  plant(world, "L0H2", world.fromToken(3), world.S);
  plantMultiple(world, "L2H3", -1, world.sigma(2, 9));
  const result = await role(modelOf(world), prompts, {
    writer: "L0H2",
    edgePrompts: 6,
    bins: 3,
    rotations: 3,
  });
  const own = result.attention.filter(({ target }) => target === "own");
  assertEquals(own.length, 3);
  for (const { weight } of own) assert(weight.value > 0.9, `${weight.value}`);
  const token = variance(result, "token");
  assert(token.last.value > 0.75 && token.last.interval[0] > token.shuffledLast + 0.5, `${token.last.value}`);
  for (const factor of ["position", "previous", "prompt"]) {
    const { last, shuffledLast } = variance(result, factor);
    assertAlmostEquals(last.value, shuffledLast, 0.03, factor);
  }
  // The only planted reader is L2H3 by its values; its pattern does not read S.
  assert(!("pattern" in edge(result, "L2H3", "V")));
  const rows = result.edges.filter(({ input }) => input === "V");
  const [most] = [...rows].sort((a, b) => Math.abs(b.loss.value) - Math.abs(a.loss.value));
  assertEquals(most.reader, "L2H3");
  assertStringIncludes(roleInWords(result).join(" "), "So it is mostly about the token.");
});

Deno.test("role() of a planted head that writes by the position", async () => {
  const world = new World(SEED);
  plant(world, "L0H2", world.fromPosition(3), world.S);
  const result = await role(modelOf(world), prompts, { writer: "L0H2", edgePrompts: 0, rotations: 3 });
  const position = variance(result, "position");
  assert(position.last.value > 0.75, `${position.last.value}`);
  assert(variance(result, "all").last.value <= 1 + 1e-9);
  assertEquals(result.edges, []);
  assertEquals(result.assumptions.edges, "not measured");
  assertStringIncludes(roleInWords(result).join(" "), "So it is mostly about position.");
  // no tokenizer, so no classes of tokens
  assert(result.without.every(({ by }) => by !== "class"));
});

Deno.test("role(): a rotated output has another list of tokens, and an MLP attends to nothing", async () => {
  const model = await loadModel();
  const result = await role(model, await embeddedPrompts(3, 24), {
    writer: "MLP1",
    edgePrompts: 2,
    most: 3,
    rotations: 2,
  });
  assertEquals([result.attention, result.chance.length, result.vocabulary.length], [[], 2, 6]);
  assert(result.chance[0].largest !== result.chance[1].largest);
  const ranks = result.vocabulary.map(({ rank }) => rank);
  assertEquals(ranks, [1, 2, 3, 4094, 4095, 4096]);
  // heads of layers 2 and 3 by three inputs each, and their MLPs
  assertEquals(result.edges.length, 2 * (8 * 3 + 1));
  assertStringIncludes(result.assumptions.edges, "its norm's scale frozen; 2 rotations");
});

Deno.test("role() tells its progress, from the first run to the end, also without edges", async () => {
  const model = await loadModel(), few = await embeddedPrompts(3, 16);
  for (const edgePrompts of [0, 2]) {
    const told: number[] = [];
    await role(model, few, {
      edgePrompts,
      rotations: 2,
      onProgress: ({ done, total }) => told.push(done / total),
    });
    assertRises(told);
  }
});

Deno.test("classOf() and binsOf()", () => {
  const texts = [" \n", " 2", "7", " the", "ing", " {", ");", "é", ""];
  assertEquals(texts.map(classOf), [
    "white space",
    "digit",
    "digit",
    "beginning of a word",
    "part of a word",
    "symbols",
    "symbols",
    "part of a word",
    "symbols",
  ]);
  assertEquals(binsOf(255, 4), [[1, 64], [65, 128], [129, 191], [192, 255]]);
  assertEquals(binsOf(2, 8), [[1, 1], [2, 2]]);
  for (const [last, count] of [[7, 3], [46, 4], [254, 8]]) {
    const bins = binsOf(last, count);
    assertEquals([bins[0][0], bins.at(-1)![1]], [1, last]);
    bins.slice(1).forEach(([from], i) => assertEquals(from, bins[i][1] + 1));
  }
});

Deno.test("role() refuses what it cannot mean", async () => {
  const model = await loadModel(), few = await embeddedPrompts(3, 16);
  const cases: [Record<string, unknown>, string][] = [
    [{ writer: "L9H0" }, 'no node "L9H0"'],
    [{ most: 0 }, "got 0 for most; expected a whole number of at least 1"],
    [{ bins: 1.5 }, "got 1.5 for bins"],
    [{ rotations: 1 }, "got 1 for rotations; expected a whole number of at least 2"],
    [{ edgePrompts: -1 }, "got -1 for edgePrompts"],
    [{ edges: 4 }, 'there is no option "edges"'],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => role(model, few, options), Error, message);
  }
  const { kinds: _, ...rest } = few;
  const single = { ...rest, count: 1, tokens: few.tokens.subarray(0, 16) };
  await assertRejects(() => role(model, single), Error, "got 1 prompts of 16 tokens");
});

Deno.test("jackknife(): by hand, and no share below 0 or above 1", () => {
  // Without one of four groups: mean 0.5, Σ (x − mean)² = 0.001, so the error is √(3 / 4 · 0.001).
  const { value, interval: [low, high] } = jackknife(0.5, [0.49, 0.51, 0.48, 0.52]);
  const error = Math.sqrt(0.75 * 0.001);
  assertEquals(value, 0.5);
  assertAlmostEquals(low, 0.5 - 1.96 * error, 1e-12);
  assertAlmostEquals(high, 0.5 + 1.96 * error, 1e-12);
  assertEquals(jackknife(0.6, [0.1, 0.9, 0.3, 0.7]).interval, [0, 1]);
});
