/**
 * Text ↔ token ids from a `tokenizer.json`, through @huggingface/tokenizers.
 *
 * Byte-level BPE of the GPT-NeoX kind (gelu-4l's and the embedded model's) has no special-token template of its own: BOS is
 * added here, on request, as TransformerLens does.
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { readJsonObject } from "./json_file.ts";

export interface Tokenizer {
  /** Token ids of `text`; with `prependBos` (default: false) the BOS id comes first. */
  encode(text: string, options?: { prependBos?: boolean }): number[];
  /** The text of `ids`, special tokens included. @throws on an id that the vocabulary does not have. */
  decode(ids: Iterable<number>): string;
  /** The text of one token, leading space included, such as " State". A part of a character becomes "�". */
  decodeToken(id: number): string;
  /** Id of the beginning-of-sequence token, where there is one. */
  readonly bosId: number | undefined;
  /** Number of ids: the largest one plus one. */
  readonly size: number;
}

const bosNames = ["<|BOS|>", "<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>"];

/** Which token is BOS, where something beside tokenizer.json says so. Without both: the first of `bosNames` in the vocabulary. */
export interface TokenizerOptions {
  /** Its text, such as "<s>". */
  bosToken?: string;
  /** Its id; counts where there is no `bosToken`. */
  bosId?: number;
}

/** Reads a tokenizer.json. @throws when the file is missing, damaged, or of a kind that the library does not support. */
export async function loadTokenizer(path: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
  const json = await readJsonObject(path);
  const vocab = (json.model as { vocab?: unknown } | undefined)?.vocab;
  if (typeof vocab !== "object" || vocab === null) {
    throw new Error(`${path} is not a tokenizer.json: "model.vocab" is missing.`);
  }
  try {
    return wrap(new HuggingFaceTokenizer(json, {}), path, options);
  } catch (error) {
    throw new Error(`${path} cannot be used as a tokenizer: ${(error as Error).message}`, { cause: error });
  }
}

function wrap(inner: HuggingFaceTokenizer, path: string, options: TokenizerOptions): Tokenizer {
  const ids = [...inner.get_vocab(true).values()];
  if (ids.length === 0) throw new Error("its vocabulary is empty.");
  const size = ids.reduce((largest, id) => Math.max(largest, id), 0) + 1;
  const known = new Set(ids);
  const bosId = findBos(inner, known, options);
  const decode = (list: number[]) => {
    for (const id of list) {
      if (!known.has(id)) {
        throw new Error(
          `Token id ${id} is not in the vocabulary of ${path}, whose ids go from 0 to ${size - 1}.`,
        );
      }
    }
    if (list.length === 0) return "";
    return inner.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  };
  return {
    bosId,
    size,
    encode(text, { prependBos = false } = {}) {
      const encoded = inner.encode(text, { add_special_tokens: false }).ids;
      const lost = encoded.findIndex((id) => id === undefined);
      if (lost >= 0) {
        throw new Error(`${path} has no id for piece ${lost} of ${JSON.stringify(text.slice(0, 60))}.`);
      }
      if (!prependBos) return encoded;
      if (bosId === undefined) {
        throw new Error(
          `BOS was asked for, but ${path} has none of ${
            bosNames.join(", ")
          }, and nothing beside it names one. ` +
            `Encode without it.`,
        );
      }
      return [bosId, ...encoded];
    },
    decode: (list) => decode([...list]),
    decodeToken: (id) => decode([id]),
  };
}

function findBos(
  inner: HuggingFaceTokenizer,
  known: ReadonlySet<number>,
  { bosToken, bosId }: TokenizerOptions,
): number | undefined {
  if (bosToken !== undefined) {
    const id = inner.token_to_id(bosToken);
    if (id === undefined) throw new Error(`its vocabulary lacks the BOS token ${JSON.stringify(bosToken)}.`);
    return id;
  }
  if (bosId !== undefined) {
    if (!known.has(bosId)) throw new Error(`its vocabulary lacks the BOS id ${bosId} of config.json.`);
    return bosId;
  }
  const name = bosNames.find((name) => inner.token_to_id(name) !== undefined);
  return name === undefined ? undefined : inner.token_to_id(name);
}
