/**
 * The exact additive identity: the residual stream at any location is the sum of what was written before it,
 * resid = embed + pos_embed + Σ (head results + b_O + MLP outputs). In models that normalise what a branch
 * writes, head results and b_O stand as they pass that norm, with the run's own scale.
 */
import { blocks, embeddings } from "../checkpoints/blocks.ts";
import { concat, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { branchNodes, locations } from "../transformer/nodes.ts";

/** One additive part of the residual stream. */
export interface Component {
  /** A node's name, or "b_O2" for the output bias of layer 2's attention. */
  name: string;
  /** "bias": an attention's output bias. */
  kind: "embed" | "head" | "mlp" | "bias";
  /** The layer that wrote it; -1 for embeddings. */
  layer: number;
  /**
   * When its input is read, as a count of components that were written by then. A node cannot read what came
   * later.
   */
  reads: number;
}

/** Parts whose sum is a value of the stream, exactly. */
export interface Decomposition {
  /** In the order of the residual sum. */
  components: Component[];
  /** Each location is the sum of the first `count` components. */
  locations: { location: string; count: number }[];
  /** What each component writes: [batch, pos, component, d_model]. */
  outputs: Tensor;
}

/** Some positions only, `start … end - 1`: what is computed of them takes that much less memory. */
export interface PositionRange {
  /** First position. */
  start: number;
  /** The position after the last. */
  end: number;
}

/**
 * Takes the end of the stream apart into what each node wrote: tensors [batch, pos, d_model] whose sum it
 * is.
 * @param range the positions that `outputs` covers; default: all
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { components, locations, outputs } = decompose(model.forward());
 * console.log(components.length, locations.at(-1)!.count, outputs.names); // all of them add up to the end
 * ```
 */
export function decompose(forward: Forward, range?: PositionRange): Decomposition {
  const { config } = forward;
  const components: Component[] = [];
  const parts: Tensor[] = [];
  const cut = (t: Tensor) => range ? t.slice("pos", range.start, range.end) : t;
  const normed = (norm: string | undefined, part: Tensor) => forward.partThroughNorm(norm, part, range);
  const add = (component: Component, output: Tensor) => {
    components.push(component);
    parts.push(output.expand("component", 1));
  };
  for (const { name, hook } of embeddings(config)) {
    add({ name, kind: "embed", layer: -1, reads: 0 }, cut(forward.hook(hook)));
  }
  /** What stands in the stream at each of its places: so many components. */
  const ends = new Map<string, number>();
  for (const { residPre, branches } of blocks(config)) {
    ends.set(residPre, components.length);
    for (const branch of branches) {
      const { layer, postNorm, output: [W, b], reads: place } = branch;
      const reads = ends.get(place)!;
      for (const { name, kind } of branchNodes(config, branch)) components.push({ name, kind, layer, reads });
      if (branch.kind === "mlp") parts.push(cut(forward.hook(branch.writes)).expand("component", 1));
      else {
        // Positions are cut before the product with W_O: the results of all heads are the largest values of
        // all.
        const result = `${branch.block}.attn.hook_result`;
        const results = forward.isHooked(result)
          ? cut(forward.hook(result))
          : cut(forward.hook(`${branch.block}.attn.hook_z`)).dot(forward.weight(W), "d_head");
        parts.push(normed(postNorm, results).rename({ head: "component" }));
        const length = range ? range.end - range.start : "pos";
        const everywhere = forward.weight(b).expand("batch", "batch").expand("pos", length);
        add({ name: `b_O${layer}`, kind: "bias", layer, reads }, normed(postNorm, everywhere));
      }
      if (branch.makes) ends.set(branch.makes, components.length);
    }
  }
  return {
    components,
    locations: locations(config).map(({ location, hook }) => ({ location, count: ends.get(hook)! })),
    outputs: concat(parts, "component").order("batch", "pos", "component", "d_model"),
  };
}
