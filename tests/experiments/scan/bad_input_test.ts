// What a scan refuses, in one sentence that says what to do; and unusual models that it must get through.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import { halves } from "../../../lib/experiments/scan/prompts.ts";
import { scan, type ScanResult } from "../../../lib/experiments/scan/scan.ts";
import { checkSettings, DEFAULT_SETTINGS } from "../../../lib/experiments/scan/settings.ts";
import { inWords } from "../../../lib/experiments/scan/words.ts";
import { randomPrompts, small } from "../../transformer/models.ts";

const { model } = small(1);

Deno.test("scan() refuses prompts that are too few, too short, all the same, or mostly copies", async () => {
  const refused = (prompts: Prompts, message: string) =>
    assertRejects(() => scan(model, prompts), Error, message);
  await refused(
    randomPrompts(model, 1, 15, 9),
    "got 15 prompts of 9 tokens from random; expected at least 16",
  );
  await refused(randomPrompts(model, 1, 20, 7), "have 7 tokens; expected at least 8");
  const same = { ...randomPrompts(model, 1, 16, 9), tokens: new Int32Array(16 * 9).fill(3) };
  await refused(same, "all 16 prompts of random are the same");
  const copies = { ...same, tokens: same.tokens.slice() };
  copies.tokens[0] = 4;
  await refused(copies, "only 2 are different");
});

Deno.test("scan() refuses ids that the model does not have, before it runs", async () => {
  const prompts = randomPrompts(model, 1, 16, 9);
  prompts.tokens[20] = model.config.d_vocab;
  await assertRejects(() => scan(model, prompts), Error, `token id ${model.config.d_vocab} in prompt`);
});

Deno.test("checkSettings() fills in defaults and refuses what is out of range", () => {
  assertEquals(checkSettings(), DEFAULT_SETTINGS);
  assertEquals(checkSettings({ drop: 0.5 }).drop, 0.5);
  assertThrows(() => checkSettings({ q: 0 }), Error, "got 0 for the setting q; expected a number in");
  assertThrows(
    () => checkSettings({ writers: 2.5 }),
    Error,
    "got 2.5 for the setting writers; expected a whole number",
  );
  assertThrows(() => checkSettings({ below: NaN }), Error, "got NaN");
  assertThrows(() => checkSettings({ present: [2, 1] }), Error, "the smaller number first");
  assertThrows(
    () => checkSettings({ drops: 1 } as never),
    Error,
    'no setting "drops"; there are present, drop',
  );
});

Deno.test("halves() deals prompts out in turn, kinds with them", () => {
  const prompts = randomPrompts(model, 2, 5, 3);
  const [first, second] = halves({ ...prompts, kinds: ["prose", "code", "prose", "code", "prose"] });
  assertEquals([first.count, second.count], [3, 2]);
  assertEquals(first.kinds, ["prose", "prose", "prose"]);
  assertEquals(
    second.tokens,
    Int32Array.from([...prompts.tokens.slice(3, 6), ...prompts.tokens.slice(9, 12)]),
  );
});

/** Every number that a reader sees is one, or is left out. */
function checkSound(result: ScanResult, name: string): void {
  assertEquals(result.writers.length + result.passedOver.length > 0, true, name);
  for (const { evidence } of result.writers) {
    for (const node of evidence.nodes) assert(Number.isFinite(node.ratio), `${name}: ${node.node}`);
  }
  assert(
    inWords(result).every((text) => text.length > 0 && !/NaN|undefined/.test(text)),
    inWords(result).join(),
  );
}

Deno.test("scan() gets through models of one layer, one head, no MLP, and of other families' forms", async () => {
  const kinds: Record<string, Record<string, unknown>> = {
    "one layer": { n_layers: 1 },
    "one layer, one head, no MLP": { n_layers: 1, n_heads: 1, attn_only: true },
    "one head": { n_heads: 1 },
    "RMS": { normalization: "RMS" },
    "LN unfolded": { normalization: "LN" },
  };
  // Everything is examined and every drop counts, so that all passes run.
  const settings = {
    present: [-10, 10] as const,
    drop: 0,
    effect: 0,
    below: 0,
    q: 1,
    groupEffect: 0,
    dropShare: 0,
  };
  for (const [name, changes] of Object.entries(kinds)) {
    const { model } = small(3, changes);
    const prompts = randomPrompts(model, 4, 16, 9);
    checkSound(await scan(model, prompts), name);
    checkSound(await scan(model, prompts, { settings: { ...settings, writers: 3 } }), `${name}, all passes`);
  }
});

Deno.test("scan(): a writer that writes nothing at some tokens leaves no NaN in any pass", async () => {
  const { model } = small(5, { act_fn: "relu" });
  // Token 3 is the zero vector: embed writes nothing there.
  const W_E = model.weights.get("embed.W_E")!;
  W_E.data.fill(0, 3 * model.config.d_model, 4 * model.config.d_model);
  const settings = {
    present: [-100, 100] as const,
    drop: 0,
    effect: 0,
    below: 0,
    q: 1,
    groupEffect: 0,
    dropShare: 0,
  };
  const result = await scan(model, randomPrompts(model, 6, 24, 9), {
    settings: { ...settings, present: [-10, 10], writers: 20 },
  });
  checkSound(result, "zero embedding");
  const embed = result.writers.find((w) => w.candidate.name === "embed")!;
  assert(embed.evidence.nodes[0].n < 12 * 9, "tokens of norm 0 do not count");
  for (const { causal } of result.writers.filter((w) => w.causal)) {
    for (const { undone } of Object.values(causal!.patched)) assert(Number.isFinite(undone));
  }
});
