/**
 * The plain rows of cleaners in detail. Responses are ratios of sums over tokens, Σ (c − c̃)·δ / Σ ‖δ‖²:
 * below 0, the writer's output is written back. Parts of a node add up to its response. Positions from 1
 * on; intervals over prompts.
 */
import type { Estimate } from "../rows.ts";

/** A response beside its control. */
export interface Beside {
  /** To the writer's output. */
  response: Estimate;
  /** To its output rotated. */
  control: Estimate;
  /** control − response: how much more is taken back of the output. */
  specific: Estimate;
}

/** One neuron of an MLP that cleans up. */
export interface NeuronRow extends Beside {
  /** The writer. */
  writer: string;
  /** The MLP. */
  node: string;
  /** From 0. */
  neuron: number;
  /** cos(w_in, w_out). */
  cosine: number;
  /** cos(w_gate, w_out), in gated MLPs. */
  gateOut?: number;
  /** cos(w_gate, w_in), in gated MLPs. */
  gateIn?: number;
  /** Its part of the MLP's specific response; absent where that is not surely above 0. */
  share?: number;
}

/** One singular direction of a head that cleans up. */
export interface DirectionRow extends Beside {
  /** The writer. */
  writer: string;
  /** The head. */
  node: string;
  /** From 0, the largest singular value first. */
  direction: number;
  /** The singular value. */
  sigma: number;
  /** Cosine of what is read with what is written. */
  cosine: number;
  /** Its part of the head's specific response; absent where that is not surely above 0. */
  share?: number;
}

/** A cleaner as a whole, and how many of its parts do it. */
export interface PartsRow extends Beside {
  /** The writer. */
  writer: string;
  /** The cleaner. */
  node: string;
  /** What its parts are. */
  kind: "head" | "mlp";
  /** From 0. */
  layer: number;
  /** How many neurons or directions it has. */
  parts: number;
  /**
   * How many of them, the largest first, make up half of the specific response, where that is surely
   * above 0.
   */
  half?: number;
  /** How many have a cosine below −0.4. */
  weakening: number;
  /** What these take back, together. */
  ofWeakening: Beside;
}

/** Does a cleaner's whole output oppose what all earlier nodes but the writer predict? */
export interface SuppressionRow {
  /** The writer, which is left out of what is opposed. */
  writer: string;
  /** The cleaner. */
  node: string;
  /**
   * −Σ ⟨c, x − w⟩ / Σ ⟨x − w, x − w⟩ over all logits: the part of the earlier nodes' prediction that it
   * takes back.
   */
  opposed: Estimate;
  /** The same of what it writes on another text: what is so whatever the text. */
  control: Estimate;
  /** opposed − control: above 0, it suppresses what is predicted here. */
  beyond: Estimate;
}

/** What a cleaner takes back at some positions. */
export interface PositionsRow extends Beside {
  /** The writer. */
  writer: string;
  /** The cleaner. */
  node: string;
  /** First and last position. */
  from: number;
  /** Last position. */
  to: number;
}

/** What is left of the writer's output at one location: in the stream, and in what it says. */
export interface LensRow {
  /** The writer. */
  writer: string;
  /** "resid_mid1" … */
  location: string;
  /** The writer's own output, or the same rotated. */
  run: "writer" | "control";
  /** Σ Δ·δ / Σ ‖δ‖². */
  stream: Estimate;
  /** Σ ⟨Δ, δ⟩ / Σ ⟨δ, δ⟩ over all logits. */
  logits: Estimate;
  /** √(Σ ⟨Δ, Δ⟩ / Σ ⟨δ, δ⟩): how much what has become of it says, whatever it is. */
  size: Estimate;
}
