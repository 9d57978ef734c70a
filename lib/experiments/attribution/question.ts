/** What is asked: which tokens, which positions of them, and between which two answers at each. */
import { checkPrompts, type Prompts, shorten } from "../../checkpoints/mod.ts";
import { outputSize } from "../../checkpoints/config.ts";
import { topTwo } from "../../metrics/attribution.ts";
import { NdArray } from "../../tensor/nd_array.ts";
import { type Feeds, run, type RunOptions } from "../../tensor/run.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { oneToken } from "../adversarial.ts";
import type { AnswerRow } from "./rows.ts";

export interface Question {
  /**
   * Cut after the position that is looked at, where it is one: later tokens do not change what stands there.
   */
  prompts: Prompts;
  /** The last position of each prompt, or all but position 0. */
  look: "last" | "rest";
  /** Ids of the two answers [batch, pos] as the run's inputs "first" and "second", and the tokens. */
  feeds: Feeds;
  /** The text's answers; absent where many positions are looked at. */
  answers?: AnswerRow[];
}

/** Which answers, at which position. */
export interface QuestionOptions {
  /** Two tokens, as text or id. */
  answers?: readonly [string | number, string | number];
  /** The position that is looked at, from 1. */
  position?: number;
}

/**
 * Tokens of the text or prompts, cut after the position. @throws when nothing but position 0 is there to look
 * at
 */
function cut(model: Model, from: string | Prompts, position?: number): Prompts {
  const prompts = typeof from === "string"
    ? { ...model.prompts([from]), source: `text ${JSON.stringify(from)}` }
    : checkPrompts(from, model.config);
  const { length, source } = prompts;
  if (length < 2) {
    throw new Error(
      `checkAttribution: ${source}: got ${length} token; expected at least 2, ` +
        `since position 0 is a class of its own and is not looked at`,
    );
  }
  if (position === undefined) return prompts;
  if (!(Number.isInteger(position) && position >= 1 && position < length)) {
    throw new Error(`checkAttribution: got position ${position}; expected 1 … ${length - 1} for ${source}`);
  }
  return shorten(prompts, { length: position + 1 });
}

/** Ids of the answers that were asked for. @throws unless they are two different tokens of the model */
function answerIds(model: Model, answers: readonly (string | number)[]): [number, number] {
  if (!Array.isArray(answers) || answers.length !== 2) {
    throw new Error(
      `checkAttribution: got answers ${JSON.stringify(answers)}; expected two, such as [" a", " b"]`,
    );
  }
  const ids = answers.map((answer) => {
    if (typeof answer === "string") {
      if (model.tokenizer) return oneToken(model, answer);
      throw new Error(
        `checkAttribution: model ${model.name} has no tokenizer.json; give answers as token ids`,
      );
    }
    const size = outputSize(model.config);
    if (Number.isInteger(answer) && answer >= 0 && answer < size) return answer;
    throw new Error(`checkAttribution: got answer id ${answer}; expected a whole number below ${size}`);
  });
  if (ids[0] === ids[1]) {
    throw new Error(
      `checkAttribution: both answers are token ${ids[0]} (${JSON.stringify(answers[0])}); expected two`,
    );
  }
  return [ids[0], ids[1]];
}

export async function ask(
  model: Model,
  from: string | Prompts,
  { answers, position }: QuestionOptions,
  options: RunOptions,
): Promise<Question> {
  const prompts = cut(model, from, position);
  const { count, length } = prompts;
  const wanted = answers && answerIds(model, answers);
  const tokens = feed(prompts, model.config);
  const look = typeof from === "string" || position !== undefined ? "last" : "rest";
  const clean = model.forward();
  const both = (first: Int32Array, second: Int32Array): Feeds => {
    const ids = (data: Int32Array) =>
      new NdArray(data as Int32Array<ArrayBuffer>, ["batch", "pos"], [count, length]);
    return { ...tokens, first: ids(first), second: ids(second) };
  };
  const everywhere = (id: number) => new Int32Array(count * length).fill(id);
  if (typeof from !== "string") {
    if (wanted) return { prompts, look, feeds: both(everywhere(wanted[0]), everywhere(wanted[1])) };
    const { first, second } = topTwo(clean);
    const top = await run({ first, second }, tokens, options);
    return { prompts, look, feeds: both(Int32Array.from(top.first.data), Int32Array.from(top.second.data)) };
  }
  const logits = clean.linearLogits.select("pos", length - 1);
  const { logits: { data } } = await run({ logits }, tokens, options);
  const order = [...data.keys()].sort((a, b) => data[b] - data[a]);
  const ids = wanted ?? [order[0], order[1]];
  const rows = ids.map((id) => ({
    token: model.tokenizer!.decodeToken(id),
    id,
    logit: data[id],
    rank: order.indexOf(id) + 1,
  }));
  return { prompts, look, feeds: both(everywhere(ids[0]), everywhere(ids[1])), answers: rows };
}
