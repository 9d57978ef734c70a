/**
 * Retention: how much of what a writer wrote is still in the residual stream. It is measured by taking the
 * output away and looking at what is missing, not by looking for its direction in one run. δ(t) is the
 * writer's output w(t), or a part of it, at the positions that count. x is the residual stream of the clean
 * run, x̃ that of a run in which what the writer adds lacks δ:
 *
 *     R_L(t) = (x_L - x̃_L)·δ / ‖δ‖²      retention at location L: 1 just after the write,
 *                                        0 when what is left is orthogonal to δ
 *     ρ_c(t) = (c - c̃)·δ / ‖δ‖²          response of a later node c: below 0, it writes back what it reads
 *     R_L = 1 + Σ ρ_c over the nodes written between the write and L, exactly
 *
 * What all tokens have in common, what others write along the same direction and the growth of the stream
 * cancel in the difference. Some of any vector is written back, whatever it says: a retention is read beside
 * that of the rotated output (rotation.ts).
 *
 * Position 0 is left alone unless asked for: many models write vectors there a hundred times as long as
 * elsewhere (attention sinks).
 */
import { concat, iota, type Tensor, where } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { type Hook, hookPoints, type Hooks } from "../transformer/hook_points.ts";
import { findNode } from "../transformer/nodes.ts";
import { headDots } from "./projection.ts";
import type { LaterNode } from "./later_nodes.ts";

/** Which positions lose the writer's output: all but the first (default), the first alone, or all. */
export type RemovedPositions = "rest" | "first" | "all";

/** Keeps 0 / 0 from becoming NaN where a writer writes nothing. */
const TINY = 1e-30;

/**
 * w [batch, pos, d_model], 0 at the positions that are left alone.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const w = model.forward().node("L1H5");
 * console.log(atPositions(w).names); // batch, pos, d_model: 0 at position 0
 * ```
 */
export function atPositions(w: Tensor, positions: RemovedPositions = "rest"): Tensor {
  if (positions === "all") return w;
  const [first, rest] = positions === "first" ? [1, 0] : [0, 1];
  return w.mul(where(iota("pos", "pos"), "Less", 1, first, rest));
}

/**
 * What of the model answers to the missing output.
 *
 * - all: the whole model, as it is.
 * - patterns: queries and keys stay those of the clean run, so the attention patterns do. What is left goes
 *   through values, MLP inputs and the normalisations' scales.
 * - values: scales stay those of the clean run as well.
 * - position: keys and values stay those of the clean run: each position lacks its own output alone.
 */
export type Route = "all" | "patterns" | "values" | "position";

const FROZEN: Record<Route, (point: string) => boolean> = {
  all: () => false,
  patterns: (point) => /\.attn\.hook_[qk]$/.test(point),
  values: (point) => /\.attn\.hook_[qk]$/.test(point) || /^blocks\..*hook_scale$/.test(point),
  position: (point) => /\.attn\.hook_[kv]$/.test(point),
};

/** The hook point at which a node's output is added to the residual stream. */
export function addedAt(config: Forward["config"], name: string): string {
  const node = findNode(config, name);
  if (node.kind === "embed") return `hook_${node.name}`;
  return `blocks.${node.layer}.hook_${node.kind === "head" ? "attn" : "mlp"}_out`;
}

/**
 * Hooks of the run in which what node `name` adds lacks `delta` [batch, pos, d_model]. `clean`: the run whose
 * values are frozen.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), w = atPositions(clean.node("L1H5"));
 * const without = model.forward({ hooks: removal(clean, "L1H5", w) });
 * console.log(without.isHooked("blocks.1.hook_attn_out")); // true
 * ```
 */
export function removal(clean: Forward, name: string, delta: Tensor, route: Route = "all"): Hooks {
  const hooks: Record<string, Hook> = { [addedAt(clean.config, name)]: (added) => added.sub(delta) };
  for (const point of hookPoints(clean.config).keys()) {
    if (FROZEN[route](point)) hooks[point] = () => clean.hook(point);
  }
  return hooks;
}

/** ‖δ‖² [batch, pos], never 0. */
function square(delta: Tensor): Tensor {
  return delta.sumSquares("d_model").atLeast(TINY);
}

/**
 * R at a hook point of the residual stream, such as "blocks.3.hook_resid_post": [batch, pos]. 0 where δ is 0.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward(), w = atPositions(clean.node("L1H5"));
 * const without = model.forward({ hooks: removal(clean, "L1H5", w) });
 * const left = retained(clean, without, w, "blocks.3.hook_resid_post");
 * console.log((await run({ left }, feed(prompts))).left.shape); // [batch, pos]
 * ```
 */
export function retained(clean: Forward, without: Forward, delta: Tensor, hook: string): Tensor {
  return clean.hook(hook).sub(without.hook(hook)).dot(delta, "d_model").div(square(delta));
}

/**
 * (c - c̃)·δ for each of the later nodes: [batch, pos, node]. Divided by ‖δ‖², the responses ρ; summed over
 * tokens and divided by Σ ‖δ‖², those of a whole text. `nodes`: see laterNodes. A layer's heads stand
 * together.
 */
export function responseDots(
  clean: Forward,
  without: Forward,
  delta: Tensor,
  nodes: readonly LaterNode[],
): Tensor {
  const parts: Tensor[] = [];
  for (const { name, kind, layer } of nodes) {
    if (kind === "mlp") {
      const changed = clean.node(name).sub(without.node(name));
      parts.push(changed.dot(delta, "d_model").expand("node", 1));
    } else if (nodes.find((n) => n.kind === "head" && n.layer === layer)!.name === name) {
      const changed = headDots(clean, layer, delta).sub(headDots(without, layer, delta));
      parts.push(changed.rename({ head: "node" }));
    }
  }
  return concat(parts, "node").order("batch", "pos", "node");
}

/**
 * ρ of each later node [batch, pos, node].
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * import { laterNodes } from "./later_nodes.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward(), w = atPositions(clean.node("L1H5"));
 * const without = model.forward({ hooks: removal(clean, "L1H5", w) });
 * const later = laterNodes(model.config, "L1H5");
 * const { back } = await run({ back: responses(clean, without, w, later) }, feed(prompts));
 * console.log(later[0].name, back.names); // MLP1; batch, pos, node
 * ```
 */
export function responses(
  clean: Forward,
  without: Forward,
  delta: Tensor,
  nodes: readonly LaterNode[],
): Tensor {
  return responseDots(clean, without, delta, nodes).div(square(delta));
}
