// What a scan refuses, in one sentence that says what to do; and unusual models that it must get through.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import { passes } from "../../../lib/experiments/scan/prompts.ts";
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
  assertEquals(checkSettings({ specific: 0.5 }).specific, 0.5);
  assertThrows(() => checkSettings({ q: 0 }), Error, "got 0 for the setting q; expected a number in");
  assertThrows(
    () => checkSettings({ examine: 2.5 }),
    Error,
    "got 2.5 for the setting examine; expected a whole number",
  );
  assertThrows(() => checkSettings({ share: NaN }), Error, "got NaN");
  assertThrows(() => checkSettings({ share: "0.1" } as never), Error, 'got "0.1" for the setting share');
  assertThrows(
    () => checkSettings({ rotations: 1 }),
    Error,
    "got 1 for the setting rotations; expected a whole number in 2",
  );
  assertThrows(() => checkSettings({ untrainedPrompts: 2 }), Error, "a scan needs at least 16. 0: none.");
  assertThrows(
    () => checkSettings({ specifc: 1 } as never),
    Error,
    'no setting "specifc"; there are specific, share',
  );
  assertThrows(() => checkSettings({ specifc: 1 } as never), Error, 'Did you mean "specific"?');
});

Deno.test("passes() deals prompts out in turn, kinds with them, and takes no more than asked for", () => {
  const prompts = randomPrompts(model, 2, 50, 9);
  const kinds = Array.from({ length: 50 }, (_, i) => i % 2 ? "code" as const : "prose" as const);
  const few = passes({ ...prompts, kinds }, { screenTokens: 80, tokens: 160 });
  assertEquals([few.screened.count, few.examined.count], [10, 20]); // 8 tokens a prompt besides the first
  assertEquals(few.screened.kinds![1], "prose");
  assertEquals(few.examined.tokens.slice(9, 18), prompts.tokens.slice(27, 36));
  const least = passes(prompts, { screenTokens: 16, tokens: 16 });
  assertEquals([least.screened.count, least.examined.count], [8, 16]);
  const all = passes(prompts, { screenTokens: 1e6, tokens: 1e6 });
  assertEquals([all.screened.count, all.examined.count], [25, 25]);
});

/** Settings at which everything is examined and all passes run. */
const LENIENT = { specific: 0, share: 0, q: 1 };

/** Every number that a reader sees is one, or is left out. */
function checkSound(result: ScanResult, name: string): void {
  assert(result.writers.length + result.passedOver.length > 0, name);
  for (const { writer, left, control, specific, cleaners, growth, shared } of result.writers) {
    const numbers = [
      left.value,
      control.value,
      specific.value,
      growth,
      shared,
      ...cleaners.map((c) => c.response),
    ];
    assert(numbers.every(Number.isFinite), `${name}: ${writer} ${numbers}`);
  }
  const words = inWords(result);
  assert(words.every((text) => text.length > 0 && !/NaN|undefined|Infinity/.test(text)), words.join());
}

Deno.test("scan() gets through models of one layer, one head, no MLP, and of other families' forms", async () => {
  const kinds: Record<string, Record<string, unknown>> = {
    "one layer": { n_layers: 1 },
    "one layer, one head, no MLP": { n_layers: 1, n_heads: 1, attn_only: true },
    "one head": { n_heads: 1 },
    "RMS": { normalization: "RMS" },
    "LN unfolded": { normalization: "LN" },
  };
  for (const [name, changes] of Object.entries(kinds)) {
    const { model } = small(3, changes);
    const prompts = randomPrompts(model, 4, 16, 9);
    checkSound(await scan(model, prompts), name);
    checkSound(await scan(model, prompts, { settings: LENIENT }), `${name}, all passes`);
  }
});

Deno.test("scan(): a node that writes nothing at some tokens, or at all, leaves no NaN in any pass", async () => {
  const { model } = small(5, { act_fn: "relu" });
  // Token 3 is the zero vector: embed writes nothing there. And a pruned head.
  model.weights.get("embed.W_E")!.data.fill(0, 3 * model.config.d_model, 4 * model.config.d_model);
  const { d_head, d_model } = model.config;
  model.weights.get("blocks.0.attn.W_O")!.data.fill(0, 0, d_head * d_model);
  const prompts = randomPrompts(model, 6, 32, 9);
  const result = await scan(model, prompts, { settings: LENIENT });
  checkSound(result, "zero embedding");
  const pruned = result.passedOver.find((c) => c.name === "L0H0")!;
  assertEquals(pruned.passedOver, "it writes nothing");
});

Deno.test("numbers that are not finite end a scan, and the hook point where they begin is named", async () => {
  const { model } = small(7);
  const W_out = model.weights.get("blocks.1.mlp.W_out")!.data;
  const kept = W_out[5];
  for (const damaged of [NaN, Infinity, 2.7e33]) {
    W_out[5] = damaged;
    const where = damaged === 2.7e33
      ? /values at (blocks\.1\.|ln_final)\S+ are not all finite/
      : /values at blocks\.1\.hook_mlp_out are/;
    const error = await assertRejects(() => scan(model, randomPrompts(model, 8, 16, 9)), Error);
    assert(where.test(error.message), `${damaged}: ${error.message}`);
  }
  W_out[5] = kept;
  checkSound(await scan(model, randomPrompts(model, 8, 16, 9)), "mended");
});
