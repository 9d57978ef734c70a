/** The rows of `reuse`. A share is a part of an energy (Σ ‖·‖² over tokens), from 0 to 1. */
import type { Estimate } from "../rows.ts";

/** Whose span: the writer's, that of a node which is not erased, or the writer's turned at random. */
export type SpanName = "writer" | "other" | "random";

/** When a node comes: before the write, after it, or after the last cleaner. */
export type Phase = "before" | "between" | "after";

/** One of the spans that are compared. All have the same number of directions. */
export interface SpanRow {
  /** Whose span. */
  span: SpanName;
  /** The node that writes into it; of the random ones the writer. */
  node: string;
  /** Directions. */
  k: number;
  /** The part of the node's output that they hold. */
  energy: number;
  /** The part of a random vector that they hold: k by the number of dimensions. */
  chance: number;
}

/** How much a share is above that of a random span. Absent of these themselves. */
export interface Above {
  /** Of all content. */
  more?: Estimate;
  /** Of other content. */
  moreRest?: Estimate;
}

/** What stands in a span at one location of the stream, as a part of the whole stream. */
export interface OccupancyRow extends Above {
  /** Whose span. */
  span: SpanName;
  /** Where in the stream: "resid_mid0", "resid_post0" … */
  location: string;
  /** Whether that is before the write, after it, or after the last cleaner. */
  phase: Phase;
  /** All that stands in the span. */
  all: Estimate;
  /** What is there because the span's node wrote (of the random spans: because the writer did). */
  own: Estimate;
  /** What is there without that: other content. */
  rest: Estimate;
}

/** How much of what a node writes lies in a span. */
export interface WrittenRow extends Above {
  /** Whose span. */
  span: SpanName;
  /** The node that writes. */
  node: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
  /** When it comes. */
  phase: Phase;
  /** Whether it cleans up after the writer. */
  cleaner: boolean;
  /** Of all that it writes. */
  all: Estimate;
  /** Of what it writes in the run without the output of the span's node: other content. */
  rest: Estimate;
}

/** How much of what a reader takes in comes from a span. */
export interface ReadRow extends Above {
  /** Whose span. */
  span: SpanName;
  /** A head, an MLP, "layer 2" (all heads of a layer) or "unembed". */
  reader: string;
  /** By which input. */
  input: "Q" | "K" | "V" | "MLP" | "unembed";
  /** The reader's layer; of the unembedding the number of layers. */
  layer: number;
  /** When it reads. */
  phase: Phase;
  /** From all that stands in the span. */
  all: Estimate;
  /** From what stands there because the span's node wrote. */
  own: Estimate;
  /** From other content. */
  rest: Estimate;
}

/** The loss when a part of what was erased is put back after the last cleaner. */
export interface PutBackRow {
  /** What is put back: the erased part of the writer's output, or the same rotated. */
  run: "writer" | "control";
  /** Which part of it: 1 is all. */
  lambda: number;
  /** Increase of the loss, in nats a token; below 0 the model predicts better with it. */
  loss: Estimate;
}

/** How much a node that comes after the last cleaner changes what it writes when something is put back. */
export interface ChangedRow {
  /** What is put back. */
  run: "writer" | "control";
  /** Which part of it. */
  lambda: number;
  /** The node. */
  node: string;
  /** √(Σ ‖c′ − c‖² / Σ ‖c‖²), the length of the change by that of its output. */
  change: Estimate;
}

/**
 * What changes when what stands in a span at the end of the stream is exchanged for its mean over the text.
 */
export interface NeededRow {
  /** Whose span. */
  span: SpanName;
  /** Increase of the loss, in nats a token. */
  loss: Estimate;
  /**
   * KL of the predictions from the clean ones, in nats a token: how much they depend on it, for better or
   * worse.
   */
  divergence: Estimate;
}
