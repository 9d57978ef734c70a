/**
 * The plain rows that experiments return and figures draw. No tensor, no model, no plot: rows can be saved as
 * JSON or CSV, compared with published values, and drawn, each without the others.
 */

/** A line through the points of Figure 5. */
export type { Regression as Fit } from "../stats/regression.ts";

/**
 * Which forward pass a number comes from. Patched: the writer's output is taken out of the cleaners' V input.
 */
export type RunName = "clean" | "patched";

/**
 * Median and band of a quantity over prompts × positions. NaN with an n of 0: a ratio onto a node that writes
 * nothing.
 */
export interface Band {
  /** The median. */
  median: number;
  /** Lower quantile (0.25 unless the experiment was told otherwise). */
  low: number;
  /** Upper quantile (0.75 unless the experiment was told otherwise). */
  high: number;
  /** Number of (prompt, position) pairs. */
  n: number;
}

/** Figures 1 and 3a: projection ratio of the residual stream at one location onto one writer's output. */
export interface LocationRow extends Band {
  /** The node that is projected onto, such as "L0H2". */
  writer: string;
  /** "resid_pre0", "resid_mid0", "resid_post0", "resid_mid1" … in the order of the forward pass. */
  location: string;
  /** Which of the two it is of. */
  run: RunName;
}

/** Figures 2 and 3b: projection ratio of one node's output onto the writer's output. */
export interface NodeRow extends Band {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** "embed", "pos_embed", "L1H3", "MLP2", or the name of a sum such as "L2H2+…+L2H7". */
  node: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp" | "sum";
  /** Layer of the node; -1 for the embeddings; of a sum: the last layer in it. */
  layer: number;
  /** True for the nodes that the model's folder names as cleaners of this writer, and for their sum. */
  cleaner: boolean;
  /** Which of the two it is of. */
  run: RunName;
}

/** Which removal a retention is of: the writer's own output, or a control's. */
export type RemovalName = "writer" | "control";

/**
 * Retention of a writer's output at one location, over tokens: 1 just after the write, 0 when it is erased.
 */
export interface RetentionRow extends Band {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** Where in the stream: "resid_mid0", "resid_post0" … */
  location: string;
  /** Which of the two it is of. */
  run: RemovalName;
  /** Σ (x - x̃)·δ / Σ ‖δ‖² over all tokens: 1 plus the `ratio` of every response until there. */
  ratio: number;
}

/** Response of a later node to a writer's output, over tokens: below 0, it writes back what it reads. */
export interface ResponseRow extends Band {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** What kind of node it is. */
  kind: "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
  /** Which of the two it is of. */
  run: RemovalName;
  /** Share of tokens on which the response is below 0. */
  below: number;
  /** Σ (c - c̃)·δ / Σ ‖δ‖² over all tokens: what it adds to the retention's `ratio`. */
  ratio: number;
  /** 95 % bootstrap interval of `ratio` over prompts. */
  interval: readonly [low: number, high: number];
}

/**
 * A later node that takes back more of a writer's output than of the rotated one: see retention/cleaners.ts
 * for the rule.
 */
export interface CleanerRow {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** What kind of node it is. */
  kind: "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
  /** Its response to the writer, a ratio of sums: −0.1 takes a tenth of the output back. */
  response: number;
  /**
   * How much more of the writer's output it takes back than of the control's: control's response − response.
   */
  specific: Estimate;
}

/** A number and its 95 % bootstrap interval over prompts (and over the control's draws, where it has any). */
export interface Estimate {
  /** The number itself. */
  value: number;
  /** 95 % bootstrap interval over prompts. */
  interval: readonly [low: number, high: number];
}

/** What is left of a writer's output at the end of the stream, beside its control. */
export interface WriterRow {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
  /** Mean over tokens of the length of what is taken out, as a part of the stream's just after the write. */
  share: number;
  /** Median retention at the end. */
  left: Estimate;
  /** The same of the control: mean over its draws. Absent without a control. */
  control?: Estimate;
  /**
   * control - left: what is erased beyond what happens to any such vector. Below 0: this output is protected.
   */
  specific?: Estimate;
  /** The control's median of each draw. */
  draws: number[];
  /** Tokens. */
  n: number;
}

/** Position 0, a class of its own: what a node writes there beside elsewhere, and what is left of that. */
export interface FirstPositionRow {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** Mean length of the node's output at position 0, and at all others. */
  norm: number;
  /** At all other positions. */
  elsewhere: number;
  /** Median retention of it at position 0 at the end of the stream. */
  left: number;
  /** Prompts. */
  n: number;
}

