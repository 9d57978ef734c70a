/**
 * Who is a cleaner? One rule, which the models' cleanup.json, the figures and the scan follow: a later node
 * that takes back
 *
 *  1. at least 2 % of the writer's output (its response, a ratio of sums, is −0.02 or lower),
 *  2. at least 2 % more of it than of the writer's output rotated (the specific response), and
 *  3. surely more: the specific response has a 95 % bootstrap interval over prompts (and over the control's
 *     draws) that lies wholly on the side of taking back.
 *
 * The last two keep out what a node writes back of any vector; the first two what is sure but too small to
 * matter.
 */
import { laterNodes } from "../../metrics/later_nodes.ts";
import type { ModelConfig } from "../../checkpoints/mod.ts";
import type { CleanerRow } from "../rows.ts";
import type { Summary } from "./summary.ts";

/** The smallest part of a writer's output that a cleaner takes back, as a whole and beyond the control. */
export const LEAST_TAKEN_BACK = 0.02;

/**
 * The cleaners of the summary's writer, in the order of the forward pass; none with fewer than two draws of a
 * control: chance is not known then.
 */
export function cleanersOf(config: ModelConfig, summary: Summary): CleanerRow[] {
  if (summary.controls.length < 2) return [];
  return laterNodes(config, summary.name).flatMap(({ name: node, kind, layer }, i): CleanerRow[] => {
    const response = summary.own.response(i);
    if (!(response <= -LEAST_TAKEN_BACK)) return []; // before the interval: that costs a thousand draws
    const specific = summary.specificResponse(i);
    if (!(specific.value >= LEAST_TAKEN_BACK && specific.interval[0] > 0)) return [];
    return [{ writer: summary.name, node, kind, layer, response, specific }];
  });
}

/**
 * A writer's cleaners, those that take most back beyond the control first, and what they take back so
 * together.
 */
export function ranked(cleaners: readonly CleanerRow[]): { all: CleanerRow[]; sum: number } {
  const all = [...cleaners].sort((a, b) => b.specific.value - a.specific.value);
  return { all, sum: all.reduce((total, c) => total + c.specific.value, 0) };
}
