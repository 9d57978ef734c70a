/** What a scan costs before it runs: plain forward passes of a token, from the shapes alone; and bytes. */
import type { Prompts } from "../../checkpoints/mod.ts";
import type { Outputs } from "../../tensor/outputs.ts";
import { cost } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { type ModelNode, modelNodes } from "../../transformer/nodes.ts";
import { BINS } from "../../stats/histogram.ts";
import { graphs, outputsOf, STEPS_A_LAYER, stepsAGraph } from "../retention/removals.ts";
import type { PassName } from "./passes.ts";
import { batchesOf, passes } from "./prompts.ts";
import { controlKey, NODE_BLOCKS, screenRemovals } from "./screen.ts";
import type { ScanSettings } from "./settings.ts";

/** Products with δ for the responses, and what elementwise steps take, as a part of a forward pass's time. */
export const RESPONSES = 1.25;
/** Attention's part of a layer. A head's removal begins after it. */
const ATTENTION = 0.35;
/** Of all nodes, how many are examined at most, and of these how many are found, in the models so far. */
const EXAMINED = 1 / 3, FOUND = 0.4;
/**
 * Seconds that a step takes to be made and compiled: by itself, and for each other step of its graph, since
 * the runtime takes longer with each step of a larger graph (tests/bench/results.md).
 */
const SECONDS_A_STEP = 1.5e-4, SECONDS_A_PAIR = 2.9e-8;

/** Forward passes that the run without a node's output costs: the layers after it. */
function passesOf({ kind, layer }: ModelNode, layers: number): number {
  if (kind === "embed") return 1;
  return (layers - layer - (kind === "head" ? ATTENTION : 1)) / layers;
}

/** What a pass takes. */
export interface Work {
  /** Plain forward passes of one token, without logits. */
  forward: number;
  /** Seconds in which graphs are compiled, whatever the number of tokens. */
  compiling: number;
}

export interface ScanCost {
  screen: Work;
  /** Of what follows, as far as can be known before. */
  rest: Work;
  /** FLOPs of one plain forward pass of a token. */
  flops: number;
}

const sum = (...work: Work[]): Work => ({
  forward: work.reduce((all, { forward }) => all + forward, 0),
  compiling: work.reduce((all, { compiling }) => all + compiling, 0),
});

/** Nodes whose outputs are taken out, and how many forward passes that costs once for each. */
interface Writers {
  count: number;
  passes: number;
}

/** Where it is not known which they are: in the middle of the model. */
const anywhere = (count: number): Writers => ({ count, passes: count / 2 });

function writersOf({ config }: Model, names: readonly string[]): Writers {
  const chosen = modelNodes(config).filter(({ name }) => names.includes(name));
  return {
    count: chosen.length,
    passes: chosen.reduce((sum, node) => sum + passesOf(node, config.n_layers), 0),
  };
}

/** Of each pass of a scan, the later ones by their nodes. */
function works(model: Model, prompts: Prompts, settings: ScanSettings) {
  const { config } = model, { screened, examined } = passes(prompts, settings);
  const nodes = modelNodes(config), layers = config.n_layers;
  const controls = new Map(nodes.map((node) => [controlKey(node), node]));
  const removals = [...nodes, ...controls.values()].reduce((sum, node) => sum + passesOf(node, layers), 0);
  const most = stepsAGraph(model), steps = removals * layers * STEPS_A_LAYER;
  const compilingOf = (steps: number) => steps * (SECONDS_A_STEP + SECONDS_A_PAIR * Math.min(steps, most));
  const one = cost({ end: model.forward().residualStream().at(-1)!.value }, {
    batch: 1,
    pos: prompts.length,
  });
  const flops = one.flops / prompts.length, logits = 2 * config.d_model * config.d_vocab / flops;
  const tokens = (of: Prompts) => of.count * of.length;
  /** Runs without writers, and without their controls. */
  const runs = ({ passes }: Writers) => (1 + settings.rotations) * passes;
  const compiling = (writers: Writers) => compilingOf(runs(writers) * layers * STEPS_A_LAYER);
  return {
    flops,
    screen: {
      forward: tokens(screened) * (2 + Math.ceil(steps / most) + RESPONSES * removals),
      compiling: compilingOf(steps),
    },
    examination: (writers: Writers): Work => ({
      forward: tokens(examined) * (RESPONSES * runs(writers) + 1 + writers.count / 6),
      compiling: compiling(writers),
    }),
    routes: (writers: Writers): Work => ({
      // Two routes; and attribution, which runs the model without the writer once more, and once as it is.
      forward: tokens(examined) *
        ((2 * RESPONSES + 1) * runs(writers) + writers.count * (1 + logits) + 1),
      compiling: 3 * compiling(writers),
    }),
  };
}

export function scanCost(model: Model, prompts: Prompts, settings: ScanSettings): ScanCost {
  const { flops, screen, examination, routes } = works(model, prompts, settings);
  const count = Math.min(
    settings.examine,
    Math.max(1, Math.round(EXAMINED * modelNodes(model.config).length)),
  );
  return { screen, rest: sum(examination(anywhere(count)), routes(anywhere(FOUND * count))), flops };
}

/** Of one pass whose nodes are known. */
export function passWork(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { pass, nodes }: { pass: PassName; nodes: readonly string[] },
): Work {
  const all = works(model, prompts, settings);
  return pass === "screen" ? all.screen : all[pass](writersOf(model, nodes));
}

/** Of what follows the examination of these nodes, by how many of them were found in the models so far. */
export function afterExamining(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  nodes: readonly string[],
): Work {
  const { count, passes } = writersOf(model, nodes);
  return works(model, prompts, settings).routes({ count: FOUND * count, passes: FOUND * passes });
}

/** Of a share of one pass, whose nodes are known. @param part of the pass's prompts */
export function shareCost(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  next: { pass: PassName; nodes: readonly string[] },
  part: number,
): ScanCost {
  const { forward, compiling } = passWork(model, prompts, settings, next);
  const { flops } = works(model, prompts, settings);
  return { screen: { forward: forward * part, compiling }, rest: { forward: 0, compiling: 0 }, flops };
}

/**
 * Bytes of the activations of the largest graphs: the first of the first pass, whose writers have the most
 * layers after them, and a pass with logits.
 */
export function activationBytes(model: Model, prompts: Prompts, settings: ScanSettings): number {
  const { screened } = passes(prompts, settings), { batch, logits } = batchesOf(model, prompts.length);
  const clean = model.forward(), pos = prompts.length;
  const { removals } = screenRemovals(
    model,
    clean,
    { prompts: screened, first: 0 },
    settings.seed,
    NODE_BLOCKS,
  );
  const first = { removals: graphs(model, removals)[0].map((one) => outputsOf(model, clean, one)) };
  const peak = (outputs: Outputs, most: number) =>
    cost(outputs, { batch: Math.min(most, screened.count), pos }, model.device).peakBytes;
  return Math.max(peak(first, batch), peak({ logits: clean.logits }, logits));
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
