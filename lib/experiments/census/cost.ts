/** What a census costs before it runs: plain forward passes of a token, from the shapes alone; and bytes. */
import { outputSize } from "../../checkpoints/config.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import type { Model } from "../../transformer/model.ts";
import { modelNodes } from "../../transformer/nodes.ts";
import { cost } from "../../tensor/run.ts";
import { LEAST_TOKENS } from "../retention/sums.ts";
import { activationBytes, RESPONSES, type ScanCost, scanCost } from "../scan/cost.ts";
import { passes } from "../scan/prompts.ts";
import type { ScanSettings } from "../scan/settings.ts";
import { DEFAULT_EARLY, DEFAULT_REPAIR } from "./census.ts";
import { earlyLayers } from "./early_heads.ts";
import { repairGraphs, repairOutputs } from "./self_repair.ts";

/**
 * Part of the nodes that is examined, as far as the settings let it: in small models a third, in large
 * ones the settings bound it.
 */
const EXAMINED = 1 / 3;
/**
 * A run without a node's output: on average the later half of the layers; of an early head nearly all of
 * them.
 */
const HALF = 0.5, NEARLY_ALL = 0.85;

/** The first pass is a scan's; the rest: examination, cosines (two passes), early heads, self-repair. */
export function censusCost(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { early = DEFAULT_EARLY, repair = DEFAULT_REPAIR }: { early?: number; repair?: number } = {},
): ScanCost {
  const { screen, rest, flops } = scanCost(model, prompts, settings);
  const { examined } = passes(prompts, settings);
  const { n_layers, n_heads, d_model, d_vocab } = model.config;
  const nodes = modelNodes(model.config).length;
  const examining = Math.min(settings.examine, Math.ceil(EXAMINED * nodes));
  const draws = 1 + settings.rotations;
  const asked = outputSize(model.config) > 0;
  const [heads, repaired] = asked
    ? [Math.min(early, earlyLayers(n_layers) * n_heads), Math.min(repair, nodes)]
    : [0, 0];
  const runs = RESPONSES * draws *
    (HALF * (examining + repaired) + NEARLY_ALL * heads);
  const logits = asked ? 2 * d_model * d_vocab / flops : 0;
  const forward = examined.count * examined.length * (runs + 8 + logits);
  return { screen, rest: { ...rest, forward }, flops };
}

/**
 * Bytes of the activations of the largest graphs: those of a scan, or the first of self-repair, whose nodes
 * have the most layers after them. The graphs of early heads are smaller.
 */
export function censusBytes(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { repair = DEFAULT_REPAIR }: { repair?: number } = {},
): number {
  const scanned = activationBytes(model, prompts, settings);
  if (outputSize(model.config) === 0) return scanned;
  const { examined } = passes(prompts, settings), clean = model.forward();
  const nodes = modelNodes(model.config).filter(({ kind }) => kind !== "embed").map(({ name }) => name);
  const [first] = repairGraphs(model, clean, nodes.slice(0, repair), settings);
  const pos = prompts.length - 1, batch = Math.min(examined.count, Math.ceil(LEAST_TOKENS / pos));
  const { peakBytes } = cost(repairOutputs(model, clean, first), { batch, pos }, model.device);
  return Math.max(scanned, peakBytes);
}
