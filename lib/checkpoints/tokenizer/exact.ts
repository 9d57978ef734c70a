/**
 * tokenizer.json → what makes @huggingface/tokenizers give the ids of the Rust library, or a refusal.
 *
 * The two disagree in places (found by comparing them, tests/checkpoints/tokenizer_oracle.py): the digits of
 * `Digits` are those of ASCII there and all numerals here (½, ①, Ⅳ); `Whitespace` and `Punctuation` know
 * ASCII words or join marks; JavaScript's \s has U+FEFF and lacks U+0085; `Metaspace` and most behaviours of
 * `Split` do not split. Each of these is written as a `Split` by a regular expression that the library reads
 * as Rust's does. What cannot be written so is refused by name.
 */
import { quoted } from "../quoted.ts";
import { checkPattern } from "./regex_time.ts";

type Part = Readonly<Record<string, unknown>>;

/**
 * The largest vocabularies have a million entries. Beyond this an id is damage, and a table up to it would
 * fill the memory.
 */
const MOST_IDS = 1 << 24;

/** GPT-2's words: what `ByteLevel` splits by. */
const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const PUNCTUATION = String.raw`[\p{P}\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]`;

/** @throws with what is not supported, or cannot be */
export function exactTokenizer(json: Part): Part {
  checkVocabulary(json);
  const { normalizer, pre_tokenizer, model } = json as {
    normalizer?: Part;
    pre_tokenizer?: Part;
    model: Part;
  };
  if (model.dropout != null && model.dropout !== 0) {
    refuse(`"dropout" ${quoted(model.dropout)} makes its ids random.`);
  }
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if (model.type === "BPE" && model[key] != null && model[key] !== "") {
      refuse(`BPE with "${key}" ${quoted(model[key])} is not supported.`);
    }
  }
  for (const part of [normalizer, pre_tokenizer, json.decoder]) checkTexts(part);
  return {
    ...json,
    post_processor: null, // adds special tokens, which bos.ts does
    normalizer: normalizer == null ? null : exactNormalizer(normalizer),
    pre_tokenizer: pre_tokenizer == null ? null : exactPreTokenizer(pre_tokenizer),
  };
}

function refuse(what: string): never {
  throw new Error(what);
}

function isPart(value: unknown): value is Part {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const MODELS = ["BPE", "Unigram", "WordPiece", "WordLevel"];

function checkVocabulary({ model, added_tokens }: Part): void {
  if (!isPart(model)) refuse(`"model" is ${quoted(model)}.`);
  const { vocab, merges, type } = model as Part;
  // Old files leave it out.
  if (type != null && !MODELS.includes(type as string)) {
    refuse(`"model.type" is ${quoted(type)}; ${MODELS.join(", ")} are supported.`);
  }
  const ids = new Map<string, unknown>(), texts = new Map<unknown, string>();
  const check = (text: string, id: unknown) => {
    if (!(Number.isInteger(id) && id as number >= 0 && id as number < MOST_IDS)) {
      const expected = `a whole number from 0 to ${MOST_IDS - 1} was expected.`;
      return refuse(`${quoted(text)} has the id ${quoted(id)}; ${expected}`);
    }
    const otherId = ids.get(text) ?? id, otherText = texts.get(id) ?? text;
    if (otherId !== id) refuse(`${quoted(text)} has two ids, ${otherId} and ${id}.`);
    if (otherText !== text) refuse(`${quoted(otherText)} and ${quoted(text)} have one id, ${id}.`);
    ids.set(text, id);
    texts.set(id, text);
  };
  if (Array.isArray(vocab)) {
    if (vocab.length > MOST_IDS) refuse(`its vocabulary has ${vocab.length} entries.`);
    const odd = vocab.find((entry) =>
      !(Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]))
    );
    if (odd !== undefined) refuse(`its vocabulary holds ${quoted(odd)}; [text, score] was expected.`);
  } else for (const [text, id] of Object.entries(vocab as Part)) check(text, id);
  if (model.type === "BPE") {
    const isMerge = (m: unknown) =>
      typeof m === "string" ||
      (Array.isArray(m) && m.length === 2 && m.every((part) => typeof part === "string"));
    if (!Array.isArray(merges)) return refuse(`"model.merges" is ${quoted(merges)}; a list was expected.`);
    const odd = merges.findIndex((m) => !isMerge(m));
    if (odd >= 0) refuse(`"model.merges" holds ${quoted(merges[odd])}; "left right" was expected.`);
  }
  if (!Array.isArray(added_tokens)) {
    return refuse(`"added_tokens" is ${quoted(added_tokens)}; a list was expected.`);
  }
  for (const token of added_tokens as unknown[]) {
    if (!isPart(token) || typeof token.content !== "string" || token.content === "") {
      return refuse(`"added_tokens" holds ${quoted(token)}; {"id", "content"} was expected.`);
    }
    check(token.content, token.id);
  }
}

const TEXTS = ["content", "prepend", "replacement", "prefix", "suffix", "pad_token", "word_delimiter_token"];
const PARTS = ["normalizers", "pretokenizers", "decoders"];

