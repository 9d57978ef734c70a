/**
 * Prompts: token sequences of one length, as a model is run on them.
 *
 * File: safetensors with a tensor `tokens` [count, length] of integers and, if the kinds are known, `is_code`
 * [count]. Every id, the length and the count are checked against the model before anything runs. Does not
 * tokenize and does not download (see prompt_sets.ts).
 */
import type { ModelConfig } from "../config.ts";
import { dataFile } from "../data_folder.ts";
import { didYouMean } from "../nearest.ts";
import { checkGiven, checkOptionNames } from "../option_names.ts";
import { SafetensorsFile } from "../safetensors.ts";

/** What a text is. */
export type PromptKind = "prose" | "code";

/** Token sequences of one length, checked against the model before anything runs. */
export interface Prompts {
  /** Token ids, row-major [count, length]. */
  tokens: Int32Array<ArrayBuffer>;
  /** How many prompts. */
  count: number;
  /** Tokens of each. */
  length: number;
  /** What each prompt is, where the set records it. */
  kinds?: PromptKind[];
  /** Where they come from, for the reader of a result. */
  source: string;
}

/** Prompt sets that the project carries. */
const builtin: Record<string, { file: string; source: string }> = {
  "held-out": {
    file: "prompts/held-out.safetensors",
    source: "held-out text of the embedded model, see data/prompts/README.md",
  },
};

/** Sets that prompt_sets.ts fetches. */
const fetched = ["c4-code"];

/** Which part of a set is taken, and what it is checked against. */
export interface PromptOptions {
  /** The model they are for: ids and length are checked against it. */
  config?: Pick<ModelConfig, "d_vocab" | "n_ctx">;
  /** Use only the first so many prompts. */
  count?: number;
  /** Cut every prompt to its first so many tokens. */
  length?: number;
}

/** Loads a built-in prompt set ("held-out") or a safetensors file. */
export async function readPrompts(nameOrFile: string, options: PromptOptions = {}): Promise<Prompts> {
  const known = Object.hasOwn(builtin, nameOrFile) ? builtin[nameOrFile] : undefined;
  if (!known && !nameOrFile.endsWith(".safetensors")) {
    const names = [...Object.keys(builtin), ...fetched];
    if (fetched.includes(nameOrFile)) {
      throw new Error(
        `The prompt set "${nameOrFile}" is not carried but fetched: open it with loadPrompts().`,
      );
    }
    throw new Error(
      `There is no prompt set "${nameOrFile}".${didYouMean(nameOrFile, names)} ` +
        `Give ${names.map((name) => `"${name}"`).join(", ")} or the path of a .safetensors file; ` +
        "prompts from a file of texts are made by promptsFor(model, { texts: file }).",
    );
  }
  const file = await SafetensorsFile.open(known ? await dataFile(known.file) : nameOrFile);
  try {
    const info = file.tensors.get("tokens");
    if (!info || info.dims.length !== 2) {
      throw new Error(
        `${file.path} holds no "tokens" [count, length]${info ? `, they are [${info.dims}]` : ""}.`,
      );
    }
    const { dims: [count, length], data, dtype } = await file.read("tokens");
    if (!/^[IU]/.test(dtype)) throw new Error(`${file.path}: "tokens" are ${dtype}; integers were expected.`);
    if (count === 0 || length === 0) {
      throw new Error(`${file.path}: the prompt set is empty ([${count}, ${length}]).`);
    }
    const ids = data as ArrayLike<number | bigint>;
    const tokens = data instanceof Int32Array ? data : Int32Array.from(ids as ArrayLike<number>, Number);
    const odd = tokens.findIndex((id, i) => Number(ids[i]) !== id);
    if (odd >= 0) {
      const at = `prompt ${Math.floor(odd / length)} at position ${odd % length}`;
      throw new Error(
        `${file.path}: ${ids[odd]} in ${at} is no token id, which are from 0 to ${2 ** 31 - 1}.`,
      );
    }
    const prompts: Prompts = { tokens, count, length, source: known?.source ?? nameOrFile };
    if (file.tensors.has("is_code")) {
      const { data: isCode } = await file.read("is_code");
      prompts.kinds = Array.from(isCode as ArrayLike<number>, (code) => code ? "code" : "prose");
    }
    return checkPrompts(shorten(prompts, { count: options.count, length: options.length }), options.config);
  } finally {
    file.close();
  }
}

