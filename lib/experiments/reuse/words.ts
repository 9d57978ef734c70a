/**
 * What `reuse` found, in sentences. Each conclusion is printed on the condition that makes it true: an
 * interval that lies wholly on one side. Where it holds 0, the sentence says that nothing is shown.
 */
import { above, apart, below, listed, number, percent } from "../numbers_in_words.ts";
import type { Estimate } from "../rows.ts";
import type { ReuseResult } from "./reuse.ts";
import type { ReadRow } from "./rows.ts";

const within = ({ interval: [low, high] }: Estimate, digits = 3) =>
  `95 %: ${number(low, digits)} to ${number(high, digits)}`;

/** Whether a share is surely above that of a random span, and at least twice as large. */
const notably = (share: Estimate, more?: Estimate) => above(more) && more!.value >= share.value / 2;

/** Readers named in a sentence. */
const NAMED = 3;
/** Readers that take less than this from a span are not named. */
const LITTLE = 0.02;

/**
 * Paragraphs: the span, who reads it, what fills it afterwards, whether erasing helps, and what follows.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { reuse } from "./reuse.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const result = await reuse(model, prompts, { rotations: 2, lambdas: [1] });
 * console.log(reuseInWords(result).join("\n"));
 * ```
 */
export function reuseInWords(result: ReuseResult): string[] {
  return [
    spanInWords(result),
    readersInWords(result),
    filledInWords(result),
    helpsInWords(result),
    conclusion(result),
  ]
    .filter((text) => text !== "");
}

function spanInWords({ writer, spans: [own], cleaners }: ReuseResult): string {
  const many = own.k === 1 ? "one direction holds" : `${own.k} directions hold`;
  const by = cleaners.length > 0
    ? `${listed(cleaners)} ${cleaners.length === 1 ? "erases" : "erase"} it.`
    : "Nobody surely erases it, so nothing comes after the erasure.";
  return `${many[0].toUpperCase()}${many.slice(1)} ${
    percent(own.energy)
  } of the energy of what ${writer} writes; ` +
    `of a random vector's, ${number(100 * own.chance, 1)} %. ${by}`;
}

const inputs: Record<ReadRow["input"], string> = {
  Q: "the queries of",
  K: "the keys of",
  V: "the values of",
  MLP: "",
  unembed: "the unembedding",
};
const nameOf = ({ reader, input }: ReadRow) =>
  input === "unembed" ? inputs[input] : `${inputs[input]} ${reader}`.trim();

/**
 * Readers of whole layers, MLPs and the unembedding in one phase that take surely more from the writer's
 * span.
 */
function strongest(result: ReuseResult, phase: ReadRow["phase"], which: "more" | "moreRest"): ReadRow[] {
  const value = (row: ReadRow) => which === "more" ? row.all.value : row.rest.value;
  return result.read
    .filter((row) => row.span === "writer" && row.phase === phase && !/^L\d/.test(row.reader))
    .filter((row) => notably(which === "more" ? row.all : row.rest, row[which]) && value(row) >= LITTLE)
    .sort((a, b) => value(b) - value(a));
}

function readersInWords(result: ReuseResult): string {
  const between = strongest(result, "between", "more");
  if (between.length === 0) {
    return "That anybody between write and erasure takes much from these directions " +
      `(${percent(LITTLE)} of an input or more, and at least twice as much as from random ones; ` +
      "a layer's heads are taken as one) is not shown.";
  }
  const said = between.slice(0, NAMED)
    .map((row) => `${nameOf(row)} (${percent(row.all.value)} of all that they take in)`);
  return `Between write and erasure they are read by ${listed(said)}${
    between.length > NAMED ? ", among others" : ""
  }; each more than random ones.`;
}

/** What stands in the span at the end, beside random ones. */
function filledInWords(result: ReuseResult): string {
  const end = result.occupancy.filter(({ span }) => span === "writer").at(-1)!;
  const random = result.occupancy.filter(({ span }) => span === "random").at(-1)!;
  const first = `At the end of the stream they hold ${number(100 * end.all.value, 1)} % of it, random ones ` +
    `${number(100 * random.all.value, 1)} %`;
  const than = above(end.more) ? "surely more" : below(end.more) ? "surely less" : "no sure difference";
  const after = result.written.filter(({ span, phase }) => span === "writer" && phase === "after");
  const again = after.filter((row) => notably(row.all, row.more) && notably(row.rest, row.moreRest));
  const nodes = after.length === 0
    ? "No node comes after the last cleaner."
    : again.length > 0
    ? `After the last cleaner ${listed(again.map(({ node }) => node))} ${
      again.length === 1 ? "writes" : "write"
    } more into them than into random ones, and not because of what ${result.writer} wrote.`
    : `That any node after the last cleaner (${
      listed(after.map(({ node }) => node))
    }) writes at least twice as much into them as into random ones, also without what ${result.writer} wrote, is not shown.`;
  return `${first}: ${than}. ${nodes}`;
}

