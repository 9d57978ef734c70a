/**
 * Prompts from texts, packed as in training: the documents' tokens one after the other, a separator between
 * them (BOS, or what the tokenizer has for it), cut into rows of one length; where BOS comes first, each row
 * begins with it. Never do two of these stand side by side, whatever the documents begin or end with; empty
 * documents are passed over. Nothing is padded: what does not fill the last row is left out. Documents of
 * token ids are packed as they are, and begin with BOS already or not.
 */
import type { ModelConfig } from "../config.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Document } from "./documents.ts";
import { checkGiven } from "../option_names.ts";
import { quoted } from "../quoted.ts";
import { checkPrompts, type Prompts } from "./prompts.ts";

/** How texts become prompts. */
export interface PackOptions {
  /** Of the model that they are for. */
  config: Pick<ModelConfig, "d_vocab" | "n_ctx" | "default_prepend_bos">;
  /** Needed for texts, not for token ids. */
  tokenizer?: Tokenizer;
  /**
   * Tokens of a prompt. Default: as many as leave 64 prompts, a power of two from 32 to `longest`, within the
   * model's context.
   */
  length?: number;
  /** Default 1024. */
  longest?: number;
  /** Tokens in all, at most. Default 131,072: beyond that medians no longer move. */
  maxTokens?: number;
  /** Named in messages and results. Default "texts". */
  source?: string;
}

const MOST_TOKENS = 2 ** 17, WANTED_PROMPTS = 64, SHORTEST = 32;
/** Of one document, at most this many characters for each token that is still wanted are tokenised. */
const CHARACTERS_PER_TOKEN = 12;

/**
 * Texts → prompts of one length, as in training: documents joined by the tokenizer's separator.
 * @throws when the texts do not fill one prompt, and for token ids that the model does not have
 *
 * @example
 * ```ts
 * import { loadModel } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { config, tokenizer } = model;
 * const texts = ["One text of some length.", "And another, which follows it."];
 * const packed = await packPrompts(texts, { config, tokenizer, length: 8, source: "my texts" });
 * console.log(packed.count, packed.length);
 * ```
 */
export async function packPrompts(
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: PackOptions,
): Promise<Prompts> {
  checkGiven("packPrompts", "documents", documents, 'texts, such as documents("texts.jsonl")');
  const { config, tokenizer, source = "texts", maxTokens = MOST_TOKENS, longest = 1024 } = options;
  if (!(Number.isInteger(maxTokens) && maxTokens > 0)) {
    throw new Error(`${source}: got ${maxTokens} as the most tokens; expected a positive whole number.`);
  }
  const bos = tokenizer?.bosId;
  const separator = tokenizer?.separatorId;
  const marks = [bos, separator];
  const isMark = (id: number | undefined) => id !== undefined && marks.includes(id);
  const stream: number[] = [];
  let nulls = 0;
  for await (const document of documents) {
    if (document === null) nulls++;
    const ids = document === null ? [] : await encode(document, maxTokens - stream.length, options);
    if (ids.length === 0) continue;
    if (stream.length > 0 && isMark(ids[0]) && isMark(stream.at(-1))) stream.pop();
    else if (stream.length > 0 && separator !== undefined && !isMark(ids[0]) && !isMark(stream.at(-1))) {
      stream.push(separator);
    }
    for (const id of ids) stream.push(id);
    if (stream.length >= maxTokens) break;
  }
  if (stream.length > maxTokens) stream.length = maxTokens;
  const length = options.length ?? bestLength(stream.length, Math.min(longest, config.n_ctx));
  if (!(Number.isInteger(length) && length > 1 && length <= config.n_ctx)) {
    throw new Error(
      `${source}: got prompts of ${length} tokens; expected 2 to ${config.n_ctx}, the model's context.`,
    );
  }
  const first = bos !== undefined && config.default_prepend_bos ? [bos] : [];
  const rows: number[][] = [];
  for (let at = 0;;) {
    // a document that begins with this row: its BOS is the row's
    if (first.length > 0 && stream[at] === bos) at++;
    const end = at + length - first.length;
    if (end > stream.length) break;
    rows.push([...first, ...stream.slice(at, end)]);
    at = end;
  }
  const count = rows.length;
  if (count === 0) {
    throw new Error(
      `${source}: its ${stream.length} tokens do not fill one prompt of ${length}. Give more text, or a smaller length.`,
    );
  }
  const tokens = Int32Array.from(rows.flat());
  const without = nulls ? `, ${nulls} ${nulls === 1 ? "row" : "rows"} without text passed over` : "";
  const packed = `${source}, packed${first.length ? ", BOS first" : ""}${without}`;
  return checkPrompts({ tokens, count, length, source: packed }, config);
}

async function encode(
  document: Exclude<Document, null>,
  wanted: number,
  { tokenizer, source = "texts" }: PackOptions,
): Promise<number[]> {
  if (Array.isArray(document)) return document;
  if (typeof document !== "string") { // a text that is read in pieces has a beginning to be asked for
    const pieces = typeof (document as { start?: unknown })?.start === "function";
    if (!pieces) {
      throw new Error(`${source}: got ${quoted(document, 60)}; expected texts, or lists of token ids.`);
    }
  }
  if (!tokenizer) {
    throw new Error(
      `${source} holds text, but the model has no tokenizer.json. Put one beside its weights, or give token ids ` +
        `(.safetensors or .parquet with "tokens").`,
    );
  }
  const most = CHARACTERS_PER_TOKEN * Math.max(1, wanted);
  return tokenizer.encode(
    typeof document === "string" ? document.slice(0, most) : await document.start(most),
  );
}

function bestLength(tokens: number, longest: number): number {
  let length = 2 ** Math.floor(Math.log2(longest));
  while (length > SHORTEST && tokens / length < WANTED_PROMPTS) length /= 2;
  return length < SHORTEST ? longest : length;
}
