/**
 * The plain rows of a check of an attribution. DLA and effects are of logit(first answer) - logit(second), in
 * logits.
 */
import type { Estimate } from "../rows.ts";

/**
 * One amount, in logits and as a share of the node's DLA. Over many positions `share` is the slope of a line
 * through 0: Σ DLA · amount / Σ DLA², and `logits` is that share of the DLA's root mean square. At one
 * position both are what they say.
 */
export interface Credit {
  /** In logits. */
  logits: number;
  /** As a share of the node's DLA. */
  share: number;
  /** 95 % bootstrap interval of `share` over prompts; absent for a single prompt. */
  interval?: readonly [low: number, high: number];
  /** The same share of the control's DLA: of the node's own output, rotated. */
  control?: number;
  /**
   * For a single prompt, where 95 % of single draws of the control with the node's DLA would lie; over
   * prompts, a bootstrap interval of `control` over prompts and draws.
   */
  controlInterval?: readonly [low: number, high: number];
}

/** What becomes of one node's DLA. */
export interface AttributionRow {
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
  /** DLA of the node's output, in logits; over many positions its root mean square. */
  dla: number;
  /**
   * Root mean square of the control's DLA: how large the DLA of any vector of this length is. Absent without
   * a control.
   */
  controlDla?: number;
  /**
   * Σ of the steps of later nodes (and of later b_O, in models that have one and normalise what attention
   * writes: it is scaled anew then). Below 0, they take back what DLA credits to the node.
   */
  takenBack: Credit;
  /**
   * takenBack of the control minus that of the node, as shares of DLA: above 0, more is taken back than of
   * any such vector.
   */
  specific?: Estimate;
  /** DLA of what has become of the output at the end of the stream: dla + takenBack. */
  left: Credit;
  /** What the final normalisation's scale, which also answers, adds to `left`. */
  finalScale: Credit;
  /** Fall of the logit difference when the output is removed: left + finalScale. */
  effect: Credit;
  /** Absent where nothing was resampled. */
  resampled?: ResampledRow;
  /** (Prompt, position) pairs that are looked at. */
  n: number;
}

/** The node's output exchanged for that of other prompts at the same positions. */
export interface ResampledRow {
  /**
   * DLA of what takes the output's place: what of the DLA is the same whatever the prompt. In logits and as a
   * share of the DLA.
   */
  kept: number;
  /** As a share of the node's DLA. */
  keptShare: number;
  /** Fall of the logit difference, and its share of the DLA. At one position the mean over other prompts. */
  effect: number;
  /** As a share of the node's DLA. */
  share: number;
  /** 95 % bootstrap interval of `share` over prompts; absent for a single prompt. */
  interval?: readonly [low: number, high: number];
  /** Effect for each logit of DLA that is exchanged: Σ exchanged · effect / Σ exchanged². */
  exchanged: number;
  /** The same when what is exchanged is rotated. Absent without a control. */
  control?: number;
  /** (Prompt, position, other prompt) triples. */
  n: number;
}

/** What one later node adds to what is left of a node's DLA: DLA(c - c̃). Below 0, it takes some back. */
export interface StepRow extends Credit {
  /** The node whose DLA it is. */
  node: string;
  /** The later node. */
  by: string;
  /** What kind of node it is. */
  kind: "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
}

/** DLA of one of the parts that add up to the logit difference. */
export interface TermRow {
  /** The node, or the bias. */
  name: string;
  /** In logits; over many positions the mean. */
  mean: number;
  /** Root mean square over positions. */
  size: number;
}

/**
 * Σ DLA of all nodes and biases beside the model's logit difference: means over positions, and the largest
 * difference of any.
 */
export interface SumRow {
  /** Σ DLA of the nodes, in logits. */
  nodes: number;
  /** Σ DLA of the biases, in logits. */
  biases: number;
  /** Of both. */
  sum: number;
  /** Of the model. */
  logitDifference: number;
  /** At any position, in logits. */
  largestError: number;
}

/** One of the two answers to a text. */
export interface AnswerRow {
  /** As text. */
  token: string;
  /** Token id. */
  id: number;
  /** At the position that is asked about. */
  logit: number;
  /** 1: the most probable next token. */
  rank: number;
}