/** What is inserted into texts is text: JavaScript would write anything else as one, Rust refuses it. */
function checkTexts(part: unknown): void {
  if (!isPart(part)) return;
  for (const key of TEXTS) {
    if (part[key] == null || typeof part[key] === "string") continue;
    refuse(`${quoted(part.type)} has "${key}" ${quoted(part[key])}; a text was expected.`);
  }
  const pattern = isPart(part.pattern) ? part.pattern.String ?? part.pattern.Regex : part.pattern;
  if (pattern != null && typeof pattern !== "string") {
    refuse(`${quoted(part.type)} has "pattern" ${quoted(part.pattern)}; a text was expected.`);
  }
  for (const key of PARTS) {
    if (Array.isArray(part[key])) part[key].forEach(checkTexts);
  }
}

function exactNormalizer(part: Part): Part {
  const { type } = part;
  if (type === "Sequence") return { ...part, normalizers: list(part, "normalizers").map(exactNormalizer) };
  if (type === "Precompiled") return refuse(`the normalizer "Precompiled" is not supported.`);
  if (type === "Replace") {
    checkPattern(part.pattern);
    return part;
  }
  if (type !== "Strip") return part;
  const side = (wanted: unknown, Regex: string) =>
    wanted === false ? [] : [{ type: "Replace", pattern: { Regex }, content: "" }];
  return {
    type: "Sequence",
    normalizers: [...side(part.strip_left, String.raw`\A\s+`), ...side(part.strip_right, String.raw`\s+\z`)],
  };
}

const isolated = (Regex: string): Part => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Isolated",
  invert: false,
});
const splitIntoMatches = (Regex: string): Part => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Removed",
  invert: true,
});
const splitAt = (Regex: string): Part => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Removed",
  invert: false,
});
const sequence = (...pretokenizers: Part[]): Part => ({ type: "Sequence", pretokenizers });

function exactPreTokenizer(part: Part): Part {
  switch (part.type) {
    case "Sequence":
      return { ...part, pretokenizers: list(part, "pretokenizers").map(exactPreTokenizer) };
    case "Digits":
      return isolated(part.individual_digits ? String.raw`\p{N}` : String.raw`\p{N}+`);
    case "Whitespace":
      return splitIntoMatches(String.raw`\w+|[^\w\s]+`);
    case "WhitespaceSplit":
      return splitIntoMatches(String.raw`\S+`);
    case "ByteLevel": {
      if (part.use_regex === false) return part;
      // (`\A` would match inside a surrogate pair, by a fault of V8.)
      const space = part.add_prefix_space
        ? [{ type: "Metaspace", replacement: " ", prepend_scheme: "always" }]
        : [];
      return sequence(...space, isolated(GPT2_WORDS), { ...part, add_prefix_space: false, use_regex: false });
    }
    case "Metaspace": {
      const { replacement = "▁", split = true, add_prefix_space, prepend_scheme } = part;
      if (typeof replacement !== "string" || [...replacement].length !== 1) {
        return refuse(`"Metaspace" has "replacement" ${quoted(replacement)}; one character was expected.`);
      }
      const spaces = {
        ...part,
        prepend_scheme: add_prefix_space === false ? "never" : prepend_scheme ?? "always",
      };
      return split === false ? spaces : sequence(spaces, splitAt(`(?=${escaped(replacement)})`));
    }
    case "Punctuation":
      return exactSplit(
        { ...part, behavior: part.behavior ?? "Isolated", pattern: { Regex: PUNCTUATION } },
        true,
      );
    case "Split":
      return exactSplit(part, false);
    case "BertPreTokenizer":
    case "Replace":
    case "FixedLength":
      return refuse(`the pre-tokenizer "${part.type}" is not supported.`);
    default:
      return part; // the library refuses what it does not know
  }
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** `single`: the pattern matches one character. */
function exactSplit(part: Part, single: boolean): Part {
  const pattern = checkPattern(part.pattern);
  const regex = pattern.Regex ?? escaped(pattern.String!);
  const oneCharacter = single || (pattern.String !== undefined && [...pattern.String].length === 1);
  const { behavior, invert } = part;
  const kind = String(behavior).toLowerCase().replaceAll(/[^a-z]/g, "");
  if (kind === "isolated") return isolated(regex);
  if (kind === "removed" && invert) return splitIntoMatches(regex);
  if (kind === "removed" && !/\((?!\?)/.test(regex)) return splitAt(regex);
  if (oneCharacter && !invert) {
    if (kind === "contiguous") return isolated(`(?:${regex})+`);
    if (kind === "mergedwithprevious") return splitAt(`(?<=${regex})`);
    if (kind === "mergedwithnext") return splitAt(`(?=${regex})`);
  }
  return refuse(
    `"${part.type}" with "behavior" ${quoted(behavior)}${invert ? ' and "invert"' : ""} by ${
      quoted(part.pattern)
    } is not supported.`,
  );
}

function list(part: Part, key: string): Part[] {
  const parts = part[key];
  if (Array.isArray(parts) && parts.every(isPart)) return parts;
  return refuse(`"${part.type}" has "${key}" ${quoted(parts)}; a list of parts was expected.`);
}
