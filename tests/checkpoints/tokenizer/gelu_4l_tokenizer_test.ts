/**
 * gelu-4l's tokenizer: a small one of the same kind, built here, and the real one where it is on this machine
 * (in data/models/gelu-4l or the Hugging Face cache; nothing is downloaded for a test).
 */
import { assertEquals } from "@std/assert";
import { dataPath } from "../../../lib/checkpoints/data_folder.ts";
import { fileSize, RepoCache } from "../../../lib/checkpoints/hub/cache.ts";
import { hubSettings } from "../../../lib/checkpoints/hub/settings.ts";
import { loadTokenizer } from "../../../lib/checkpoints/tokenizer/tokenizer.ts";
import { withFolder } from "../small_model.ts";

/**
 * The characters that stand for the 256 bytes in byte-level BPE (GPT-2's table): printable ones for
 * themselves, the rest from U+0100 on.
 */
function byteCharacters(): string[] {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/**
 * tokenizer.json as NeelNanda/gpt-neox-tokenizer-digits has it, with a few merges only: NFC, ByteLevel
 * without a prefix space.
 */
function smallNeoX() {
  const special = ["<|EOS|>", "<|BOS|>", "<|PAD|>"];
  const merges = ["Ġ t", "h e", "Ġt he", "Ġ 1", "Ã ©"];
  const tokens = [...special, ...byteCharacters(), ...merges.map((merge) => merge.replace(" ", ""))];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "NFC" },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

Deno.test("a tokenizer of gelu-4l's kind: BOS is 1, digits stay single, NFC, text comes back", async () => {
  await withFolder(async (folder) => {
    const json = smallNeoX();
    await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(json));
    const tokenizer = await loadTokenizer(`${folder}/tokenizer.json`);
    assertEquals([tokenizer.bosId, tokenizer.size], [1, 3 + 256 + 5]);
    const id = (token: string) => json.model.vocab[token];
    assertEquals(tokenizer.encode("the the 12", { prependBos: true }), [
      1,
      ...["t", "he", "Ġthe", "Ġ1", "2"].map(id),
    ]);
    const composed = tokenizer.encode("e\u0301"); // e and a combining accent
    assertEquals(composed, [id("Ã©")]);
    assertEquals(tokenizer.decode(composed), "é");
    assertEquals(tokenizer.encode("a<|PAD|>"), [id("a"), 2]);
    for (const text of ["class MyClass:\n\tdef", " 日本 1984\r\n", "x²"]) {
      assertEquals(tokenizer.decode(tokenizer.encode(text)), text);
    }
  });
});

async function realTokenizer(): Promise<string | undefined> {
  const own = dataPath("models/gelu-4l/tokenizer.json");
  if (await fileSize(own) !== undefined) return own;
  try {
    const repo = { type: "model", name: "NeelNanda/gpt-neox-tokenizer-digits" } as const;
    const cache = new RepoCache(hubSettings().cache, repo);
    const commit = await cache.readRef("main");
    const cached = commit && `${cache.snapshot(commit)}/tokenizer.json`;
    return cached && await fileSize(cached) !== undefined ? cached : undefined;
  } catch {
    return undefined; // no home folder, no permission
  }
}

/** The post's four prompts and its answers, as the post's model sees them (without BOS). */
const published: Record<string, number[]> = {
  "It's in the cupboard, either on the top or on the": [
    ...[1130, 434, 276, 254, 5340, 4552, 14, 1996, 328, 254, 1708, 390, 328, 254],
  ],
  "I went to university at Michigan": [43, 2350, 282, 9574, 387, 11014],
  "class MyClass:\n\tdef": [2360, 2666, 4796, 28, 188, 187, 1510],
  "The church I go to is the Seventh-day Adventist": [
    ...[510, 5935, 310, 563, 282, 311, 254, 32569, 15, 1183, 22545, 382],
  ],
  " bottom": [4853],
  " top": [1708],
  " State": [2341],
  " University": [2421],
  " __": [4623],
  " get": [751],
  " Church": [6240],
  " church": [5935],
};

const file = await realTokenizer();
Deno.test({
  name: "gelu-4l's own tokenizer gives the published ids (skipped where it is not on this machine)",
  ignore: file === undefined,
  async fn() {
    const tokenizer = await loadTokenizer(file!);
    assertEquals(tokenizer.bosId, 1);
    for (const [text, ids] of Object.entries(published)) {
      assertEquals(tokenizer.encode(text), ids, text);
      assertEquals(tokenizer.encode(text, { prependBos: true }), [1, ...ids], text);
      assertEquals(tokenizer.decode(ids), text);
    }
  },
});
