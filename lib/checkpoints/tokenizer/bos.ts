/**
 * BOS: which token it is, whether it comes first, and what stands between documents, by what the model's
 * files say.
 *
 * Which: tokenizer_config.json's "bos_token"; else the token that the tokenizer itself puts first; else
 * config.json's bos_token_id where that is a special token (saved by older programs it is often a class
 * default: 50256 in a model of 4,096 tokens); else a known name. First or not: as the tokenizer does it, by
 * its template or by "add_bos_token". In GPT-2, GPT-NeoX and GPT-Neo, whose tokenizers put nothing first, it
 * comes first all the same, as in TransformerLens: their <|endoftext|> stood between the texts in training.
 * TransformerLens' own toy models say so in their config.json.
 */
import { quoted } from "../quoted.ts";

type Json = Readonly<Record<string, unknown>>;

export interface BosFiles {
  /** tokenizer.json */
  tokenizer: Json;
  /** tokenizer_config.json, where there is one. */
  settings?: Json;
  /** config.json */
  config?: Json;
}

export interface Bos {
  bosId?: number;
  /** Whether it comes first; undefined where the model's own config.json decides. */
  first?: boolean;
  /** What stands between two documents. */
  separatorId?: number;
}

const NAMES = ["<|BOS|>", "<s>", "<bos>", "<|begin_of_text|>", "<|endoftext|>"];
/** In training these stood between texts, whatever the tokenizer does with a single one. */
const SEPARATED = ["gpt2", "gpt_neox", "gpt_neo"];

/** `idOf`: the id of a token's text, where the vocabulary has it. @throws for a "bos_token" that it lacks */
export function bosOf(
  { tokenizer, settings, config }: BosFiles,
  idOf: (text: string) => number | undefined,
): Bos {
  const special = specialIds(tokenizer);
  const template = templateStart(tokenizer.post_processor);
  const stated = tokenText(settings?.bos_token);
  const fromConfig = [config?.bos_token_id].flat()[0] as number; // a list in some newer files
  const named = NAMES.map(idOf).find((id) => id !== undefined);
  let bosId: number | undefined;
  if (stated !== undefined) {
    bosId = idOf(stated);
    if (bosId === undefined) throw new Error(`its vocabulary lacks the BOS token ${quoted(stated)}.`);
  } else if (template !== undefined) bosId = idOf(template);
  else bosId = special.has(fromConfig) ? fromConfig : named;

  const adds = settings?.add_bos_token;
  const puts = template !== undefined && idOf(template) === bosId;
  const kind = config?.model_type;
  const decided = typeof kind !== "string" || SEPARATED.includes(kind)
    ? undefined
    : typeof adds === "boolean"
    ? adds
    : puts;
  const first = bosId === undefined ? false : decided;
  const end = idOf("<|endoftext|>");
  const eos = tokenText(settings?.eos_token);
  const isSeparator = first !== false || bosId === end || (eos !== undefined && idOf(eos) === bosId);
  const separatorId = isSeparator ? bosId : end !== undefined && special.has(end) ? end : undefined;
  return {
    ...(bosId === undefined ? {} : { bosId }),
    ...(first === undefined ? {} : { first }),
    ...(separatorId === undefined ? {} : { separatorId }),
  };
}

/** "<s>", or {"content": "<s>", …} in older files. */
function tokenText(value: unknown): string | undefined {
  const text = typeof value === "object" && value !== null ? (value as { content?: unknown }).content : value;
  return typeof text === "string" ? text : undefined;
}

function specialIds({ added_tokens }: Json): Set<number> {
  const tokens = Array.isArray(added_tokens) ? added_tokens as { id: number; special?: unknown }[] : [];
  return new Set(tokens.filter(({ special }) => special === true).map(({ id }) => id));
}

/** The special token that a template of tokenizer.json puts before a single text. */
function templateStart(processor: unknown): string | undefined {
  const { type, single, processors } = (processor ?? {}) as Record<string, unknown>;
  if (type === "Sequence" && Array.isArray(processors)) {
    return processors.map(templateStart).find((start) => start !== undefined);
  }
  if (type !== "TemplateProcessing" || !Array.isArray(single)) return undefined;
  const id = (single[0] as { SpecialToken?: { id?: unknown } } | undefined)?.SpecialToken?.id;
  return typeof id === "string" ? id : undefined;
}
