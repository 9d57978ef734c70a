/**
 * Is what direct logit attribution (DLA) credits to a node taken back later? DLA takes a node's output w as
 * if it went straight to the logits. Here the output is taken out of the run, and what is missing at the end
 * is followed node by node (metrics/retention.ts). With u the direction between two answers over the clean
 * run's final scale, and c̃ what a later node writes in the run without w:
 *
 *     DLA(w) = w·u                             what DLA says
 *     DLA(w) + Σ (c - c̃)·u = DLA(Δ_end)        what later nodes leave of it
 *     DLA(Δ_end) + final scale = effect        by how much the logit difference falls without w
 *
 * Δ_end is what w has become at the end of the stream; the final scale answers the removal too. Each stands
 * beside its control, the node's own output rotated. A rotated vector has another DLA, so shares are
 * compared.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import { atPositions } from "../../metrics/retention.ts";
import type { Feeds, RunOptions } from "../../tensor/run.ts";
import { iota, type Tensor, where } from "../../tensor/tensor.ts";
import { promptsFor } from "../../transformer/load.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import {
  checkArguments,
  checkChoice,
  checkNames,
  checkNumber,
  checkOptions,
  RUN_OPTIONS,
  SEEDS,
} from "../options.ts";
import { repeatFeeds } from "../prompt_feeds.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import { ask, type Question, type QuestionOptions } from "./question.ts";
import type { AnswerRow, AttributionRow, StepRow, SumRow, TermRow } from "./rows.ts";
import { measureExchanged, measureRemoved, type Plan } from "./measure.ts";
import { attributions } from "./sum_check.ts";
import { AttributionSummary } from "./summary.ts";

/**
 * Where a node's output is taken out: at all positions but 0, at all, or at the one position that is looked
 * at.
 */
export type RemovedAt = "rest" | "all" | "position";

/** Which nodes, answers and controls. */
export interface AttributionOptions extends RunOptions, QuestionOptions {
  /** Nodes to check. Default: the `most` with the largest DLA. */
  nodes?: readonly string[];
  /** Default 6. */
  most?: number;
  /**
   * Default "rest": the node is out of the run, but for position 0, as in the post's patch and in
   * `retention`. A later head reads other positions too, and may erase here what it reads there. "position":
   * only the vector that DLA is about; the node's output elsewhere stays, and so does what later nodes make
   * of that.
   */
  removedAt?: RemovedAt;
  /**
   * Random rotations of the node's own output, as a control. Default: 32 for a single position, else 3; 0:
   * none.
   */
  rotations?: number;
  /**
   * Other texts, whose output takes a node's place where a text is asked about. Default: the model's own
   * prompts.
   */
  unrelated?: Prompts;
  /** At most so many of them. Default 20. 0: nothing is resampled, also of prompts. */
  samples?: number;
  /** Seed of the rotations and of the bootstrap. Default 1. */
  seed?: number;
}

const OPTIONS: Record<keyof AttributionOptions, true> = {
  answers: true,
  position: true,
  nodes: true,
  most: true,
  removedAt: true,
  rotations: true,
  unrelated: true,
  samples: true,
  seed: true,
  ...RUN_OPTIONS,
};

