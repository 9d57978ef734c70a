/**
 * Text ↔ token ids from a `tokenizer.json`, through @huggingface/tokenizers, where that gives the ids of the
 * Rust library (exact.ts).
 *
 * Special tokens in a text count as themselves. BOS is added here, on request, once: a text that begins with
 * it has it already (bos.ts says which token it is).
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { readJsonObject } from "../json_file.ts";
import { quoted, saidBy } from "../quoted.ts";
import { type Bos, type BosFiles, bosOf } from "./bos.ts";
import { exactTokenizer } from "./exact.ts";

/** Text ↔ token ids, as the model's tokenizer.json says. */
export interface Tokenizer {
  /** Token ids of `text`; with `prependBos` (default: false) the BOS id comes first. */
  encode(text: string, options?: { prependBos?: boolean }): number[];
  /** The text of `ids`, special tokens included. @throws on an id that the vocabulary does not have. */
  decode(ids: Iterable<number>): string;
  /** The text of one token, leading space included, such as " State". A part of a character becomes "�". */
  decodeToken(id: number): string;
  /** Id of the beginning-of-sequence token, where there is one. */
  readonly bosId: number | undefined;
  /** Id of the token that stands between two documents, where there is one. */
  readonly separatorId?: number | undefined;
  /**
   * Whether the model's files say that BOS comes before a text; undefined: they leave it to
   * `default_prepend_bos`.
   */
  readonly bosFirst?: boolean | undefined;
  /** Number of ids: the largest one plus one. */
  readonly size: number;
}

/** What stands beside tokenizer.json and says which token is BOS. */
export type TokenizerOptions = Omit<BosFiles, "tokenizer">;

/** Reads a tokenizer.json. @throws when the file is missing, damaged, or of a kind that is not supported. */
export async function loadTokenizer(path: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
  return tokenizerOf(await readJsonObject(path), path, options);
}

/** A parsed tokenizer.json; `path` names it in errors. */
export function tokenizerOf(
  json: Readonly<Record<string, unknown>>,
  path: string,
  options: TokenizerOptions = {},
): Tokenizer {
  const vocab = (json.model as { vocab?: unknown } | null | undefined)?.vocab;
  if (typeof vocab !== "object" || vocab === null) {
    throw new Error(`${path} is not a tokenizer.json: "model.vocab" is missing.`);
  }
  try {
    const inner = new HuggingFaceTokenizer({ ...exactTokenizer(json) }, {});
    return wrap(inner, path, bosOf({ ...options, tokenizer: json }, (text) => inner.token_to_id(text)));
  } catch (error) {
    throw new Error(`${path} cannot be used as a tokenizer: ${saidBy(error, 1000)}`, { cause: error });
  }
}

function wrap(inner: HuggingFaceTokenizer, path: string, bos: Bos): Tokenizer {
  const known = new Set(inner.get_vocab(true).values());
  if (known.size === 0) throw new Error("its vocabulary is empty.");
  let size = 0;
  for (const id of known) size = Math.max(size, id + 1);
  const { bosId } = bos;
  const wholeWords = [...inner.get_added_tokens_decoder().values()].filter((token) => token.single_word);
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
    separatorId: bos.separatorId,
    bosFirst: bos.first,
    size,
    encode(text, { prependBos = false } = {}) {
      const whole = wholeWords.find(({ content }) => text.includes(content));
      if (whole) {
        throw new Error(
          `${path}: the token ${
            quoted(whole.content)
          } counts only where it is a whole word ("single_word"), ` +
            `which is not supported, and the text holds it. Leave it out.`,
        );
      }
      const encoded = inner.encode(text, { add_special_tokens: false }).ids;
      const lost = encoded.findIndex((id) => id === undefined);
      if (lost >= 0) throw new Error(`${path} has no id for piece ${lost} of ${quoted(text)}.`);
      if (!prependBos || (encoded.length > 0 && encoded[0] === bosId)) return encoded;
      if (bosId === undefined) {
        throw new Error(
          `BOS was asked for, but ${path} and the files beside it name none, and it has none of the usual ones. ` +
            `Encode without it.`,
        );
      }
      return [bosId, ...encoded];
    },
    decode: (list) => decode([...list]),
    decodeToken: (id) => decode([id]),
  };
}
