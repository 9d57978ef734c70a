/**
 * Ids against those of the Rust library, which tests/reference/tokenizer_ids.py recorded; and what is refused
 * in place of other ids.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerOf } from "../../../lib/checkpoints/tokenizer/tokenizer.ts";

// deno-lint-ignore no-explicit-any
type Json = Record<string, any>;

const recorded = JSON.parse(
  Deno.readTextFileSync(new URL("../../reference/data/tokenizers.json", import.meta.url)),
) as {
  texts: string[];
  vocabularies: Record<string, Json>;
  cases: { name: string; vocabulary: string; parts: Json; ids: number[][] }[];
};

const made = (vocabulary: string, parts: Json) =>
  tokenizerOf({
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: vocabulary === "bytes" ? { type: "ByteLevel" } : null,
    ...structuredClone(recorded.vocabularies[vocabulary]),
    ...parts,
  }, "tokenizer.json");

for (const { name, vocabulary, parts, ids } of recorded.cases) {
  Deno.test(`tokenizer.json, ${name}: the ids are the Rust library's`, () => {
    const tokenizer = made(vocabulary, parts);
    recorded.texts.forEach((text, i) => assertEquals(tokenizer.encode(text), ids[i], JSON.stringify(text)));
  });
}

const refusals: [what: string, parts: Json, message: string][] = [
  ["a split that cannot be written so", {
    pre_tokenizer: {
      type: "Split",
      pattern: { Regex: "ab" },
      behavior: "MergedWithNext",
      invert: false,
    },
  }, '"Split" with "behavior" "MergedWithNext" by {"Regex":"ab"} is not supported'],
  [
    "an approximate normalizer",
    { normalizer: { type: "Precompiled", precompiled_charsmap: "" } },
    '"Precompiled"',
  ],
  ["an algorithm that there is not", {
    model: { type: "Nosuch", vocab: { a: 0 }, merges: [] },
  }, '"model.type" is "Nosuch"; BPE, Unigram, WordPiece, WordLevel are supported'],
  ["a regular expression that takes for ever", {
    pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false },
  }, '"(a+)+$" may have to try more than 100000000 ways'],
  ["a bracket that is not closed", {
    pre_tokenizer: { type: "Split", pattern: { Regex: "[[]?a+" }, behavior: "Isolated", invert: false },
  }, '"[[]?a+" lacks a "]"; a "[" in a class is written "\\['],
  ["an id of a thousand million", {
    added_tokens: [{ id: 1e9, content: "<x>", special: true }],
  }, '"<x>" has the id 1000000000; a whole number from 0 to 16777215'],
  ["an id that is text", { added_tokens: [{ id: "7", content: "<x>" }] }, '"<x>" has the id "7"'],
  ["two texts of one id", {
    model: { type: "BPE", vocab: { a: 0, b: 1, c: 1 }, merges: [] },
  }, '"b" and "c" have one id, 1.'],
  ["an added token with the id of another text", {
    model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
    added_tokens: [{ id: 0, content: "<x>" }],
  }, '"a" and "<x>" have one id, 0.'],
  ["an added token with another id than in the vocabulary, which the Rust library would not use", {
    model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
    added_tokens: [{ id: 2, content: "b" }],
  }, '"b" has two ids, 1 and 2.'],
  ["a replacement that is no text", {
    normalizer: {
      type: "Sequence",
      normalizers: [{ type: "Replace", pattern: { String: "a" }, content: [[1]] }],
    },
  }, '"Replace" has "content" [[1]]; a text was expected'],
  ["a decoder's pattern that is no text", {
    decoder: { type: "Replace", pattern: { String: 3 }, content: " " },
  }, '"Replace" has "pattern" {"String":3}; a text was expected'],
  ["a part whose kind turns the reading direction", {
    pre_tokenizer: { type: "\u202egnp.exe" },
  }, "Unknown PreTokenizer type: \\u202egnp.exe"],
  ["no pattern", {
    pre_tokenizer: { type: "Split", pattern: null, behavior: "Isolated", invert: false },
  }, "it has the pattern null"],
  [
    "a part that is text",
    { pre_tokenizer: { type: "Sequence", pretokenizers: ["a"] } },
    '"pretokenizers" ["a"]',
  ],
];
for (const [what, parts, message] of refusals) {
  Deno.test(`tokenizer.json with ${what} is refused`, () => {
    assertThrows(() => made("chars", parts), Error, message);
  });
}

Deno.test("A text that holds a token for whole words alone is refused, others are not", () => {
  const token = {
    id: 5000,
    content: "<cat>",
    single_word: true,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: false,
  };
  const tokenizer = made("chars", { added_tokens: [...recorded.vocabularies.chars.added_tokens, token] });
  assertThrows(() => tokenizer.encode("a<cat>b"), Error, '"<cat>" counts only where it is a whole word');
  assert(tokenizer.encode("step").length > 0);
});
