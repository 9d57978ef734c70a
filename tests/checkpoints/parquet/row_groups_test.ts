/**
 * Parquet files that pyarrow wrote (data/parquet, by tests/reference/parquet_files.py), and files that claim
 * more than they hold.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Document, documents } from "../../../lib/checkpoints/prompts/documents.ts";
import { packPrompts } from "../../../lib/checkpoints/prompts/packed_prompts.ts";
import { withFolder } from "../small_model.ts";

const folder = new URL("../data/parquet/", import.meta.url).pathname;
const read = (name: string) => Array.fromAsync(documents(`${folder}${name}.parquet`));

const TEXTS: Document[] = ["one", null, "naïve café — 日本語 🙂", "", "the same again", "the same again"];
const ROWS: Document[] = [[1, 2, 3], [], [70000, 5], new Array(20).fill(5), [0]];

for (const kind of ["none", "snappy", "gzip", "brotli", "lz4", "zstd", "v2", "delta-lengths"]) {
  Deno.test(`texts in parquet, ${kind}: what pyarrow wrote`, async () => {
    assertEquals(await read(`texts-${kind}`), TEXTS);
  });
}
for (const kind of ["32", "64", "32-v2", "64-v2", "delta"]) {
  Deno.test(`token ids in parquet, ${kind}: what pyarrow wrote`, async () => {
    assertEquals(await read(`tokens-${kind}`), ROWS);
  });
}

Deno.test("null and boolean token ids are refused with row and column, not taken for 0 and 1", async () => {
  await assertRejects(
    () => read("null-id"),
    Error,
    'row 1, column "tokens": item 1 is null; a token id was expected',
  );
  await assertRejects(
    () => read("booleans"),
    Error,
    'row 0, column "tokens": item 0 is true; a token id was expected',
  );
});

Deno.test("An encoding that cannot be bounded is refused with what to do", async () => {
  await assertRejects(
    () => read("texts-delta"),
    Error,
    "DELTA_BYTE_ARRAY is not supported: write the file again",
  );
});

Deno.test("Null texts are passed over and counted", async () => {
  const letters = {
    bosId: undefined,
    size: 1 << 16,
    encode: (text: string) => [...text].map((c) => c.charCodeAt(0)),
    decode: () => "",
    decodeToken: () => "",
  };
  const { source } = await packPrompts([null, "abcd", null, "ef"], {
    config: { d_vocab: 1 << 16, n_ctx: 8, default_prepend_bos: false },
    tokenizer: letters,
    length: 3,
    source: "docs",
  });
  assertEquals(source, "docs, packed, 2 rows without text passed over");
});

Deno.test("A footer of nothing but zeros is said to be damaged, in no words of JavaScript's", async () => {
  await withFolder(async (temporary) => {
    await Deno.writeTextFile(`${temporary}/x.parquet`, "PAR1" + "\0".repeat(100) + "PAR1");
    await assertRejects(
      () => Array.fromAsync(documents(`${temporary}/x.parquet`)),
      Error,
      "x.parquet cannot be read as parquet: it is damaged.",
    );
  });
});

Deno.test("A run that claims more values than its page has left is refused before memory is taken for it", async () => {
  // The definition levels of the second row group are one run, 21 times 3: bytes 42 (2 · 21) and 3. hyparquet
  // alone writes it out, however long: five bytes that claim 2^31 took 1.8 GB.
  const bytes = await Deno.readFile(`${folder}tokens-32-v2.parquet`);
  const at = bytes.findIndex((byte, i) => byte === 42 && bytes[i + 1] === 3);
  bytes[at] = 126;
  await withFolder(async (temporary) => {
    await Deno.writeFile(`${temporary}/x.parquet`, bytes);
    await assertRejects(
      () => Array.fromAsync(documents(`${temporary}/x.parquet`)),
      Error,
      "row group 1 cannot be read as parquet: a run of 63 values stands where 21 are left",
    );
  });
});

Deno.test("Every truncation of a file ends in one error of one line, and leaves nothing behind", async () => {
  const bytes = await Deno.readFile(`${folder}tokens-32.parquet`);
  await withFolder(async (temporary) => {
    const path = `${temporary}/x.parquet`;
    for (let length = 0; length < bytes.length; length += 7) {
      await Deno.writeFile(path, bytes.subarray(0, length));
      const error = await assertRejects(
        () => Array.fromAsync(documents(path)),
        Error,
        "cannot be read as parquet",
      );
      assertMatch(error.message, /^[^\n]{20,500}$/);
    }
  });
});
