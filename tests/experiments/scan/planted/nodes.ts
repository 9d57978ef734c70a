/**
 * Planted nodes: a head or an MLP that writes a chosen linear map of what it reads at its own position. Of a
 * head that is V·O, with scores from the position axes alone; of an MLP it is done by pairs of neurons,
 * exactly, since gelu(x) - gelu(-x) = x.
 */
import { findNode } from "../../../../lib/transformer/nodes.ts";
import { LENGTH, times, type Vector, type World } from "./world.ts";

/** Makes node `name` write Σ_k (reads[k] · LN(x)) writes[k]. */
export function plant(world: World, name: string, reads: readonly Vector[], writes: readonly Vector[]): void {
  const node = findNode(world.config, name);
  if (node.kind === "embed") throw new Error(`plant: got ${name}; expected a head or an MLP`);
  if (node.kind === "head") {
    attendToItself(world, node);
    return plantValues(world, node, reads, writes);
  }
  const mlp = `blocks.${node.layer}.mlp`;
  reads.forEach((read, k) => {
    for (const [neuron, sign] of [[2 * k, 1], [2 * k + 1, -1]]) {
      world.column(`${mlp}.W_in`, world.config.d_mlp, neuron, times(sign, [read])[0]);
      world.row(`${mlp}.W_out`, neuron, times(sign, [writes[k]])[0]);
    }
  });
}

/** V and O of a head, whatever it attends to. */
export function plantValues(
  world: World,
  { layer, head }: { layer: number; head: number },
  reads: readonly Vector[],
  writes: readonly Vector[],
): void {
  const { d_head, d_model } = world.config;
  const nothing = new Float64Array(d_model);
  for (let k = 0; k < d_head; k++) {
    world.column(`blocks.${layer}.attn.W_V`, d_head, k, reads[k] ?? nothing, head);
    world.row(`blocks.${layer}.attn.W_O`, head * d_head + k, writes[k] ?? nothing);
  }
}

/** Q and K of a head: one number for each position, so that each finds itself. */
export function attendToItself(world: World, { layer, head }: { layer: number; head: number }): void {
  for (let k = 0; k < LENGTH; k++) {
    const [read] = times(4, [world.positions[k]]);
    for (const x of ["Q", "K"]) {
      world.column(`blocks.${layer}.attn.W_${x}`, world.config.d_head, k, read, head);
    }
  }
}

/**
 * Makes a node write `factor` times the part of the stream in a subspace. σ: what LayerNorm divides by there.
 */
export function plantMultiple(
  world: World,
  name: string,
  factor: number,
  sigma: number,
  subspace: readonly Vector[] = world.S,
): void {
  plant(world, name, subspace, times(factor * sigma, subspace));
}
