/**
 * How much memory and work a graph takes, from its shapes alone: the basis of the batch size and of cost
 * estimates.
 */
import type { Step } from "./graph.ts";

/** What a run takes. */
export interface Cost {
  /** The largest sum of values that are alive at once, scratch space included; weights left out. In bytes. */
  peakBytes: number;
  /** Multiply-adds of matrix products and attention, counted as 2 each. */
  flops: number;
}

/**
 * Walks the steps in order, as ONNX Runtime does, and frees a value after its last use. Those named in `kept`
 * stay to the end.
 */
export function estimateCost(steps: readonly Step[], kept: Iterable<string> = []): Cost {
  const owner = new Map<string, string>();
  const own = (name: string): string => owner.get(name) ?? name;
  const lastUse = new Map<string, number>();
  steps.forEach((step, i) => {
    if (step.alias) step.outputs.forEach((o) => owner.set(o.name, own(step.inputs[0])));
    step.inputs.forEach((name) => lastUse.set(own(name), i));
  });
  for (const name of kept) lastUse.set(own(name), steps.length);
  const size = new Map<string, number>();
  let alive = 0, peak = 0, flops = 0;
  steps.forEach((step, i) => {
    flops += step.flops;
    if (!step.alias) {
      for (const { name, bytes } of step.outputs) {
        size.set(name, bytes);
        alive += bytes;
      }
    }
    peak = Math.max(peak, alive + step.scratch);
    for (const name of new Set(step.inputs.map(own))) {
      if (lastUse.get(name) !== i) continue;
      alive -= size.get(name) ?? 0; // weights and inputs have no size here
      size.delete(name);
    }
  });
  return { peakBytes: peak, flops };
}