/** Figure 4: direct logit attribution (DLA) of one node on one prompt, clean and with its input resampled. */
export interface PromptRow {
  /** The prompt it is of. */
  prompt: string;
  /** The answer with the higher logit, as text, such as " State". */
  correct: string;
  /** The other answer. */
  incorrect: string;
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** "a": the writer on every prompt; "b": on each prompt the head with the highest DLA. */
  panel: "a" | "b";
  /** logit(correct) − logit(incorrect) of the model. */
  logitDifference: number;
  /** DLA of the node in the clean run, in logits. */
  clean: number;
  /** DLA of the node for each resampled input, in logits. */
  samples: number[];
  /** The median. */
  median: number;
  /** Lower quantile. */
  low: number;
  /** Upper quantile. */
  high: number;
}

/** Figure 5: one (prompt, position) pair. DLA values are in logits. */
export interface PairRow {
  /** The prompt it is of. */
  prompt: number;
  /** Position in the prompt, from 0. */
  position: number;
  /** DLA of the writer. */
  writer: number;
  /** DLA of the cleaners' V-composition output with the writer, summed over the cleaners. */
  composition: number;
  /** DLA of the cleaners' total output, summed over the cleaners. */
  total: number;
}

/**
 * Figure 5: how the DLA of one node goes with that of what the cleaners make of it. Positions from 1 on,
 * intervals over prompts.
 */
export interface FitRow {
  /** The node whose DLA is on the horizontal axis. */
  node: string;
  /** What is on the vertical one: the cleaners' V-composition output with the node, or their total output. */
  of: "composition" | "total";
  /** Pearson's correlation. */
  r: Estimate;
  /** Of the fitted line. */
  slope: Estimate;
  /** Of the fitted line, in logits. */
  intercept: Estimate;
  /** Pairs of prompt and position. */
  n: number;
}

/** Figure 6: how many embeddings, as a share, have ‖scaled embedding · W_V · W_O‖ in one bin. */
export interface NormRow {
  /** A head, such as "L0H2". */
  node: string;
  /** Token embeddings (rows of W_E) or positional ones (rows of W_pos). */
  embedding: "token" | "position";
  /** Divided by its own LayerNorm scale, or by one that tokens and positions share. */
  scale: "own" | "shared";
  /** Edges of the bin. */
  from: number;
  /** Upper edge. */
  to: number;
  /** Share of the embeddings in the bin. */
  share: number;
}

/**
 * What stands in a head's place in Figure 7: its result on another prompt, zero, or its mean over prompts at
 * the same position.
 */
export type Replacement = "resampled" | "zero" | "mean";

/** Figure 7: mean loss of a prompt, in nats, when one head's result is replaced. n counts prompts. */
export interface LossRow extends Band {
  /** The head; "none": the clean run, whose row holds the loss itself and not an increase. */
  node: string;
  /** What stands in its place; "none" of the clean run. */
  by: Replacement | "none";
  /** Over all prompts. */
  mean: number;
}

/**
 * Figure 8: PR of the summed heads of the patched layers onto one part of the writer's output, over prompts.
 */
export interface PositionRow extends Band {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** Position in the prompt, from 0. */
  position: number;
  /** What the writer copies from the first position (BOS), or from all others. */
  part: "BOS" | "rest";
}

/**
 * Figure 9: DLA of one head on one prompt, and what resampling that head's result does to the logit
 * difference. In logits.
 */
export interface AblationRow {
  /** The prompt it is of. */
  prompt: string;
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** DLA of the head in the clean run. */
  dla: number;
  /** Clean logit difference minus the median one with the head's result resampled from unrelated text. */
  effect: number;
  /** Clean logit difference minus that with the head's result set to zero. */
  zeroed: number;
}

/** Figure 10: PR of the residual stream onto the writer at the last position of one prompt. */
export interface PromptLocationRow {
  /** The prompt it is of. */
  prompt: string;
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** Where in the stream: "resid_mid0", "resid_post0" … */
  location: string;
  /** The projection ratio. */
  ratio: number;
}

/** The scan's heat map: the response of a later node to an earlier node's output. */
export interface PairResponseRow {
  /** The node whose output it is about, such as "L0H2". */
  writer: string;
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** Σ (c − c̃)·δ / Σ ‖δ‖²; NaN where the node does not read the writer. */
  ratio: number;
}