function helpsInWords({ putBack, helps, needed, neededMore }: ReuseResult): string {
  if (putBack.length === 0 || !helps) return "";
  const most = Math.max(...putBack.map(({ lambda }) => lambda)); // that of which `helps` speaks
  const of = (name: "writer" | "control") =>
    putBack.find(({ run, lambda }) => run === name && lambda === most)!;
  const own = of("writer"), control = of("control");
  const amounts =
    `Putting back ${own.lambda === 1 ? "what was erased" : `${own.lambda} of what was erased`} changes ` +
    `the loss by ${number(own.loss.value, 3)} nats a token, as much of a rotated vector by ${
      number(control.loss.value, 3)
    }`;
  const verdict = most <= 0
    ? "No part of it is put back, so whether erasing helps is not asked."
    : below(own.loss)
    ? "The model predicts better with it, so erasing does not help."
    : above(helps)
    ? above(own.loss)
      ? "So erasing helps, beyond what any such vector would disturb."
      : "That is more than any such vector does; that the model predicts worse with it is not shown."
    : below(helps)
    ? "It disturbs less than any such vector does: the later part of the model bears it well."
    : "It is not shown to disturb more than any such vector, nor that erasing helps for what the output says.";
  const row = needed.find(({ span }) => span === "writer")!;
  const read = above(neededMore)
    ? "surely more than"
    : below(neededMore)
    ? "surely less than"
    : "not surely another amount than";
  return `${amounts} (difference ${number(helps.value, 3)}; ${within(helps)}). ${verdict} ` +
    `With what stands in the directions at the end exchanged for its mean, the predictions change by ${
      number(row.divergence.value, 3)
    } nats (KL), ${read} with random directions.`;
}

/** Step 4 of the post's definition has two halves: other content is there, and it is read. */
export function halves(result: ReuseResult): { content: boolean; read: boolean } {
  const end = result.occupancy.filter(({ span }) => span === "writer").at(-1)!;
  return {
    content: result.cleaners.length > 0 && above(end.more) && above(end.moreRest),
    read: result.cleaners.length > 0 &&
      (above(result.neededMore) ||
        strongest(result, "after", "moreRest").some(({ input }) => input !== "unembed")),
  };
}

/** One number of the writer's span and of the not erased node's, and which is surely larger. */
export interface Beside {
  /** The writer's. */
  own: Estimate;
  /** The other node's. */
  other: Estimate;
  /** What the writer's is beside it. */
  which: "more" | "less" | "not surely another amount";
}

/**
 * Beside the span of the node that is not erased: other content at the end of the stream, and how much the
 * predictions depend on it. Undefined where there is no such node, or no unembedding.
 */
export function besideNotErased(result: ReuseResult): { content: Beside; read: Beside } | undefined {
  const of = (own?: Estimate, other?: Estimate): Beside | undefined =>
    own && other && { own, other, which: apart(own, other) ?? "not surely another amount" };
  const end = (name: string) => result.occupancy.filter(({ span }) => span === name).at(-1)?.rest;
  const kl = (name: string) => result.needed.find(({ span }) => span === name)?.divergence;
  const content = of(end("writer"), end("other")), read = of(kl("writer"), kl("other"));
  return content && read && { content, read };
}

const FREED = "that the directions are used again because they were freed is not shown.";

function conclusion(result: ReuseResult): string {
  if (result.cleaners.length === 0) return "";
  const { content, read } = halves(result);
  if (content && read) return besideInWords(result);
  if (content) {
    return "So other content is there, more than in random directions; that it is read is not shown.";
  }
  if (read) {
    return "So what stands there is read more than in random directions; that more stands there is not shown.";
  }
  return "So that the freed directions are used again, more than any others are, is not shown.";
}

/** A node that nobody erases passes a comparison with random directions, too: it is the one that counts. */
function besideInWords(result: ReuseResult): string {
  const { other } = result, beside = besideNotErased(result);
  if (!other || !beside) {
    return "So other content is there, and it is read, more than in random directions. There is no node that is " +
      `not erased to compare with: ${FREED}`;
  }
  const { content, read } = beside;
  if (content.which === "more" && read.which === "more") {
    return "So the freed directions are used again: other content is there, and it is read, more than in random " +
      `directions, and more than in those of ${other}, which is not erased.`;
  }
  const amount = {
    "more": "more",
    "less": "less",
    "not surely another amount": "not surely another amount of",
  };
  return "So other content is there, and it is read, more than in random directions. But beside the directions of " +
    `${other}, which is not erased, there is ${amount[content.which]} other content in them ` +
    `(${percent(content.own.value)} against ${
      percent(content.other.value)
    }), and the predictions depend on them ` +
    `${read.which === "not surely another amount" ? "not surely to another degree" : read.which} ` +
    `(${number(read.own.value, 3)} against ${number(read.other.value, 3)} nats): ${FREED}`;
}
