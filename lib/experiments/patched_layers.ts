/**
 * Which layers can be patched: those that come after the writer's, since others do not read what it writes.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { findNode } from "../transformer/nodes.ts";

/** @throws when there are none, and naming a layer that no head of which reads the writer's output */
export function checkPatchedLayers(config: ModelConfig, writer: string, layers: readonly number[]): void {
  const first = findNode(config, writer).layer + 1, last = config.n_layers - 1;
  const can = first > last ? "no layer comes after it" : `layers ${first} to ${last} can be patched`;
  if (!Array.isArray(layers) || new Set(layers).size < layers.length) {
    throw new Error(
      `patchedLayers: got ${
        JSON.stringify(layers)
      }; expected a list of layers, each once; after ${writer}, ${can}`,
    );
  }
  if (layers.length === 0) throw new Error(`patchedLayers: got none; after ${writer}, ${can}`);
  const wrong = layers.find((layer) => !(Number.isInteger(layer) && layer >= first && layer <= last));
  if (wrong !== undefined) {
    throw new Error(`patchedLayers: got ${wrong}, whose heads do not read ${writer}; ${can}`);
  }
}
