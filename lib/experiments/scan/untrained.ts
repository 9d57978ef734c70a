/**
 * The untrained null: the same scan of the same model with the values of each weight shuffled. Every matrix
 * keeps its size and its distribution of values and loses what training put into it, so whatever is found
 * here is found by chance.
 */
import { Random } from "../../stats/random.ts";
import { Model } from "../../transformer/model.ts";
import type { Weights } from "../../transformer/weights.ts";
import type { Candidate } from "./candidates.ts";
import type { ExaminedWriter } from "./examine.ts";

/** The same scan of the model with every weight's values shuffled: what chance finds. */
export interface UntrainedResult {
  /** How many were used. */
  prompts: number;
  /** Writers that were examined, and those that count as found. */
  examined: string[];
  /** Names of the writers that were found. */
  found: string[];
  /** Largest specific erasure among all nodes, on the first half. */
  largestSpecific: number;
}

/**
 * A model of the same form whose weights are each shuffled. @throws where they stay in their file: the
 * shuffled ones lie in none
 */
export function shuffled(model: Model, seed: number): Model {
  if (!model.inMemory) {
    const gib = (4 * model.params.count() / 2 ** 30).toPrecision(2);
    throw new Error(
      `scan: the untrained null shuffles all weights, and ${model.name} reads its from their file; in memory they take ` +
        `${gib} GiB. Load the model with { weights: "memory" }, or set untrainedPrompts to 0.`,
    );
  }
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
    device: model.device,
    ...(tokenizer && { tokenizer }),
  });
}

/** What the scan of a shuffled model says, in short. */
export function summarize(
  prompts: number,
  { writers, passedOver }: { writers: readonly ExaminedWriter[]; passedOver: readonly Candidate[] },
): UntrainedResult {
  const specific = [...passedOver.map((c) => c.specific), ...writers.map((w) => w.specific.value)];
  return {
    prompts,
    examined: writers.map((w) => w.writer),
    found: writers.filter((w) => w.notFound === undefined).map((w) => w.writer),
    largestSpecific: Math.max(0, ...specific.filter(Number.isFinite)),
  };
}
