// What retention() returns: by definition, by its options, and what it refuses. The numbers of one run
// against PyTorch stand in tests/reference; the lazy metrics against plain loops in tests/metrics.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { retention } from "../../lib/experiments/retention/retention.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { embeddedPrompts } from "../transformer/models.ts";

const model = await loadModel();
const prompts = await embeddedPrompts(6, 64);
const writer = model.cleanup.writer;
const end = <T extends { run: string }>(rows: T[], run = "writer") =>
  rows.filter((r) => r.run === run).at(-1)!;

Deno.test("retention(): 1 at the first location, and the ratio at the end is 1 plus that of all responses", async () => {
  const { rows, responses, writers, first } = await retention(model, prompts, { rotations: 2 });
  for (const run of ["writer", "control"]) {
    const own = rows.filter((r) => r.run === run);
    assertEquals([own[0].median, own[0].low, own[0].high, own[0].ratio], [1, 1, 1, 1]);
    const sum = responses.filter((r) => r.run === run).reduce((s, { ratio }) => s + ratio, 1);
    assertAlmostEquals(own.at(-1)!.ratio, sum, 1e-9);
  }
  assertEquals(end(rows).n, 6 * 63);
  assertEquals(end(rows, "control").n, 2 * 6 * 63);
  const [row] = writers;
  assertEquals([row.writer, row.draws.length, first[0].n], [writer, 2, 1]);
  assertAlmostEquals(row.left.value, end(rows).median, 0.006);
  assertAlmostEquals(row.control!.value, (row.draws[0] + row.draws[1]) / 2, 1e-9);
  assertAlmostEquals(row.specific!.value, row.control!.value - row.left.value, 1e-9);
  for (const { value, interval: [low, high] } of [row.left, row.control!, row.specific!]) {
    assert(low <= value && value <= high && low < high, `${low} ${value} ${high}`);
  }
});

Deno.test("retention(): the same seed gives the same rows, another one other rotations", async () => {
  const [a, b, c] = await Promise.all(
    [1, 1, 9].map((seed) => retention(model, prompts, { seed, rotations: 1 })),
  );
  assertEquals(a.rows, b.rows);
  assertEquals(end(a.rows).ratio, end(c.rows).ratio);
  assert(Math.abs(end(a.rows, "control").ratio - end(c.rows, "control").ratio) > 1e-3);
});

Deno.test("retention(): however prompts are batched, the rows are the same", async () => {
  const [a, b] = await Promise.all(
    [1, 4].map((batchSize) => retention(model, prompts, { batchSize, rotations: 1 })),
  );
  a.rows.forEach((row, i) => assertAlmostEquals(row.median, b.rows[i].median, 1e-3));
});

Deno.test("retention(): small parts of the output all tell the same: what is left of the whole differs from that", async () => {
  const [whole, part, half] = await Promise.all(
    [1, 0.04, 0.02].map((strength) => retention(model, prompts, { strength, rotations: 0 })),
  );
  assertAlmostEquals(half.writers[0].left.value, part.writers[0].left.value, 0.01);
  assertAlmostEquals(part.writers[0].share, whole.writers[0].share / 25, 1e-6);
  assertEquals(whole.writers[0].control, undefined);
});

Deno.test("retention(): positions: all but the first, the first alone, all", async () => {
  const counts = await Promise.all((["rest", "first", "all"] as const).map(async (positions) => {
    const { rows, first } = await retention(model, prompts, { positions, rotations: 0 });
    return [end(rows).n, first.length];
  }));
  assertEquals(counts, [[6 * 63, 1], [6, 0], [6 * 64, 0]]);
});

Deno.test("retention(): what is the same at all tokens can be left in, or another prompt's put in its place", async () => {
  const lefts = [];
  for (const remove of ["all", "varying", "resampled"] as const) {
    const { writers: [row], assumptions } = await retention(model, prompts, { remove, rotations: 1 });
    lefts.push(row.left.value);
    assert(assumptions.removed.includes(remove === "all" ? "writer's output" : remove));
  }
  assertEquals(new Set(lefts).size, 3);
});

Deno.test("retention(): a second control is another node's output at the writer's length", async () => {
  const { writers: [row], assumptions } = await retention(model, prompts, {
    rotations: 1,
    otherNode: "MLP1",
  });
  assertEquals(row.draws.length, 2);
  assert(assumptions.control.includes("MLP1 at the writer's length"), assumptions.control);
});

