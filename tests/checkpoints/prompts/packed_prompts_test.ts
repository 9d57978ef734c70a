// Documents from files, and how they become prompts: worked out by hand with a tokenizer of one token a
// letter.
import { assertEquals, assertRejects } from "@std/assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type Document, documents } from "../../../lib/checkpoints/prompts/documents.ts";
import { type PackOptions, packPrompts } from "../../../lib/checkpoints/prompts/packed_prompts.ts";
import type { Tokenizer } from "../../../lib/checkpoints/tokenizer/tokenizer.ts";
import { withFolder } from "../small_model.ts";

const BOS = 0;
/** "a" is 1, "b" 2 … */
const letters: Tokenizer = {
  bosId: BOS,
  separatorId: BOS,
  size: 27,
  encode: (text) => [...text].map((c) => c.charCodeAt(0) - 96),
  decode: () => "",
  decodeToken: () => "",
};
const config = { d_vocab: 27, n_ctx: 64, default_prepend_bos: true };

/** Rows of the prompts that the documents are packed into. */
async function packed(docs: Document[], options: Partial<PackOptions> = {}): Promise<number[][]> {
  const { tokens, count, length } = await packPrompts(docs, {
    config,
    tokenizer: letters,
    length: 4,
    source: "docs",
    ...options,
  });
  return Array.from({ length: count }, (_, i) => [...tokens.slice(i * length, (i + 1) * length)]);
}

Deno.test("packPrompts() joins documents by BOS, begins each row with BOS and leaves out what fills no row", async () => {
  // stream: 1 2 0 3 4 5 6
  assertEquals(await packed(["ab", "cdef"]), [[0, 1, 2, 0], [0, 3, 4, 5]]);
  // A document that begins with a row: its BOS is the row's. Stream: 1 2 3 0 4 5 6
  assertEquals(await packed(["abc", "def"]), [[0, 1, 2, 3], [0, 4, 5, 6]]);
});

Deno.test("packPrompts() without BOS first, and without BOS at all", async () => {
  const plain = { config: { ...config, default_prepend_bos: false } };
  assertEquals(await packed(["ab", "cdef", "g"], plain), [[1, 2, 0, 3], [4, 5, 6, 0]]);
  const { bosId: _, ...rest } = letters;
  const tokenizer = { ...rest, bosId: undefined, separatorId: undefined };
  assertEquals(await packed(["ab", "cdef", "gh"], { tokenizer }), [[1, 2, 3, 4], [5, 6, 7, 8]]);
});

Deno.test("packPrompts() never puts BOS beside BOS, and none for an empty document", async () => {
  const plain = { config: { ...config, default_prepend_bos: false } };
  // "`" is the character before "a": id 0, BOS in the text itself.
  assertEquals(await packed(["`ab", "`cd", "", "`ef"], plain), [[0, 1, 2, 0], [3, 4, 0, 5]]);
  assertEquals(await packed(["ab`", "", "`cd`", "ef"], plain), [[1, 2, 0, 3], [4, 0, 5, 6]]);
  assertEquals(await packed(["", "", "abc", "", "def"]), [[0, 1, 2, 3], [0, 4, 5, 6]]);
  assertEquals(await packed([[0, 1, 2], [], [0], [0, 3, 4]], plain), [[0, 1, 2, 0]]);
});

Deno.test("packPrompts() of a tokenizer without BOS first puts its separator, or nothing, between documents", async () => {
  const plain = { config: { ...config, default_prepend_bos: false } };
  const tokenizer = (separatorId?: number) => ({ ...letters, separatorId });
  assertEquals(await packed(["ab", "cd"], { ...plain, tokenizer: tokenizer() }), [[1, 2, 3, 4]]);
  assertEquals(await packed(["ab", "cd"], { ...plain, tokenizer: tokenizer(26) }), [[1, 2, 26, 3]]);
});

Deno.test("packPrompts() of token ids takes rows that are packed already as they are", async () => {
  const rows = [[0, 5, 6, 7], [0, 8, 9, 10]];
  assertEquals(await packed(rows), rows);
  assertEquals(await packed([[5, 6, 7], [8, 9, 10]]), [[0, 5, 6, 7], [0, 8, 9, 10]]);
});

Deno.test("packPrompts() stops at the most tokens, and chooses a length that leaves 64 prompts", async () => {
  assertEquals(await packed(["abcdefghijkl", "m"], { maxTokens: 7 }), [[0, 1, 2, 3], [0, 4, 5, 6]]);
  const lengthOf = async (tokens: number, n_ctx: number) =>
    (await packed(["a".repeat(tokens)], { config: { ...config, n_ctx }, length: undefined }))[0].length;
  assertEquals(await lengthOf(70_000, 4096), 1024);
  assertEquals(await lengthOf(70_000, 512), 512);
  assertEquals(await lengthOf(10_000, 4096), 128);
  assertEquals(await lengthOf(100, 4096), 32);
  assertEquals(await lengthOf(100, 20), 20);
});