/** What becomes of the DLA of a model's nodes. */
export interface AttributionCheck {
  /**
   * The two answers to a text; absent for prompts, where they are another two at each position unless given.
   */
  answers?: AnswerRow[];
  /** One row a node, the largest DLA first. */
  rows: AttributionRow[];
  /** One row for each node and later node. */
  steps: StepRow[];
  /** DLA of every node and bias, in the order of the forward pass. */
  terms: TermRow[];
  /** DLA of all nodes beside the logit difference: they have to agree. */
  sum: SumRow;
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/**
 * Draws of the control where other prompts' outputs take the node's place: they vary over many samples
 * already.
 */
const RESAMPLED_ROTATIONS = 3;

/**
 * What later nodes take back of each node's DLA on a text, what is left, and what removing the node really
 * does, beside controls.
 * @param from a text, of which the last position is looked at (or option `position`); or prompts, of which
 * every position but 0 is
 * @throws for unknown options and nodes, answers that are not two tokens, a text longer than the context or
 * of a single token, a text for a model without a tokenizer; and where DLA of all nodes and biases does not
 * add up to the logit difference
 *
 * @example
 * ```ts
 * import { loadModel } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const options = { answers: [" the", " a"] as const, nodes: ["L1H5"], rotations: 4, samples: 0 };
 * const { rows: [row] } = await checkAttribution(model, "I like tea and", options);
 * console.log(row.dla, row.effect.logits);
 * ```
 */
export async function checkAttribution(
  model: Model,
  from: string | Prompts,
  options: AttributionOptions = {},
): Promise<AttributionCheck> {
  checkOptions("checkAttribution", options, OPTIONS);
  const { most = 6, removedAt = "rest", samples = 20, seed = 1 } = options;
  checkChoice("checkAttribution", "removedAt", removedAt, ["rest", "all", "position"]);
  checkNumber("checkAttribution", "most", most, { least: 1 });
  checkNumber("checkAttribution", "samples", samples, { least: 0 });
  checkNumber("checkAttribution", "seed", seed, SEEDS);
  checkArguments("checkAttribution", { model });
  if (typeof from !== "string") checkArguments("checkAttribution", { textOrPrompts: from });
  if (options.unrelated != null) checkArguments("checkAttribution", { unrelated: options.unrelated });
  const named = namedNodes(model, options.nodes);
  const quiet: RunOptions = { ...options, onProgress: undefined };
  const question = await ask(model, from, options, quiet);
  const { prompts, look, answers } = question;
  const single = look === "last" && prompts.count === 1;
  const { rotations = single ? 32 : 3 } = options;
  checkNumber("checkAttribution", "rotations", rotations, { least: 0 });
  if (removedAt === "position" && look !== "last") {
    throw new Error(
      `checkAttribution: removedAt "position" needs one position to look at; give a text, or option position`,
    );
  }
  const { terms, sum } = await attributions(model, question, quiet);
  const sizes = new Map(terms.map(({ name, size }) => [name, size]));
  const bySize = (names: readonly string[]) => [...names].sort((a, b) => sizes.get(b)! - sizes.get(a)!);
  const nodes = named ?? bySize(modelNodes(model.config).map((node) => node.name)).slice(0, most);

  const seeds = Array.from({ length: rotations }, (_, i) => seed + i);
  const others = await otherPrompts(model, from, question, options, samples);
  const blocks = Math.min(BLOCKS, prompts.count);
  const plan: Plan = { nodes, question, blocks, at: (w) => removedFrom(w, removedAt, prompts.length) };
  const phase = inPhases(options, others.feeds ? 2 : 1);
  const removed = await measureRemoved(model, plan, seeds, phase(0));
  const exchanged = others.feeds &&
    await measureExchanged(
      model,
      plan,
      seeds.slice(0, RESAMPLED_ROTATIONS),
      others.feeds,
      phase(1),
    );
  const summaries = nodes.map((node) => {
    const { own, controls } = removed.get(node)!;
    return new AttributionSummary(model.config, node, own.credits, controls, seed, exchanged?.get(node));
  });
  return {
    ...(answers && { answers }),
    rows: summaries.map((s) => s.row()),
    steps: summaries.flatMap((s) => s.steps()),
    terms,
    sum,
    assumptions: {
      model: model.name,
      tokens: `${prompts.count} of ${prompts.length}: ${prompts.source}`,
      lookedAt: look === "last" ? `position ${prompts.length - 1}` : "positions 1 and later, pooled",
      answers: answers
        ? answers.map(({ token, rank }) => `${JSON.stringify(token)} (rank ${rank})`).join(" against ")
        : options.answers
        ? options.answers.map((answer) => JSON.stringify(answer)).join(" against ")
        : "the two most probable next tokens of each position",
      removed: {
        rest: "at positions 1 and later",
        all: "at all positions",
        position: "where it is looked at",
      }[removedAt],
      control: rotations > 0 ? `the node's own output, rotated ${rotations} times, seed ${seed}` : "none",
      resampled: others.say,
      interval: blocks > 1
        ? "95 %, bootstrap over prompts (and draws of the control)"
        : "of the control alone: one prompt has no interval",
    },
  };
}

function namedNodes(model: Model, names?: readonly string[]): readonly string[] | undefined {
  if (names === undefined) return undefined;
  checkNames("checkAttribution", "nodes", names);
  for (const name of names) findNode(model.config, name);
  return names;
}

function removedFrom(w: Tensor, removedAt: RemovedAt, length: number): Tensor {
  if (removedAt !== "position") return atPositions(w, removedAt);
  return w.mul(where(iota("pos", "pos"), "Less", length - 1, 0, 1));
}

/** Which other prompts' outputs take a node's place, and in words why there are none. */
async function otherPrompts(
  model: Model,
  from: string | Prompts,
  { prompts, feeds }: Question,
  { unrelated }: AttributionOptions,
  samples: number,
): Promise<{ feeds?: Feeds; say: string }> {
  const { length, count } = prompts;
  const tokens = (others: Prompts) => feed(others, model.config).tokens;
  if (typeof from !== "string") {
    if (unrelated) {
      throw new Error(
        "checkAttribution: prompts are resampled from one another; option unrelated is for a text",
      );
    }
    if (samples === 0) return { say: "not asked for" };
    if (count < 2) return { say: "not measured: there is a single prompt" };
    return { feeds: { ...feeds, other: tokens(shiftedPrompts(prompts)) }, say: "each from the next prompt" };
  }
  if (samples === 0) return { say: "not asked for" };
  if (!unrelated && !model.promptSource) {
    return { say: "not measured: the model comes with no prompts; give some as option unrelated" };
  }
  const texts = unrelated ?? await promptsFor(model);
  if (!unrelated && texts.length < length) {
    return { say: `not measured: the model's prompts have ${texts.length} tokens, the text ${length}` };
  }
  if (texts.length < length) {
    throw new Error(
      `checkAttribution: the unrelated texts have ${texts.length} tokens, the text that is asked about ${length}; expected at least as many`,
    );
  }
  const others = shorten(texts, { length, count: Math.min(samples, texts.count) });
  const own = prompts.tokens.subarray(0, length);
  if (others.tokens.every((id, i) => id === own[i % length])) {
    throw new Error(
      "checkAttribution: the unrelated texts are the text itself; expected others to exchange its output for",
    );
  }
  return {
    feeds: { ...repeatFeeds(feeds, others.count), other: tokens(others) },
    say: `mean over the beginnings of ${others.count} texts: ${texts.source}`,
  };
}

/** Progress of all runs as parts of 100. */
function inPhases(options: RunOptions, phases: number): (index: number) => RunOptions {
  const { onProgress } = options;
  const began = performance.now();
  if (!onProgress) return () => options;
  return (index) => ({
    ...options,
    onProgress: ({ done, total }) =>
      onProgress({
        done: Math.round(100 * (index + done / total) / phases),
        total: 100,
        seconds: (performance.now() - began) / 1000,
      }),
  });
}
