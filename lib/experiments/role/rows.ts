/** The rows of `role`. */
import type { Estimate } from "../rows.ts";

/** A token, and what the writer's output adds to its logit directly. */
export interface VocabularyRow {
  /** The token's text, such as " State". */
  token: string;
  /** Its id. */
  id: number;
  /** 1: the largest of the vocabulary. */
  rank: number;
  /** Mean DLA over the text: logit of the token minus the mean logit, in logits. */
  dla: Estimate;
}

/** Of a rotated output: the largest mean DLA of any token, which is chance for the table's top. */
export interface ChanceRow {
  /** Seed of the rotation. */
  seed: number;
  /** Largest mean DLA. */
  largest: number;
  /** Smallest mean DLA. */
  smallest: number;
}

/** Where a head attends, mean over the positions of one bin: the parts add up to 1. */
export interface AttentionRow {
  /** First and last query position of the bin. */
  from: number;
  /** The last. */
  to: number;
  /** To position 0, the one that attends, the one before it, and all others. */
  target: "first" | "own" | "previous" | "others";
  /** Attention weight. */
  weight: Estimate;
  /** What uniform attention to all that can be seen would give: the control. */
  uniform: number;
}

/** What a node's output may depend on. */
export type Factor = "position" | "token" | "previous" | "prompt";

/** How much of the variance of the output one factor explains. */
export interface VarianceRow {
  /** By what; "all": by the sum of all four. */
  factor: Factor | "all";
  /** Share of the variance that it explains alone. */
  alone: Estimate;
  /**
   * Share that is lost when it is left out of the sum of all four (type II). Of "all" the same as `alone`.
   */
  last: Estimate;
  /**
   * The same two with the factor's labels shuffled over the tokens: what so many labels explain by chance.
   */
  shuffledAlone: number;
  /** Of `last`. */
  shuffledLast: number;
}

/** What happens when one reader's one input lacks the writer's output: path patching, one edge at a time. */
export interface EdgeRow {
  /** A head or an MLP. In models whose heads share keys and values, the first head that shares them. */
  reader: string;
  /** Which of its inputs. */
  input: "Q" | "K" | "V" | "MLP";
  /** The reader's layer. */
  layer: number;
  /** Increase of the loss, in nats a token. */
  loss: Estimate;
  /** The same with the rotated output taken out of that input: of one more rotation. */
  control: Estimate;
  /** loss − control. */
  more: Estimate;
  /** Of queries and keys: KL of the reader's pattern from the clean one, in nats a query. */
  pattern?: Estimate;
  /** Of the rotated output. */
  patternControl?: Estimate;
}

/** What is done to the writer's output. */
export type Without = "removed" | "resampled" | "rotated";

/** The loss without the writer's output at some tokens. */
export interface WithoutRow {
  /** All tokens, positions from … to …, or a class of the token that is predicted. */
  by: "all" | "position" | "class";
  /** Such as "1–31" or "digit". */
  group: string;
  /** Taken out; exchanged for another prompt's; or a rotated vector taken out in its place: the control. */
  run: Without;
  /** Increase of the loss, in nats a token. */
  loss: Estimate;
  /** Tokens. */
  n: number;
}