Deno.test("packPrompts() says what is wrong", async () => {
  const refused = (docs: Document[], options: Partial<PackOptions>, message: string) =>
    assertRejects(() => packed(docs, options), Error, message);
  await refused(["ab"], {}, "its 2 tokens do not fill one prompt of 4. Give more text");
  await refused(["abcd"], { length: 65 }, "got prompts of 65 tokens; expected 2 to 64");
  await refused(["abcd"], { maxTokens: 0 }, "got 0 as the most tokens");
  await refused(["abcd"], { tokenizer: undefined }, "the model has no tokenizer.json");
  await refused([[27, 1, 2, 3]], {}, "token id 27");
  await refused([{ text: "abcd" } as unknown as Document], {}, 'got {"text":"abcd"}; expected texts');
  await refused([7 as unknown as Document], {}, "got 7; expected texts");
  const unnamed = { config, tokenizer: letters, length: 4 };
  await assertRejects(() => packPrompts(["ab"], unnamed), Error, "texts: its 2 tokens");
  await assertRejects(
    () => packPrompts(undefined as unknown as Document[], unnamed),
    Error,
    "packPrompts: documents: got none",
  );
});

/** Documents; of a long text the beginning. */
const read = (path: string) =>
  Array.fromAsync(
    documents(path),
    (d) => d !== null && typeof d === "object" && "start" in d ? d.start(1000) : d,
  );

Deno.test("documents() of .txt is one, of .jsonl one a line", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.txt`, "one\n\n\ntwo\n");
    assertEquals(await read(`${folder}/a.txt`), ["one\n\n\ntwo\n"]);
    await Deno.writeTextFile(`${folder}/a.jsonl`, '{"text": "one"}\n\n{"text": "two\\n", "id": 3}\n');
    assertEquals(await read(`${folder}/a.jsonl`), ["one", "two\n"]);
    const refused = async (line: string, message: string) => {
      await Deno.writeTextFile(`${folder}/b.jsonl`, `{"text": "one"}\n${line}\n`);
      await assertRejects(() => read(`${folder}/b.jsonl`), Error, message);
    };
    await refused("{text: 1}", "b.jsonl, line 2: not JSON");
    await refused('{"txt": "a"}', 'line 2: got {"txt": "a"}; expected an object with "text"');
    await refused("null", "line 2: got null");
    await Deno.writeFile(`${folder}/c.txt`, Uint8Array.of(0xff, 0xfe, 0x41));
    await assertRejects(() => read(`${folder}/c.txt`), Error, "c.txt is not text in UTF-8");
    await assertRejects(() => read(`${folder}/d.txt`), Error, "there is no such file");
    await assertRejects(() => read(`${folder}/d.csv`), Error, "texts are read from .txt, .jsonl, .parquet");
  });
});

Deno.test("documents() of .parquet: a column of texts or of token ids, several row groups", async () => {
  await withFolder(async (folder) => {
    // deno-lint-ignore no-explicit-any
    const write = (name: string, columnData: any) =>
      Deno.writeFile(
        `${folder}/${name}`,
        new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 2 })),
      );
    await write("text.parquet", [{ name: "text", data: ["one", "two", "three"], type: "STRING" }]);
    assertEquals(await read(`${folder}/text.parquet`), ["one", "two", "three"]);
    await write("tokens.parquet", [{ name: "tokens", data: [[1, 2], [3, 4], [5]], type: "JSON" }]);
    assertEquals(await read(`${folder}/tokens.parquet`), [[1, 2], [3, 4], [5]]);
    await write("odd.parquet", [{ name: "tokens", data: [["a"]], type: "JSON" }]);
    await assertRejects(
      () => read(`${folder}/odd.parquet`),
      Error,
      'row 0, column "tokens": item 0 is a; a token id was expected',
    );
    await write("other.parquet", [{ name: "words", data: ["one"], type: "STRING" }]);
    await assertRejects(
      () => read(`${folder}/other.parquet`),
      Error,
      'has the columns ["words"]; expected "text"',
    );
    await Deno.writeTextFile(`${folder}/bad.parquet`, "not parquet at all");
    await assertRejects(() => read(`${folder}/bad.parquet`), Error, "cannot be read as parquet");
  });
});
