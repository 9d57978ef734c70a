/**
 * Prompts by ranges of parquet files, against a server on this machine that counts the bytes that it sends.
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { type FileMetaData, parquetMetadata } from "hyparquet";
import { ByteWriter, parquetWrite } from "hyparquet-writer";
import type { DownloadProgress } from "../../../lib/checkpoints/hub/download.ts";
import { footerBytes } from "../../../lib/checkpoints/prompts/parquet_rows.ts";
import {
  c4AndCode,
  fetchPrompts,
  type FetchPromptsOptions,
  loadPrompts,
  type PromptSet,
} from "../../../lib/checkpoints/prompts/prompt_sets.ts";
import { chooser } from "../../../lib/checkpoints/prompts/seeded_choice.ts";
import { randomInt, randomSource } from "../../reference/random.ts";
import { HubServer, type ServedRepo } from "../hub/hub_server.ts";
import { withFolder } from "../small_model.ts";

const length = 64;
const rowsInGroup = 40;

/** Rows that say where they come from: [BOS, source, row ÷ 1000, row mod 1000, then random ids]. */
function row(source: number, index: number): number[] {
  const random = randomSource(1000 * source + index);
  const head = [1, source, Math.floor(index / 1000), index % 1000];
  return [...head, ...Array.from({ length: length - head.length }, () => randomInt(random, 40_000))];
}

/**
 * A parquet file as data sets on the Hub have them: `tokens` a list of int32, another column beside it,
 * snappy.
 */
