// reuse() of models whose truth is planted: what is erased, written again and read is found, and only that.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { reuse, type ReuseResult } from "../../../lib/experiments/reuse/reuse.ts";
import type { SpanName } from "../../../lib/experiments/reuse/rows.ts";
import { halves, reuseInWords } from "../../../lib/experiments/reuse/words.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { embeddedPrompts } from "../../transformer/models.ts";
import { assertRises } from "../progress.ts";
import { plantedPrompts } from "../scan/planted/kinds.ts";
import { reuseModel } from "./planted.ts";

const SEED = 7;
const prompts = plantedPrompts(SEED);
const of = (kind: Parameters<typeof reuseModel>[1]) =>
  reuse(reuseModel(SEED, kind), prompts, { writer: "L0H2", other: "MLP1" });
const occupied = ({ occupancy }: ReuseResult, location: string, span: SpanName = "writer") =>
  occupancy.find((row) => row.location === location && row.span === span)!;
const writing = ({ written }: ReuseResult, node: string, span: SpanName = "writer") =>
  written.find((row) => row.node === node && row.span === span)!;
const reading = ({ read }: ReuseResult, reader: string, span: SpanName = "writer") =>
  read.find((row) => row.reader === reader && row.span === span)!;

Deno.test("reuse() of a planted model: written, erased, not used again", async () => {
  const result = await of({});
  assertEquals([result.cleaners, result.other], [["L2H3"], "MLP1"]);
  const [own, beside] = result.spans;
  assert(own.k <= 8 && own.energy >= 0.9 && own.energy < 1, `${own.k} ${own.energy}`); // S has 8 directions
  assertEquals([beside.span, beside.k, own.chance], ["other", own.k, own.k / 63]);
  // 9 of (73 + …) is what L0H2 adds to the square of the stream's norm: EMBED² + POSITION² = 73.
  assertAlmostEquals(occupied(result, "resid_mid0").own.value, 0.9 * 9 / 82, 0.02);
  assertEquals(occupied(result, "resid_pre0").own.value, 0);
  assert(occupied(result, "resid_post3").own.value < 0.1 * occupied(result, "resid_mid0").own.value);
  // what random directions hold is what chance gives
  assertAlmostEquals(occupied(result, "resid_post3", "random").all.value, own.chance, 0.6 * own.chance);
  assertAlmostEquals(writing(result, "L0H2").all.value, own.energy, 1e-4);
  assert(writing(result, "L2H3").all.value > 0.8 && writing(result, "L2H3").cleaner);
  // the cleaner writes nothing there when the writer's output is missing
  const phases = ["L0H2", "MLP0", "L2H3", "MLP2", "L3H1"].map((node) => writing(result, node).phase);
  assertEquals(phases, ["before", "between", "between", "after", "after"]);
  assertEquals(occupied(result, "resid_mid2").phase, "after");
  assertEquals(halves(result), { content: false, read: false });
  assertStringIncludes(reuseInWords(result).at(-1)!, "is not shown");
});

Deno.test("reuse() of a planted model: a node that writes there again, with other content, is found", async () => {
  const result = await of({ again: "L3H1" });
  assertEquals(result.cleaners, ["L2H3"]);
  const again = writing(result, "L3H1");
  assert(again.rest.value > 0.7 && again.moreRest!.interval[0] > 0.3, `${again.rest.value}`);
  assertAlmostEquals(writing(result, "L3H1", "random").all.value, result.spans[0].chance, 0.1);
  const end = occupied(result, "resid_post3"); // 64 of some 64 + 82, of it what the k directions hold
  assert(end.rest.value > 0.3 && end.rest.value < 0.5 && end.own.value < 0.02, `${end.rest.value}`);
  assertEquals(halves(result).content, true);
  assertStringIncludes(reuseInWords(result).join(" "), "After the last cleaner L3H1 writes more into them");
});

Deno.test("reuse() of a planted model: an unembedding that reads there is found", async () => {
  const result = await of({ again: "L3H1", read: "most" });
  assertEquals(halves(result), { content: true, read: true });
  assertStringIncludes(reuseInWords(result).at(-1)!, "are used again");
  const own = reading(result, "unembed");
  assert(own.rest.value > 0.3, `${own.rest.value}`);
  assert(reading(result, "unembed", "random").all.value < 0.3);
  assert(result.neededMore!.interval[0] > 0);
});

Deno.test("reuse() of a planted model: other content that nobody reads is only half of it", async () => {
  const result = await of({ again: "MLP3", read: "not" });
  assertEquals(halves(result), { content: true, read: false });
  assertStringIncludes(reuseInWords(result).at(-1)!, "that it is read is not shown");
});

Deno.test("reuse() of a planted model that erases nothing says so, and concludes nothing", async () => {
  const result = await of({ erased: false });
  assertEquals(result.cleaners, []);
  assert(occupied(result, "resid_post3").own.value > 0.05);
  const words = reuseInWords(result).join(" ");
  assertStringIncludes(words, "Nobody surely erases it");
  assert(!words.includes("used again"), words);
});

Deno.test('reuse(): "helps" is of the largest λ, in whatever order they are given', async () => {
  const model = await loadModel(), few = await embeddedPrompts(3, 16);
  const given = { writer: "L1H5", cleaners: ["L2H4"], other: "L1H6", rotations: 2 };
  const [rising, falling] = [
    await reuse(model, few, { ...given, lambdas: [0.5, 1] }),
    await reuse(model, few, { ...given, lambdas: [1, 0.5] }),
  ];
  assertAlmostEquals(falling.helps!.value, rising.helps!.value, 1e-6);
  const [own, control] = ["writer", "control"].map((run) =>
    falling.putBack.find((row) => row.run === run && row.lambda === 1)!.loss.value
  );
  assertAlmostEquals(falling.helps!.value, own - control, 1e-9);
});

Deno.test("reuse() tells its progress, from the first run to the end", async () => {
  const model = await loadModel(), few = await embeddedPrompts(3, 16);
  for (const given of [{}, { writer: "L0H3" }, { cleaners: ["L2H4"], other: "L1H6" }]) {
    const told: number[] = [];
    await reuse(model, few, {
      ...given,
      rotations: 2,
      onProgress: ({ done, total }) => told.push(done / total),
    });
    assertRises(told);
  }
});

Deno.test("reuse() refuses what it cannot mean", async () => {
  const model = await loadModel(), few = await embeddedPrompts(3, 16);
  const cases: [Record<string, unknown>, string][] = [
    [{ writer: "L9H0" }, 'no node "L9H0"'],
    [{ other: "L1H5" }, "got L1H5 as the node that is not erased"],
    [{ cleaners: ["L0H0"] }, "L0H0 does not read L1H5, so it is no cleaner of it"],
    [{ cleaners: ["L2H0", "L2H0"] }, "each once"],
    [{ energy: 0 }, "got 0 for energy; expected a number in 0.01 … 1"],
    [{ rotations: 1 }, "got 1 for rotations; expected a whole number of at least 2"],
    [{ lambdas: ["1"] }, 'got "1" for lambdas'],
    [{ lambdas: [] }, "got [] for lambdas"],
    [{ rotation: 3 }, 'there is no option "rotation". Did you mean "rotations"?'],
  ];
  for (const [options, message] of cases) {
    await assertRejects(() => reuse(model, few, options), Error, message);
  }
  const { kinds: _, ...rest } = few;
  const single = { ...rest, count: 1, tokens: few.tokens.subarray(0, 16) };
  await assertRejects(() => reuse(model, single), Error, "got 1 prompts of 16 tokens");
});
