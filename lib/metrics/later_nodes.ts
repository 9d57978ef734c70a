/**
 * Which nodes can answer to what a writer wrote, and which locations of the residual stream come after it.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { findNode, locations, type ModelNode, modelNodes } from "../transformer/nodes.ts";

/** A node that can read what the writer wrote. */
export interface LaterNode {
  /** Such as "L2H3" or "MLP2". */
  name: string;
  /** What kind of node it is. */
  kind: "head" | "mlp";
  /** The node's layer, from 0; of embeddings -1. */
  layer: number;
}

/**
 * Whether `node` reads the residual stream after `writer` has written to it. Heads of one layer do not read
 * each other.
 */
export function readsAfter(config: ModelConfig, node: ModelNode, writer: ModelNode): boolean {
  if (node.kind === "embed") return false;
  if (writer.kind === "embed" || node.layer > writer.layer) return true;
  const beside = config.parallel_attn_mlp ?? false;
  return node.layer === writer.layer && node.kind === "mlp" && writer.kind === "head" && !beside;
}

/**
 * The heads and MLPs that can read what `writer` wrote, in the order of the forward pass.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(laterNodes(model.config, "L1H5").map(({ name }) => name)); // MLP1, L2H0 …
 * ```
 */
export function laterNodes(config: ModelConfig, writer: string): LaterNode[] {
  const from = findNode(config, writer);
  return modelNodes(config).flatMap((node): LaterNode[] => {
    if (node.kind === "embed" || !readsAfter(config, node, from)) return [];
    return [{ name: node.name, kind: node.kind, layer: node.layer }];
  });
}

/**
 * The locations from the write on. `after`: how many of `laterNodes` are written by then, so that R there is
 * 1 plus the first `after` responses. The first location has 0.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(laterLocations(model.config, "L1H5")[0]); // { location: "resid_mid1", …, after: 0 }
 * ```
 */
export function laterLocations(
  config: ModelConfig,
  writer: string,
): { location: string; hook: string; after: number }[] {
  const from = findNode(config, writer);
  const later = laterNodes(config, writer);
  const all = locations(config);
  return all.flatMap(({ location, hook, layer }) => {
    const mid = hook.endsWith("resid_mid"), start = hook.endsWith("resid_pre");
    const holds = (node: { kind: string; layer: number }) =>
      node.layer < layer || (node.layer === layer && !start && (!mid || node.kind === "head"));
    if (!(from.kind === "embed" || holds(from))) return [];
    return [{ location, hook, after: later.filter(holds).length }];
  });
}
