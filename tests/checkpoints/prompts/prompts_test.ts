import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { RawTensor } from "../../../lib/checkpoints/dtypes.ts";
import {
  checkPrompts,
  type Prompts,
  readPrompts,
  shorten,
} from "../../../lib/checkpoints/prompts/prompts.ts";
import { writeSafetensors } from "../../../lib/checkpoints/safetensors_write.ts";
import { withFolder } from "../small_model.ts";

const tiny = { d_vocab: 4096, n_ctx: 256 };

Deno.test("readPrompts() reads the held-out set, BOS first in every row", async () => {
  const { tokens, count, length } = await readPrompts("held-out", { config: tiny });
  assertEquals([length, tokens.length], [256, count * length]);
  assert(count >= 200, `${count} prompts`);
  for (let row = 0; row < count; row++) assertEquals(tokens[row * length], 0);
});

Deno.test("readPrompts() cuts to the first prompts and tokens", async () => {
  const all = await readPrompts("held-out");
  const some = await readPrompts("held-out", { count: 3, length: 5 });
  assertEquals([some.count, some.length], [3, 5]);
  for (const row of [0, 1, 2]) {
    assertEquals(some.tokens.slice(row * 5, row * 5 + 5), all.tokens.slice(row * 256, row * 256 + 5));
  }
  assertThrows(() => shorten(all, { count: all.count + 1 }), Error, `1 to ${all.count}`);
  assertThrows(() => shorten(all, { length: 0 }), Error, "1 to 256");
});

async function withPrompts(tokens: RawTensor, body: (path: string) => Promise<void>) {
  await withFolder(async (folder) => {
    await writeSafetensors(`${folder}/p.safetensors`, { tokens });
    await body(`${folder}/p.safetensors`);
  });
}

Deno.test("readPrompts() reads int64 ids", async () => {
  await withPrompts(
    { dtype: "I64", dims: [2, 2], data: new BigInt64Array([1n, 2n, 3n, 4n]) },
    async (path) => {
      assertEquals(Array.from((await readPrompts(path)).tokens), [1, 2, 3, 4]);
    },
  );
});

Deno.test("readPrompts() reads which prompts are code, one for each prompt", async () => {
  const tokens: RawTensor = { dtype: "I32", dims: [2, 2], data: new Int32Array([0, 1, 0, 2]) };
  const file = (flags: number[]) => ({
    tokens,
    is_code: { dtype: "U8", dims: [flags.length], data: Uint8Array.from(flags) } satisfies RawTensor,
  });
  await withFolder(async (folder) => {
    await writeSafetensors(`${folder}/p.safetensors`, file([1, 0]));
    assertEquals((await readPrompts(`${folder}/p.safetensors`)).kinds, ["code", "prose"]);
    await writeSafetensors(`${folder}/q.safetensors`, file([1]));
    await assertRejects(
      () => readPrompts(`${folder}/q.safetensors`),
      Error,
      "for 1 prompts; expected 2, or none",
    );
  });
});

const refusals: [what: string, tokens: RawTensor, message: string][] = [
  ["an empty set", { dtype: "I32", dims: [0, 5], data: new Int32Array(0) }, "empty ([0, 5])"],
  [
    "an id that is too large",
    { dtype: "U16", dims: [2, 2], data: new Uint16Array([1, 2, 3, 4096]) },
    "prompt 1 at position 1",
  ],
  ["a negative id", { dtype: "I32", dims: [1, 2], data: new Int32Array([1, -1]) }, "token id -1 in prompt 0"],
  [
    "an id beyond int32",
    { dtype: "I64", dims: [1, 1], data: new BigInt64Array([2n ** 32n + 5n]) },
    "4294967301 in prompt 0 at position 0 is no token id",
  ],
  [
    "prompts longer than the context",
    { dtype: "U8", dims: [1, 257], data: new Uint8Array(257) },
    "context of 256",
  ],
  [
    "tokens that are not integers",
    { dtype: "F32", dims: [1, 1], data: new Float32Array(1) },
    "integers were expected",
  ],
  ["tokens in one dimension", { dtype: "I32", dims: [4], data: new Int32Array(4) }, "[count, length]"],
];
for (const [what, tokens, message] of refusals) {
  Deno.test(`readPrompts() refuses ${what}`, async () => {
    await withPrompts(tokens, async (path) => {
      await assertRejects(() => readPrompts(path, { config: tiny }), Error, message);
    });
  });
}

Deno.test("readPrompts() suggests the nearest set and names a missing file", async () => {
  await assertRejects(() => readPrompts("heldout"), Error, 'Did you mean "held-out"?');
  const message = "promptsFor(model, { texts: file })";
  await assertRejects(() => readPrompts("texts.jsonl"), Error, message);
  await assertRejects(() => readPrompts("/no/such.safetensors"), Error, "no such file");
});

Deno.test("checkPrompts() refuses tokens that do not fill their dims", () => {
  const prompts = { tokens: new Int32Array(5), count: 2, length: 3, source: "here" };
  assertThrows(() => checkPrompts(prompts), Error, "here: 5 token ids do not fill [2, 3]");
});

Deno.test("checkPrompts() refuses what is no Int32Array, or lacks its sizes, as untyped code gives it", () => {
  const prompts = { tokens: new Int32Array(6), count: 2, length: 3, source: "here" };
  const refused = (wrong: Record<string, unknown>, message: string) =>
    assertThrows(() => checkPrompts({ ...prompts, ...wrong } as unknown as Prompts), Error, message);
  refused(
    { tokens: [1, 2, 3, 4, 5, 6] },
    "here: got tokens: Array, count: 2, length: 3; expected an Int32Array",
  );
  refused({ tokens: new BigInt64Array(6) }, "got tokens: BigInt64Array");
  refused({ tokens: undefined }, "got tokens: none");
  refused({ count: undefined }, "count: undefined");
  refused({ length: 2.5 }, "length: 2.5");
  refused({ count: undefined, length: undefined, source: undefined }, "prompts without a source: got tokens");
});
