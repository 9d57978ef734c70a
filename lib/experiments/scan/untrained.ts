/**
 * The untrained null: the same scan of the same model with the values of each weight shuffled. Every matrix keeps its size and its
 * distribution of values and loses what training put into it, so whatever is found here is found by chance.
 */
import { Random } from "../../stats/random.ts";
import { Model } from "../../transformer/model.ts";
import type { Weights } from "../../transformer/weights.ts";
import type { Candidate } from "./candidates.ts";
import type { Verdict } from "./cleaners.ts";

export interface UntrainedResult {
  prompts: number;
  /** Writers that went on to the second pass, and those that count as found. */
  examined: string[];
  found: string[];
  /** Largest drop of a median PR among all nodes. */
  largestDrop: number;
}

/** A model of the same form whose weights are each shuffled. */
export function shuffled(model: Model, seed: number): Model {
  const random = new Random(seed);
  const weights: Weights = new Map();
  for (const [name, { data, dims }] of model.weights) {
    const copy = data.slice();
    for (let i = copy.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    weights.set(name, { data: copy, dims });
  }
  const { config, processing, tokenizer } = model;
  return new Model({
    name: `${model.name}, weights shuffled`,
    config,
    weights,
    processing,
    ...(tokenizer && { tokenizer }),
  });
}

/** What the scan of a shuffled model says, in short. */
export function summarize(
  prompts: number,
  writers: readonly { candidate: Candidate; verdict: Verdict }[],
  passedOver: readonly Candidate[],
): UntrainedResult {
  const drops = [...passedOver, ...writers.map((w) => w.candidate)].map((c) => c.drop).filter(
    Number.isFinite,
  );
  return {
    prompts,
    examined: writers.map((w) => w.candidate.name),
    found: writers.filter((w) => w.verdict.notFound === undefined).map((w) => w.candidate.name),
    largestDrop: Math.max(0, ...drops),
  };
}
