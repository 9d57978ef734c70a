/**
 * A node to compare a writer with: one that is not erased. Of the largest nodes of the writer's kind that
 * come no later, the one of which most is left at the end of the stream.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { atPositions } from "../../metrics/retention.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import { measureRemovals } from "../retention/removals.ts";
import { measureSizes } from "../retention/sizes.ts";

/** So many of the largest are looked at. */
const CANDIDATES = 4;

/** Its name, and the median of what is left of it. */
export interface NotErased {
  name: string;
  left: number;
}

/** @returns undefined where the writer has none beside it */
export async function notErased(
  model: Model,
  prompts: Prompts,
  writer: string,
  options: RunOptions,
): Promise<NotErased | undefined> {
  const own = findNode(model.config, writer);
  const names = modelNodes(model.config).filter((node) =>
    node.kind === own.kind && node.layer <= own.layer && node.name !== writer &&
    laterNodes(model.config, node.name).length > 0
  ).map((node) => node.name);
  if (names.length === 0) return undefined;
  const { nodes } = await measureSizes(model, prompts, names, { ...options, onProgress: undefined });
  const largest = names.sort((a, b) => nodes.get(b)!.share - nodes.get(a)!.share).slice(0, CANDIDATES);
  const clean = model.forward();
  const removals = largest.map((name) => ({ key: name, writer: name, delta: atPositions(clean.node(name)) }));
  const measured = await measureRemovals(model, prompts, clean, removals, { ...options, kept: "end" });
  return largest.map((name) => ({ name, left: measured.get(name)!.end() }))
    .reduce((a, b) => b.left > a.left ? b : a);
}