Deno.test("retention(): several writers in shared runs are what each is alone", async () => {
  const both = await retention(model, prompts, { writer: ["L0H0", "MLP1"], rotations: 1 });
  const alone = await retention(model, prompts, { writer: "MLP1", rotations: 1 });
  const own = both.rows.filter((r) => r.writer === "MLP1");
  own.forEach((row, i) => assertAlmostEquals(row.ratio, alone.rows[i].ratio, 1e-5));
});

Deno.test("retention() refuses what it cannot mean", async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ wrtier: "L0H0" }, 'there is no option "wrtier". Did you mean "writer"?'],
    [{ writer: "L9H0" }, 'no node "L9H0"'],
    [{ writer: [] }, "got [] for writer; expected a list of names, at least one, each once"],
    [{ writer: 3 }, "got 3 for writer; expected a list of names"],
    [{ writer: ["L0H0", "L0H0"] }, "each once"],
    [{ strength: 0 }, "got 0 for strength; expected a number in 0.001 … 10"],
    [{ strength: "1" }, 'got "1" for strength; expected a number in 0.001 … 10'],
    [{ strength: 1e-10 }, "got 1e-10 for strength"], // lost in the rounding of the stream
    [{ strength: Infinity }, "got Infinity for strength"],
    [{ seed: 2 ** 60 }, "got 1152921504606847000 for seed"], // one more would be the same number
    [{ otherNode: 5 }, "got [5] for otherNode; expected a list of names"],
    [{ onProgress: 5 }, "got 5 for onProgress; expected a function"],
    [{ quantiles: 5 }, "quantiles: got 5; expected two"],
    [{ quantiles: [0.1, 0.5, 0.9] }, "quantiles: got [0.1,0.5,0.9]; expected two"],
    [{ remove: "varying", positions: "first" }, "is zero at every token that counts"], // but for rounding
    [{ rotations: 1.5 }, "got 1.5 for rotations; expected a whole number of at least 0"],
    [{ patchedLayers: [1, 1] }, "patchedLayers: got [1,1]; expected a list of layers, each once"],
    // All prompts begin with BOS: at position 0 every prompt's output is the same.
    [{ remove: "resampled", positions: "first" }, "is zero at every token that counts"],
    [{ otherNode: "L9H0" }, 'no node "L9H0"'],
    [{ writer: "L0H0", otherNode: "L0H0" }, "L0H0 is its own otherNode; expected another node"],
    [{ seed: 1.5 }, "got 1.5 for seed; expected a whole number"],
    [
      { route: "vlaues" },
      'there is no route "vlaues"; there are all, patterns, values, position. Did you mean "values"?',
    ],
    [{ remove: "everything" }, 'there is no remove "everything"'],
    [{ positions: [1, 20] }, "there is no positions"],
    [{ quantiles: [0.6, 0.9] }, "quantiles: got [0.6,0.9]"],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => retention(model, prompts, options), Error, message);
  }
  for (const options of [null, 42, ["L0H0"]] as never[]) {
    await assertRejects(() => retention(model, prompts, options), Error, "as options; expected an object");
  }
  const { kinds: _, ...unsorted } = prompts;
  const single = { ...unsorted, count: 1, tokens: prompts.tokens.subarray(0, prompts.length) };
  await assertRejects(() => retention(model, single), Error, "got 1 prompt; expected at least 2");
  await assertRejects(
    () => retention(model, { ...prompts, length: 1, count: 384 }),
    Error,
    "expected at least 2",
  );
});

Deno.test("retention(): its cleaners follow the rule from its own responses", async () => {
  const { responses, cleaners } = await retention(model, prompts, { rotations: 3 });
  const of = (node: string, run: string) => responses.find((r) => r.node === node && r.run === run)!.ratio;
  assert(cleaners.length > 0);
  for (const { node, response, specific } of cleaners) {
    assertEquals(response, of(node, "writer"));
    assert(response <= -0.02 && specific.interval[0] > 0, node);
    // The draws have equal denominators up to rounding: a rotated vector is as long.
    assertAlmostEquals(specific.value, of(node, "control") - response, 1e-5);
  }
  assertEquals((await retention(model, prompts, { rotations: 0 })).cleaners, []);
});
