/**
 * Nodes: what writes to the residual stream. "L2H3" (head 3 of layer 2), "MLP1", "embed", "pos_embed", in the
 * post's notation. Locations: where the residual stream is looked at: resid_pre0, resid_mid0, resid_post0,
 * resid_mid1 …; without resid_mid where attention and MLP are written together (parallel). Rotary models add
 * no positions to the residual stream: no pos_embed.
 */
import { blocks, type Branch, embeddings } from "../checkpoints/blocks.ts";
import { didYouMean } from "../checkpoints/nearest.ts";
import type { ModelConfig } from "../checkpoints/mod.ts";

/** What writes to the residual stream: an embedding, a head or an MLP. */
export type ModelNode =
  | { kind: "embed"; name: "embed" | "pos_embed"; layer: -1 }
  | { kind: "head"; name: string; layer: number; head: number }
  | { kind: "mlp"; name: string; layer: number };

/**
 * The name of a head: `headName(0, 2)` is "L0H2".
 *
 * @example
 * ```ts
 * console.log(headName(1, 5)); // "L1H5"
 * ```
 */
export function headName(layer: number, head: number): string {
  return `L${layer}H${head}`;
}

/** The nodes of one branch of a block. */
export function branchNodes(config: ModelConfig, { kind, layer }: Branch): ModelNode[] {
  if (kind === "mlp") return [{ kind, name: `MLP${layer}`, layer }];
  return Array.from(
    { length: config.n_heads },
    (_, head) => ({ kind: "head", name: headName(layer, head), layer, head }),
  );
}

/**
 * All nodes in the order of the forward pass.
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(modelNodes(model.config).map(({ name }) => name)); // embed, pos_embed, L0H0 …
 * ```
 */
export function modelNodes(config: ModelConfig): ModelNode[] {
  return [
    ...embeddings(config).map(({ name }): ModelNode => ({ kind: "embed", name, layer: -1 })),
    ...blocks(config).flatMap(({ branches }) => branches.flatMap((branch) => branchNodes(config, branch))),
  ];
}

/**
 * The node of that name. @throws for a name that the model does not have, with the nearest one.
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const node = findNode(model.config, "L1H5");
 * console.log(node.kind, node.layer); // head 1
 * ```
 */
export function findNode(config: ModelConfig, name: string): ModelNode {
  const nodes = modelNodes(config);
  const node = nodes.find((n) => n.name === name);
  if (node) return node;
  throw new Error(`the model has no node "${name}".${didYouMean(name, nodes.map((n) => n.name))}`);
}

/** What a place of the stream is called: "blocks.3.hook_resid_mid" → "resid_mid3". */
export function locationOf(hook: string): string {
  const [, layer, place] = /^blocks\.(\d+)\.hook_(\w+)$/.exec(hook)!;
  return place + layer;
}

/**
 * Location name → hook name, in the order of the forward pass. resid_pre of a later layer is resid_post of
 * the one before.
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(locations(model.config)[1]); // { location: "resid_mid0", hook: "blocks.0.hook_resid_mid", … }
 * ```
 */
export function locations(config: ModelConfig): { location: string; hook: string; layer: number }[] {
  return blocks(config).flatMap(({ layer, residPre, branches }) => {
    const made = branches.flatMap(({ makes }) => makes === undefined ? [] : [makes]);
    return [...(layer === 0 ? [residPre] : []), ...made].map((hook) => ({
      location: locationOf(hook),
      hook,
      layer,
    }));
  });
}
