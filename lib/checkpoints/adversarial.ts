/**
 * adversarial.json: prompts on which direct logit attribution of a model's writer misleads (Figure 4).
 *
 * Format: `{ "prompts": [{ "text", "correct"?, "incorrect"? }], "source" }`. `correct` and `incorrect` are
 * answers of one token each, both or none; without them the two most probable next tokens are compared. They
 * are measurements of one model and stand beside its weights. Whether an answer is one token is checked where
 * it is used: it needs the tokenizer.
 */
import { readJsonObject } from "./json_file.ts";
import { quoted } from "./quoted.ts";

/** A prompt, and the two answers between which direct logit attribution is to tell. */
export interface AdversarialPrompt {
  /** The prompt, as text. */
  text: string;
  /**
   * Each one token, with the space in front where there is one. Default: the two most probable next tokens.
   */
  correct?: string;
  /** The other answer, as text. */
  incorrect?: string;
}

/** Prompts on which DLA of the writer misleads. */
export interface AdversarialPrompts {
  /** In the order of the figure. */
  prompts: AdversarialPrompt[];
  /** How they were found, for the reader. */
  source: string;
}

const KEYS = ["text", "correct", "incorrect"];

/** Checks a parsed adversarial.json. @throws naming the entry that is not as expected. */
export function parseAdversarial(
  json: Record<string, unknown>,
  source = "adversarial.json",
): AdversarialPrompts {
  if (!Array.isArray(json.prompts) || json.prompts.length === 0) {
    throw new Error(`${source}: "prompts" must be a list of at least one prompt, such as {"text": "…"}.`);
  }
  if (typeof json.source !== "string") {
    throw new Error(`${source}: "source" must say how the prompts were found.`);
  }
  const prompts = json.prompts.map((entry: unknown, i): AdversarialPrompt => {
    const refuse = (what: string): never => {
      throw new Error(`${source}: prompt ${i}: ${what}`);
    };
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
      return refuse(`got ${quoted(entry)}; expected an object with "text".`);
    }
    const fields = entry as Record<string, unknown>;
    for (const [key, value] of Object.entries(fields)) {
      if (!KEYS.includes(key)) {
        refuse(`got ${quoted(key)}; expected ${KEYS.map((k) => `"${k}"`).join(", ")}.`);
      }
      if (typeof value !== "string" || value === "") {
        refuse(`${quoted(key)} has ${quoted(value)}; a text of at least one character was expected.`);
      }
    }
    const { text, correct, incorrect } = fields as Partial<AdversarialPrompt>;
    if (text === undefined) return refuse(`has no "text".`);
    if ((correct === undefined) !== (incorrect === undefined)) {
      refuse(`has only one of "correct" and "incorrect"; give both, or none.`);
    }
    return { text, ...(correct === undefined ? {} : { correct, incorrect }) };
  });
  return { prompts, source: json.source };
}

/** Reads and checks an adversarial.json. */
export async function readAdversarial(path: string): Promise<AdversarialPrompts> {
  return parseAdversarial(await readJsonObject(path), path);
}
