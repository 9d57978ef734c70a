/**
 * What is kept of a census, of `reuse` and of `role` to answer the post's three questions of one model: plain
 * numbers, which can be committed as a file and read again.
 */
import type { EarlyRow } from "../census/rows.ts";
import type { Estimate } from "../rows.ts";
import type { Factor } from "../role/rows.ts";

/** A node of the first pass: medians over tokens, without an interval. */
export interface NodeFinding {
  /** The node's name. */
  node: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** What of its output is left at the end of the stream. */
  left: number;
  /** What is left of the output of its layer, rotated. */
  control: number;
}

/** A node that was examined on other prompts than those that chose it. */
export interface WriterFinding {
  /** The node. */
  writer: string;
  /** Median retention at the end of the stream. */
  left: Estimate;
  /** Of the output rotated. */
  control: Estimate;
  /** control − left. */
  specific: Estimate;
  /** Whether it counts as a writer whose output is erased: large enough, and surely so among all examined. */
  found: boolean;
  /** Who erases it. */
  cleaners: string[];
}

/** What the directions of one erased output are used for afterwards. Shares are parts of an energy. */
export interface ReuseFinding {
  /** The node whose output is erased. */
  writer: string;
  /** Directions. */
  k: number;
  /** Who erases it. */
  cleaners: string[];
  /** Share of the end of the stream that stands in its directions; in random ones; the difference. */
  content: Compared;
  /** The same in the run without the output: what others put there, as a part of the same stream. */
  others: Compared;
  /** KL of the predictions when what stands there is exchanged for its mean, in nats a token. */
  needed?: Compared;
  /** Both once more beside a node that is not erased: share of others' content, and KL. */
  beside?: {
    /** That node. */
    node: string;
    /** Share of others' content in the writer's directions, and in that node's. */
    others: Pick<Compared, "own" | "control">;
    /** KL of the predictions, likewise. */
    needed: Pick<Compared, "own" | "control">;
  };
  /** Increase of the loss when what was erased is put back, in nats a token; of as much, rotated. */
  putBack?: Compared;
}

/** What one writer is for. */
export interface RoleFinding {
  /** The node. */
  writer: string;
  /** Token with the largest mean DLA, in logits; the largest of any token for each rotated output. */
  says?: { token: string; dla: Estimate; rotated: number[] };
  /**
   * The factor that explains most of the output's variance beyond shuffled labels and with none of the
   * others.
   */
  about: { factor: Factor; last: Estimate; shuffled: number };
  /** Increase of the loss without the output, in nats a token; without as much, rotated. */
  lost?: Pick<Compared, "own" | "control">;
}

/** A number, its control's, and the difference. */
export interface Compared {
  /** The number. */
  own: Estimate;
  /** Its control. */
  control: Estimate;
  /** own − control. */
  more: Estimate;
}

/** All that is said of one model. */
export interface Findings {
  /** What was looked at. */
  model: { name: string; layers: number; heads: number };
  /** All nodes whose retention can be read. */
  nodes: NodeFinding[];
  /** How many nodes there are. */
  count: number;
  /** The examined ones, the most erased of the stream first. */
  writers: WriterFinding[];
  /** The smallest specific erasure that counts. */
  threshold: number;
  /** Early heads' DLA; empty for a base model. */
  early: EarlyRow[];
  /** By writer. */
  reuse: ReuseFinding[];
  /** By writer. */
  role: RoleFinding[];
  /** What the numbers rest on. */
  assumptions: Record<string, string>;
}
