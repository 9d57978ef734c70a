/** What is known of a planted model. */
import type { ModelConfig } from "../../../../lib/checkpoints/mod.ts";
import { RANK, type World } from "./world.ts";

export interface Truth {
  /** The nodes whose output later nodes erase beyond what they erase of anything. */
  writers: readonly string[];
  /** By writer: who erases it. */
  cleaners: Readonly<Record<string, readonly string[]>>;
  /**
   * Nodes that pass the writer's output on, so that what erases the writer erases them as well: amplifiers,
   * and cleaners that others come after. Reported or not, neither is a mistake.
   */
  along?: readonly string[];
  /**
   * By what the erasing needs: values (and MLP inputs), attention patterns, or LayerNorm's scales. Absent
   * without a writer.
   */
  route?: "values" | "attention" | "norm";
  /**
   * About what is left of a writer's output at the end of the stream, as a part of it: the median retention.
   */
  left: number;
  /** About control - left of the writers. */
  specific: number;
  /**
   * What is left of any vector that is written before layer 2, where the model contracts all of them. Absent:
   * nothing does.
   */
  contraction?: number;
}

export interface Kind {
  truth: Truth;
  size?: Partial<ModelConfig>;
  plant(world: World): void;
}

/** What is left of a rotated output when S is erased by `part`: 8 of 63 dimensions of it are. */
export function controlOf(part: number): number {
  return 1 - part * RANK / 63;
}

/** One writer, L0H2 unless said, of which `part` is erased through values. */
export function erased(cleaners: readonly string[], part = 1, writer = "L0H2"): Truth {
  return {
    writers: [writer],
    cleaners: { [writer]: cleaners },
    route: "values",
    left: 1 - part,
    specific: controlOf(part) - (1 - part),
  };
}

export const NOTHING: Truth = { writers: [], cleaners: {}, left: 1, specific: 0 };
