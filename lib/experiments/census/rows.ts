/**
 * The plain rows of a census of one model. Positions from 1 on; position 0 stands apart. Intervals are
 * over prompts.
 */
import type { Estimate } from "../rows.ts";

/** What is left at the end of the stream of what is written in one layer. */
export interface ContractionRow {
  /** From 0; of embeddings -1. */
  layer: number;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** The embedding's or the MLP's name; "heads" for a layer's heads. */
  node: string;
  /**
   * Of the layer's own output, rotated: a vector of that size and course whatever it says. Median over
   * tokens.
   */
  random: Estimate;
  /** Of the output itself; of heads all of the layer taken together. */
  own: Estimate;
  /** Quartiles of `random` so far apart that its median says nothing. */
  wide: boolean;
}

/**
 * Cosine of what one sublayer adds with the stream that it is added to: below 0 it takes away, above 0 it
 * strengthens.
 */
export interface CosineRow {
  /** From 0. */
  layer: number;
  /** Attention or MLP. */
  sublayer: "attn" | "mlp";
  /** Mean over tokens. */
  cosine: Estimate;
  /**
   * The same with what the sublayer adds at the same position of another prompt: what is so whatever the
   * text.
   */
  control: Estimate;
  /** cosine − control. */
  beyond: Estimate;
  /** Share of tokens with a cosine below −0.1. */
  opposed: number;
  /** Mean length of what is added, as a part of the stream's. */
  share: number;
  /** Mean cosine at position 0. */
  first: number;
}

/**
 * What later nodes take back of an early head's direct logit attribution. Shares are slopes over tokens:
 * Σ DLA · amount / Σ DLA².
 */
export interface EarlyRow {
  /** The head; "all" for those that are listed, taken together. */
  node: string;
  /** The head's layer; of all −1. */
  layer: number;
  /** Root mean square of its DLA, in logits. */
  dla: number;
  /** Share of its DLA that later nodes take back. */
  takenBack: Estimate;
  /** The same share of its output rotated. */
  control: Estimate;
  /** takenBack − control. */
  beyond: Estimate;
  /** Share of the DLA that the model loses without the head. */
  effect: Estimate;
}

/** A number in logits and its parts, which add up to it. */
export interface Repair {
  /** All of it. */
  total: Estimate;
  /** What later heads change. */
  heads: number;
  /** What later MLPs change. */
  mlps: number;
  /** The rest: the final norm's scale (and of post-norm models what norms do to biases). */
  norm: number;
}

/**
 * How much of a node's direct effect the rest of the model makes up for when the node writes what it
 * writes on another text.
 */
export interface SelfRepairRow {
  /** The node; "all" for those that are listed, taken together. */
  node: string;
  /** What kind of node it is. */
  kind: "head" | "mlp" | "all";
  /** From 0; of all −1. */
  layer: number;
  /** Root mean square of its direct effect on the right token's logit. */
  directEffect: number;
  /**
   * As a share of the exchanged direct effect, a slope over tokens: 1, all is made up for; below 0, more
   * is lost than the node wrote.
   */
  share: Repair;
  /** The same share when what is exchanged is rotated. */
  control: Estimate;
  /** share − control. */
  beyond: Estimate;
  /**
   * The 2 % of tokens with the largest direct effect, as in the literature: means in logits. Absent for
   * "all".
   */
  top?: { tokens: number; directEffect: number; exchanged: number; repaired: Repair };
}