/**
 * The first `count` prompts, cut to `length` tokens.
 *
 * @example
 * ```ts
 * import { loadPrompts } from "./prompt_sets.ts";
 * const some = shorten(await loadPrompts("held-out"), { count: 2, length: 32 });
 * console.log(some.count, some.length); // 2 32
 * ```
 */
export function shorten(prompts: Prompts, options: Omit<PromptOptions, "config">): Prompts {
  checkGiven("shorten", "prompts", prompts, "prompts, such as await promptsFor(model)");
  checkOptionNames("shorten", options, { count: true, length: true });
  const { count = prompts.count, length = prompts.length } = options;
  for (
    const [what, asked, had] of [["prompts", count, prompts.count], ["tokens each", length, prompts.length]]
  ) {
    const number = asked as number;
    if (!Number.isInteger(number) || number < 1 || number > (had as number)) {
      throw new Error(`Cannot take ${asked} ${what} of ${prompts.source}: 1 to ${had} can be taken.`);
    }
  }
  if (count === prompts.count && length === prompts.length) return prompts;
  const tokens = new Int32Array(count * length);
  for (let row = 0; row < count; row++) {
    const start = row * prompts.length;
    tokens.set(prompts.tokens.subarray(start, start + length), row * length);
  }
  return {
    ...prompts,
    tokens,
    count,
    length,
    ...(prompts.kinds ? { kinds: prompts.kinds.slice(0, count) } : {}),
  };
}

/** The prompts of these rows, in this order. */
export function selectPrompts(prompts: Prompts, rows: readonly number[]): Prompts {
  const { length, kinds } = prompts;
  const tokens = new Int32Array(rows.length * length);
  rows.forEach((row, i) => tokens.set(prompts.tokens.subarray(row * length, (row + 1) * length), i * length));
  return { ...prompts, tokens, count: rows.length, ...(kinds && { kinds: rows.map((row) => kinds[row]) }) };
}

/**
 * Returns `prompts` when a model can be run on them. @throws for what is no prompts, an empty set, too long
 * prompts, and ids out of range.
 */
export function checkPrompts(prompts: Prompts, config?: Pick<ModelConfig, "d_vocab" | "n_ctx">): Prompts {
  const { tokens, count, length, kinds, source = "prompts without a source" } = prompts;
  if (!(tokens instanceof Int32Array) || !Number.isInteger(count) || !Number.isInteger(length)) {
    const got = (value: unknown) => value === null ? "null" : (value as object)?.constructor?.name ?? "none";
    throw new Error(
      `${source}: got tokens: ${
        got(tokens)
      }, count: ${count}, length: ${length}; expected an Int32Array of count · length ` +
        "token ids, and two whole numbers. model.prompts(texts) and packPrompts(…) make them.",
    );
  }
  if (count < 1 || length < 1) throw new Error(`${source}: the prompt set is empty ([${count}, ${length}]).`);
  if (tokens.length !== count * length) {
    throw new Error(`${source}: ${tokens.length} token ids do not fill [${count}, ${length}].`);
  }
  if (kinds && kinds.length !== count) {
    throw new Error(
      `${source}: got kinds (the sort of text, one for each prompt) for ${kinds.length} prompts; expected ${count}, ` +
        `or none. shorten(prompts, { count }) cuts both.`,
    );
  }
  if (config && length > config.n_ctx) {
    throw new Error(
      `${source}: prompts of ${length} tokens are longer than the model's context of ${config.n_ctx}. ` +
        `Cut them (length: ${config.n_ctx}).`,
    );
  }
  const end = config?.d_vocab ?? 2 ** 31;
  const bad = tokens.findIndex((id) => id < 0 || id >= end);
  if (bad >= 0) {
    const at = `prompt ${Math.floor(bad / length)} at position ${bad % length}`;
    const range = config
      ? `the model has ids 0 to ${end - 1}. Do the prompts belong to another model?`
      : "the least is 0.";
    throw new Error(`${source}: token id ${tokens[bad]} in ${at} is out of range; ${range}`);
  }
  return prompts;
}