function parquetFile(rows: number[][], groupSize = rowsInGroup): Uint8Array {
  const writer = new ByteWriter();
  const random = randomSource(5);
  const words = rows.map(() =>
    Array.from({ length: 300 }, () => randomInt(random, 36).toString(36)).join("")
  );
  parquetWrite({
    writer,
    columnData: [{ name: "tokens", data: rows }, { name: "text", data: words }],
    schema: [
      { name: "root", num_children: 2 },
      { name: "tokens", num_children: 1, converted_type: "LIST", repetition_type: "OPTIONAL" },
      { name: "list", num_children: 1, repetition_type: "REPEATED" },
      { name: "element", type: "INT32", repetition_type: "OPTIONAL" },
      { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    ],
    rowGroupSize: groupSize,
  });
  return new Uint8Array(writer.getBuffer());
}

const rowsOf = (source: number, count: number) => Array.from({ length: count }, (_, i) => row(source, i));
const prose: ServedRepo = {
  id: "datasets/somebody/prose",
  commit: "a1".repeat(20),
  files: {
    "README.md": new Uint8Array(10),
    "data/test-00000-of-00001.parquet": parquetFile(rowsOf(9, 40)),
    "data/train-00000-of-00002.parquet": parquetFile(rowsOf(1, 400)),
    "data/train-00001-of-00002.parquet": parquetFile(rowsOf(2, 400)),
  },
};
const code: ServedRepo = {
  id: "datasets/somebody/code",
  commit: "b2".repeat(20),
  files: { "train.parquet": parquetFile(rowsOf(3, 200)) },
};
const set: PromptSet = {
  name: "test-set",
  length,
  sources: [
    { repo: "somebody/prose", kind: "prose", count: 25, rowGroups: 3 },
    { repo: "somebody/code", kind: "code", count: 6, rowGroups: 1 },
  ],
};

async function withHub(
  served: ServedRepo[],
  body: (server: HubServer, options: FetchPromptsOptions, folder: string) => Promise<void>,
): Promise<void> {
  await using server = new HubServer(...served);
  await withFolder(async (folder) => {
    const settings = { endpoint: server.endpoint, cache: `${folder}/hub`, offline: false };
    await body(server, { settings, pauseMs: 5, timeoutMs: 5000 }, folder);
  });
}

/** Ranges that hold the tokens of a file's row groups, and how many bytes each has. */
function tokenRanges(file: Uint8Array): Map<string, number> {
  const metadata: FileMetaData = parquetMetadata(file.slice().buffer);
  const chunks = metadata.row_groups.flatMap((group) =>
    group.columns.filter((chunk) => chunk.meta_data?.path_in_schema[0] === "tokens").map((chunk) =>
      chunk.meta_data!
    )
  );
  return new Map(chunks.map((chunk) => {
    const start = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
    const bytes = Number(chunk.total_compressed_size);
    return [`bytes=${start}-${start + bytes - 1}`, bytes];
  }));
}

Deno.test("fetchPrompts() moves footers and the chosen row groups' tokens, and no other byte", async () => {
  await withHub([prose, code], async (server, options) => {
    const prompts = await fetchPrompts(set, options);
    assertEquals([prompts.count, prompts.length], [31, length]);
    assertEquals(prompts.kinds, [...new Array(25).fill("prose"), ...new Array(6).fill("code")]);

    // Every range that was asked for is the end of a file, or exactly the tokens of one row group.
    let [footers, groups, expected] = [0, 0, 0];
    for (const { path, range } of server.log.filter((entry) => entry.server === "cdn")) {
      const [, type, owner, name, , ...rest] = path.split("/");
      const file = server.repos.get(`${type}/${owner}/${name}`)!.files[rest.join("/")];
      const bytes = tokenRanges(file).get(range!);
      if (bytes === undefined) assertEquals(range, `bytes=${file.length - footerBytes}-${file.length - 1}`);
      bytes === undefined ? footers++ : groups++;
      expected += bytes ?? footerBytes;
    }
    assertEquals(groups, 4);
    assert(footers <= 3);
    assertEquals(server.sent(), expected);
    const whole = [prose, code].flatMap((repo) => Object.values(repo.files)).reduce(
      (sum, file) => sum + file.length,
      0,
    );
    assertLess(server.sent(), whole / 2);
    assertEquals(server.sent(/test-00000/), 0);

    // The rows are those of the files, no row twice, in equal shares from the row groups.
    const from = new Map<string, number>();
    const seen = new Set<string>();
    for (let i = 0; i < prompts.count; i++) {
      const tokens = [...prompts.tokens.subarray(i * length, (i + 1) * length)];
      const [, source, thousands, rest] = tokens;
      const index = 1000 * thousands + rest;
      assertEquals(tokens, row(source, index));
      assertEquals(source === 3, i >= 25);
      seen.add(`${source} ${index}`);
      const group = `${source} ${Math.floor(index / rowsInGroup)}`;
      from.set(group, (from.get(group) ?? 0) + 1);
    }
    assertEquals(seen.size, 31);
    assertEquals([...from.values()].sort(), [6, 8, 8, 9]);
  });
});

Deno.test("fetchPrompts() keeps the rows: a second call asks nothing, also offline; another seed gives other rows", async () => {
  await withHub([prose, code], async (server, options, folder) => {
    const first = await fetchPrompts(set, options);
    const asked = server.log.length;
    const offline = { ...options, settings: { ...options.settings!, offline: true } };
    assertEquals(await fetchPrompts(set, offline), first);
    assertEquals(server.log.length, asked);
    assert(first.source.includes(`25 rows of somebody/prose @ ${prose.commit}`), first.source);

    const other = await fetchPrompts(set, { ...options, seed: 1 });
    assertNotEquals(other.tokens, first.tokens);
    await Deno.remove(`${folder}/assets`, { recursive: true });
    assertEquals((await fetchPrompts(set, options)).tokens, first.tokens);

    const cut = await fetchPrompts(set, { ...options, count: 28, length: 10 });
    assertEquals([cut.count, cut.length, cut.kinds!.length, cut.tokens.length], [28, 10, 28, 280]);
    assertEquals(cut.tokens.slice(270), first.tokens.slice(27 * length, 27 * length + 10));
    await assertRejects(
      () => fetchPrompts(set, { ...options, config: { d_vocab: 100, n_ctx: length } }),
      Error,
      "out of range",
    );
    await assertRejects(
      () => fetchPrompts(set, { ...options, config: { d_vocab: 50_000, n_ctx: 32 } }),
      Error,
      "context of 32",
    );
  });
});

Deno.test("fetchPrompts() continues a range that breaks and repeats one that stalls", async () => {
  await withHub([prose, code], async (server, options) => {
    const clean = await fetchPrompts(set, { ...options, seed: 3 });
    const other = {
      ...options,
      seed: 3,
      settings: { ...options.settings!, cache: `${options.settings!.cache}/second/hub` },
    };
    server.faults.push({ breakAfter: 8192 }, "fine", { status: 503 }, { stallAfter: 2000 });
    assertEquals((await fetchPrompts(set, { ...other, timeoutMs: 400 })).tokens, clean.tokens);
  });
});

Deno.test("fetchPrompts() reports progress up to the bytes that are needed", async () => {
  await withHub([prose, code], async (server, options) => {
    const seen: DownloadProgress[] = [];
    await fetchPrompts(set, { ...options, onProgress: (progress) => seen.push(progress) });
    for (const { repo } of set.sources) {
      const last = seen.filter((progress) => progress.file === repo).at(-1)!;
      assertEquals(last.loaded, last.total);
      assertEquals(last.total, server.sent(new RegExp(repo)));
      assertGreater(last.bytesPerSecond, 0);
    }
  });
});

const served = (files: Record<string, Uint8Array>): ServedRepo => ({ ...code, files });
const onlyCode: PromptSet = { ...set, sources: [set.sources[1]] };
const damaged = parquetFile(rowsOf(3, 400));
damaged.fill(0xff, 0, damaged.length - 3000);
const refusals: [what: string, files: Record<string, Uint8Array>, message: string][] = [
  ["no parquet", { "a.json": new Uint8Array(5) }, "has no parquet files"],
  ["a file that is not parquet", { "train.parquet": new Uint8Array(5000) }, "cannot be read as parquet"],
  ["a damaged file", { "train.parquet": damaged }, "cannot be read as parquet"],
  [
    "rows of another length",
    { "train.parquet": parquetFile(rowsOf(3, 40).map((r) => r.slice(0, 63))) },
    "it has 63",
  ],
  [
    "negative ids",
    { "train.parquet": parquetFile(rowsOf(3, 40).map((r) => [...r.slice(1), -1])) },
    "something else",
  ],
  [
    "too few rows",
    { "train.parquet": parquetFile(rowsOf(3, 5)) },
    "fewer than 1 row groups of at least 6 rows",
  ],
  ["rows without BOS", {
    "train.parquet": parquetFile(rowsOf(3, 40).map((r) => [...r.slice(4), 1, 2, 3, 4])),
  }, "BOS"],
];
for (const [what, files, message] of refusals) {
  Deno.test(`fetchPrompts() refuses a data set with ${what}, and keeps nothing`, async () => {
    await withHub([served(files)], async (_server, options, folder) => {
      const error = await assertRejects(() => fetchPrompts(onlyCode, options), Error, message);
      assert(/somebody\/code|test-set/.test(error.message), error.message);
      assertEquals([...Deno.readDirSync(folder)].length, 0);
    });
  });
}

Deno.test("fetchPrompts() refuses a server that does not send parts of a file", async () => {
  await withHub([code], async (server, options) => {
    server.faults.push("ignore range");
    await assertRejects(() => fetchPrompts(onlyCode, options), Error, "does not send parts of the file");
  });
});

Deno.test("loadPrompts() opens built-in sets and says what to do when the post's cannot be fetched", async () => {
  assertEquals((await loadPrompts("held-out", { count: 2 })).count, 2);
  assertEquals(c4AndCode.sources.map(({ count }) => count), [240, 60]);
  await withFolder(async (folder) => {
    const settings = { endpoint: "http://127.0.0.1:9", cache: `${folder}/hub`, offline: false };
    for (const offline of [true, false]) {
      const error = await assertRejects(() =>
        loadPrompts("c4-code", { settings: { ...settings, offline }, timeoutMs: 500 })
      );
      for (
        const part of [
          "datasets/NeelNanda/c4-tokenized-2b",
          "datasets/NeelNanda/code-tokenized",
          `${folder}/assets`,
        ]
      ) {
        assert(error.message.includes(part), error.message);
      }
    }
  });
});

Deno.test("chooser() chooses different numbers, evenly, and the same for the same seed", () => {
  assertEquals(chooser(7)(1000, 20), chooser(7)(1000, 20));
  assertNotEquals(chooser(7)(1000, 20), chooser(8)(1000, 20));
  assertEquals(chooser(1)(50, 50).sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
  assertEquals(chooser(1)(5, 0), []);
  const counts = new Array(10).fill(0);
  const choose = chooser(2);
  for (let i = 0; i < 10_000; i++) for (const n of choose(10, 3)) counts[n]++;
  // 3000 expected of each; the standard deviation of a count is √(10000 · 0.3 · 0.7) = 46.
  for (const count of counts) assert(Math.abs(count - 3000) < 5 * 46, String(counts));
  assertThrows(() => choose(3, 4), Error, "4 of 3");
});
