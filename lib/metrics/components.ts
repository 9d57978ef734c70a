/**
 * The exact additive identity: the residual stream at any location is the sum of what was written before it,
 * resid = embed + pos_embed + Σ (head results + b_O + MLP outputs). So one Gram matrix of the components for each prompt and
 * position holds the projection of every node, and by prefix sums of every residual location, onto every writer.
 */
import { concat, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { headName, locations, modelNodes } from "../transformer/nodes.ts";

export interface Component {
  /** A node's name, or "b_O2" for the output bias of layer 2's attention. */
  name: string;
  kind: "embed" | "head" | "mlp" | "bias";
  layer: number;
  /** When its input is read, as a count of components that were written by then. A node cannot read what came later. */
  reads: number;
}

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
  start: number;
  end: number;
}

/** @param range the positions that `outputs` covers; default: all */
export function decompose(forward: Forward, range?: PositionRange): Decomposition {
  const { config } = forward;
  const components: Component[] = [];
  const parts: Tensor[] = [];
  const cut = (t: Tensor) => range ? t.slice("pos", range.start, range.end) : t;
  const add = (component: Component, output: Tensor) => {
    components.push(component);
    parts.push(output.expand("component", 1));
  };
  for (const { kind, name } of modelNodes(config)) {
    if (kind === "embed") add({ name, kind, layer: -1, reads: 0 }, cut(forward.node(name)));
  }
  const ends = new Map<string, number>([["resid_pre0", components.length]]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const attn = `blocks.${layer}.attn`;
    const before = components.length;
    for (let head = 0; head < config.n_heads; head++) {
      components.push({ name: headName(layer, head), kind: "head", layer, reads: before });
    }
    // Positions are cut before the product with W_O: the results of all heads are the largest values of all.
    const results = forward.isHooked(`${attn}.hook_result`)
      ? cut(forward.hook(`${attn}.hook_result`))
      : cut(forward.hook(`${attn}.hook_z`)).dot(forward.weight(`${attn}.W_O`), "d_head");
    parts.push(results.rename({ head: "component" }));
    const bias = forward.maybeWeight(`${attn}.b_O`);
    if (bias) {
      const length = range ? range.end - range.start : "pos";
      const everywhere = bias.expand("batch", "batch").expand("pos", length);
      add({ name: `b_O${layer}`, kind: "bias", layer, reads: before }, everywhere);
    }
    ends.set(`resid_mid${layer}`, components.length);
    if (!config.attn_only) {
      const reads = config.parallel_attn_mlp ? before : components.length;
      add({ name: `MLP${layer}`, kind: "mlp", layer, reads }, cut(forward.node(`MLP${layer}`)));
    }
    ends.set(`resid_post${layer}`, components.length);
  }
  return {
    components,
    locations: locations(config).map(({ location }) => ({ location, count: ends.get(location)! })),
    outputs: concat(parts, "component").order("batch", "pos", "component", "d_model"),
  };
}

/** Dot products of all pairs of components: [batch, pos, component, other]. */
export function gram({ outputs }: Decomposition): Tensor {
  return outputs.dot(outputs.rename({ component: "other" }), "d_model");
}
