// What findAdversarialPrompts promises of the prompts that it returns, on the embedded model and held-out
// text.
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { shorten } from "../../lib/checkpoints/mod.ts";
import { resampledAttribution } from "../../lib/experiments/adversarial.ts";
import { findAdversarialPrompts } from "../../lib/experiments/find_adversarial.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";

const model = await loadModel("tiny-gelu-4l");
const prompts = shorten(await promptsFor(model), { count: 60 });
const lengths = [8, 11];
const found = await findAdversarialPrompts(model, prompts, { count: 3, lengths });
const { rows } = await resampledAttribution(model, found, prompts);
const writers = rows.filter(({ panel }) => panel === "a");

Deno.test("findAdversarialPrompts() returns as many as were asked for, each of an allowed length, none twice", () => {
  assertEquals(found.length, 3);
  assertEquals(new Set(found.map(({ text }) => text)).size, 3);
  for (const { text } of found) {
    assert(lengths.includes(model.prompts([text]).length), text);
    assertEquals(text, text.trim());
  }
});

Deno.test("findAdversarialPrompts() takes its texts from the prompts", () => {
  const all = Array.from(
    { length: prompts.count },
    (_, row) =>
      model.tokenizer!.decode([...prompts.tokens.subarray(row * prompts.length, (row + 1) * prompts.length)]),
  );
  for (const { text } of found) assert(all.some((whole) => whole.includes(text)), text);
});

Deno.test("findAdversarialPrompts() returns prompts whose resampled median lies within a tenth of the clean DLA", () => {
  for (const { clean, median } of writers) {
    assertGreater(clean, 0);
    assertLess(Math.abs(median - clean), 0.1 * clean + 1e-6);
  }
});

Deno.test("findAdversarialPrompts() puts the largest DLA first", () => {
  const dla = writers.map(({ clean }) => clean);
  assertEquals(dla, [...dla].sort((a, b) => b - a));
});

Deno.test("findAdversarialPrompts() returns no two prompts with the same pair of answers", () => {
  const answers = writers.map(({ correct, incorrect }) => `${correct}|${incorrect}`);
  assertEquals(new Set(answers).size, answers.length);
});

Deno.test("findAdversarialPrompts() heeds accept, and a stricter bound moves fewer through", async () => {
  const accept = (text: string) => /^[A-Za-z ]+$/.test(text);
  const letters = await findAdversarialPrompts(model, prompts, { count: 1, lengths: [8], accept });
  assert(letters.every(({ text }) => accept(text)));
  const none = await findAdversarialPrompts(model, prompts, { lengths: [8], moved: 0, candidates: 3 });
  assertEquals(none, []);
});

Deno.test("findAdversarialPrompts() with a contrast returns prompts on which the other head loses as much", async () => {
  const options = { count: 1, lengths: [8], candidates: 100, contrast: 0.5 };
  const contrasted = await findAdversarialPrompts(model, prompts, options);
  assertEquals(contrasted.length, 1);
  const [, other] = (await resampledAttribution(model, contrasted, prompts)).rows;
  assertLess(other.median, 0.5 * other.clean + 1e-6);
});

Deno.test("findAdversarialPrompts() without any text says so", async () => {
  const search = () => findAdversarialPrompts(model, prompts, { accept: () => false, lengths: [8] });
  await assertRejects(search, Error, "no sentence or line of 8 tokens");
});
