/** What a scan costs before it runs: plain forward passes of a token, from the shapes alone; and bytes. */
import type { Prompts } from "../../checkpoints/mod.ts";
import { cost } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { type ModelNode, modelNodes } from "../../transformer/nodes.ts";
import { BINS } from "../../stats/histogram.ts";
import { controlKey, NODE_BLOCKS } from "./screen.ts";
import { passes } from "./prompts.ts";
import type { ScanSettings } from "./settings.ts";

/** Products with δ for the responses, and what elementwise steps take, as a part of a forward pass's time. */
export const RESPONSES = 1.25;
/** Attention's part of a layer. A head's removal begins after it. */
const ATTENTION = 0.35;
/** Of all nodes, how many are examined, and of these how many are found, in the models that were scanned. */
const EXAMINED = 0.08, FOUND = 0.4;

/** Forward passes that the run without a node's output costs: the layers after it. */
function passesOf({ kind, layer }: ModelNode, layers: number): number {
  if (kind === "embed") return 1;
  return (layers - layer - (kind === "head" ? ATTENTION : 1)) / layers;
}

export interface ScanCost {
  /**
   * Plain forward passes of one token (without logits): of the screen; of what follows, as far as can be
   * known before.
   */
  screen: number;
  rest: number;
  /** FLOPs of one such pass. */
  flops: number;
}

export function scanCost(model: Model, prompts: Prompts, settings: ScanSettings): ScanCost {
  const { config } = model, { screened, examined } = passes(prompts, settings);
  const nodes = modelNodes(config), layers = config.n_layers;
  const controls = new Map(nodes.map((node) => [controlKey(node), node]));
  const removals = [...nodes, ...controls.values()].reduce((sum, node) => sum + passesOf(node, layers), 0);
  const graphs = Math.ceil(removals * layers * 30 / 12_000);
  const one = cost({ end: model.forward().residualStream().at(-1)!.value }, {
    batch: 1,
    pos: prompts.length,
  });
  const tokens = (passes: Prompts) => passes.count * passes.length;
  const examinedNodes = Math.min(settings.examine, Math.max(1, Math.round(EXAMINED * nodes.length)));
  const each = (1 + settings.rotations) / 2;
  const found = FOUND * examinedNodes;
  const logits = 2 * config.d_model * config.d_vocab / (one.flops / prompts.length);
  return {
    screen: tokens(screened) * (2 + graphs + RESPONSES * removals),
    rest: tokens(examined) *
      (RESPONSES * each * (examinedNodes + 2 * found) + found * (2 + logits) + 2 + examinedNodes / 6),
    flops: one.flops / prompts.length,
  };
}

/** Bytes of the statistics of a screen and of an examination. */
export function statisticsBytes(model: Model, prompts: Prompts, settings: ScanSettings): number {
  const { examined } = passes(prompts, settings), { config } = model;
  const nodes = modelNodes(config).length;
  // Half the other nodes are later ones, 8 bytes each.
  const screen = nodes * 1.2 * NODE_BLOCKS * (4 * BINS + 4 * nodes);
  const one = 4 * BINS * (2 * config.n_layers + examined.count) + 4 * nodes * examined.count;
  return screen + (1 + settings.rotations) * Math.min(settings.examine, nodes) * one;
}
