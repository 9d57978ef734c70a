/**
 * The tokenizer in a GGUF file → tokenizer.json and tokenizer_config.json: byte-level BPE ("gpt2") whose
 * splitting is known.
 *
 * GGUF names how a text is split in "tokenizer.ggml.pre" instead of saying it; the expressions are those of
 * llama.cpp's llama-vocab.cpp. SentencePiece vocabularies ("llama") have scores in place of merges and are
 * not written as one: put the model's tokenizer.json beside the file.
 */
import type { GgufMetadata } from "./gguf_file.ts";

export interface GgufTokenizer {
  /** tokenizer.json */
  json: Record<string, unknown>;
  /** tokenizer_config.json */
  settings: Record<string, unknown>;
}

const BYTES = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const GPT2 = { ...BYTES, use_regex: true };
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const sequence = (...pretokenizers: unknown[]) => ({ type: "Sequence", pretokenizers });

const LLAMA3 = String
  .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

/** How texts are split, by "tokenizer.ggml.pre". */
const SPLITS: Readonly<Record<string, unknown>> = {
  "gpt-2": GPT2,
  smollm: sequence({ type: "Digits", individual_digits: true }, GPT2),
  "llama-bpe": sequence(split(LLAMA3), BYTES),
  qwen2: sequence(split(LLAMA3.replace("{1,3}", "")), BYTES),
};

/** Kinds of a token in "tokenizer.ggml.token_type". */
const CONTROL = 3, USER_DEFINED = 4;

/** undefined where the file has no such vocabulary. */
export function tokenizerJson(metadata: GgufMetadata): GgufTokenizer | undefined {
  const get = (key: string) => metadata[`tokenizer.ggml.${key}`];
  const [tokens, merges, types, pre] = [get("tokens"), get("merges"), get("token_type"), get("pre")];
  const texts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((x) => typeof x === "string");
  if (get("model") !== "gpt2" || !texts(tokens) || !texts(merges)) return undefined;
  if (typeof pre !== "string" || !Object.hasOwn(SPLITS, pre)) return undefined;
  const kinds = Array.isArray(types) ? types : [];
  const added = tokens.map((content, id) => ({ content, id, kind: Number(kinds[id]) }))
    .filter(({ kind, content }) => (kind === CONTROL || kind === USER_DEFINED) && content !== "")
    .map(({ content, id, kind }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: kind === CONTROL,
    }));
  const text = (key: string) => {
    const id = get(key);
    return typeof id === "number" ? tokens[id] : undefined;
  };
  const [bos, eos, addBos] = [text("bos_token_id"), text("eos_token_id"), get("add_bos_token")];
  return {
    json: {
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: SPLITS[pre],
      post_processor: null,
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    },
    settings: {
      ...(bos === undefined ? {} : { bos_token: bos }),
      ...(eos === undefined ? {} : { eos_token: eos }),
      ...(typeof addBos === "boolean" ? { add_bos_token: addBos } : {}),
    },
  };
}
