/**
 * Nodes: what writes to the residual stream. "L2H3" (head 3 of layer 2), "MLP1", "embed", "pos_embed", in the post's notation.
 * Locations: where the residual stream is looked at: resid_pre0, resid_mid0, resid_post0, resid_mid1 …; without resid_mid where
 * attention and MLP are written together (parallel). Rotary models add no positions to the residual stream: no pos_embed.
 */
import { didYouMean } from "../checkpoints/nearest.ts";
import type { ModelConfig } from "../checkpoints/mod.ts";

export type ModelNode =
  | { kind: "embed"; name: "embed" | "pos_embed"; layer: -1 }
  | { kind: "head"; name: string; layer: number; head: number }
  | { kind: "mlp"; name: string; layer: number };

export function headName(layer: number, head: number): string {
  return `L${layer}H${head}`;
}

/** All nodes in the order of the forward pass. */
export function modelNodes(config: ModelConfig): ModelNode[] {
  const nodes: ModelNode[] = [{ kind: "embed", name: "embed", layer: -1 }];
  if (config.positional_embedding_type !== "rotary") {
    nodes.push({ kind: "embed", name: "pos_embed", layer: -1 });
  }
  for (let layer = 0; layer < config.n_layers; layer++) {
    for (let head = 0; head < config.n_heads; head++) {
      nodes.push({ kind: "head", name: headName(layer, head), layer, head });
    }
    if (!config.attn_only) nodes.push({ kind: "mlp", name: `MLP${layer}`, layer });
  }
  return nodes;
}

/** @throws for a name that the model does not have, with the nearest one. */
export function findNode(config: ModelConfig, name: string): ModelNode {
  const nodes = modelNodes(config);
  const node = nodes.find((n) => n.name === name);
  if (node) return node;
  throw new Error(`the model has no node "${name}".${didYouMean(name, nodes.map((n) => n.name))}`);
}

/** Location name → hook name, in the order of the forward pass. resid_pre of a later layer is resid_post of the one before. */
export function locations(config: ModelConfig): { location: string; hook: string; layer: number }[] {
  const all = [{ location: "resid_pre0", hook: "blocks.0.hook_resid_pre", layer: 0 }];
  for (let layer = 0; layer < config.n_layers; layer++) {
    for (const at of config.attn_only || config.parallel_attn_mlp ? ["post"] : ["mid", "post"]) {
      all.push({ location: `resid_${at}${layer}`, hook: `blocks.${layer}.hook_resid_${at}`, layer });
    }
  }
  return all;
}
