/**
 * Scans a model for clean-up: what becomes of what each node writes, who erases it, by which route, and does
 * it make direct logit attribution mislead? Every verdict is retention beside a control
 * (metrics/retention.ts).
 *
 * Prompts are halved: candidates are chosen on the first half (screen.ts, candidates.ts) and examined on the
 * second (examine.ts), so that the choice does not flatter the evidence. Every node that is passed over and
 * every writer that is not found is in the result with the reason.
 */
import { outputSize } from "../../checkpoints/config.ts";
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { modelNodes } from "../../transformer/nodes.ts";
import { assumptions, Bands } from "../experiment.ts";
import { checkArguments, checkOptions, RUN_OPTIONS } from "../options.ts";
import type { RemovalStats } from "../retention/removal_stats.ts";
import { type Lengths, measureSizes } from "../retention/sizes.ts";
import { attribution } from "./attribution.ts";
import { benjaminiHochberg } from "../../stats/significance.ts";
import { type Candidate, candidates, erased } from "./candidates.ts";
import { examine, type ExaminedWriter } from "./examine.ts";
import { checkScanPrompts, passes } from "./prompts.ts";
import { routes } from "./routes.ts";
import { type LayerContraction, screen, type ScreenResult } from "./screen.ts";
import { checkSettings, type ScanSettings } from "./settings.ts";
import { type Sink, sink } from "./sinks.ts";
import { shuffled, summarize, type UntrainedResult } from "./untrained.ts";

/** What a scan found, and what it did not look at. */
export interface ScanResult {
  /** What was scanned. */
  model: { name: string; layers: number; heads: number; d_model: number; parameters: number };
  /** All that were given; how many served each pass. */
  prompts: { count: number; length: number; source: string; screened: number; examined: number };
  /** Those it was run with. */
  settings: ScanSettings;
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
  /** Examined writers, the most erased first; those with no `notFound` are found. */
  writers: ExaminedWriter[];
  /** Nodes that were not examined, with the reason. */
  passedOver: Candidate[];
  /** What is left at the end of what is written in each layer, whatever it says. */
  layers: LayerContraction[];
  /** Mean length of the stream at each location, at position 0 and elsewhere. */
  stream: ({ location: string } & Lengths)[];
  /** The attention sink at position 0, where there is one. */
  sink?: Sink;
  /** Response of each later node to each writer, on the first half. */
  responses: ScreenResult["responses"];
  /** What the same scan finds in the model with its weights shuffled, when that was asked for. */
  untrained?: UntrainedResult;
}

/** Thresholds, and how the runs are divided, watched and ended. */
export interface ScanOptions extends RunOptions {
  /** Thresholds that differ from `DEFAULT_SETTINGS`. */
  settings?: Partial<ScanSettings>;
  /**
   * What an interrupted first pass over the same prompts had measured, and told after each part: a place to
   * save it.
   */
  screened?: ReadonlyMap<string, RemovalStats>;
  /** Called with what the first pass has measured so far, so that it can be kept. */
  onScreened?: (stats: ReadonlyMap<string, RemovalStats>) => void | Promise<void>;
  /** Told at the start of each pass. */
  onPass?: (name: string, prompts: number) => void;
}

const OPTIONS: Record<keyof ScanOptions, true> = {
  ...RUN_OPTIONS,
  settings: true,
  screened: true,
  onScreened: true,
  onPass: true,
};

/** The writers of a result that count as found. */
export function foundWriters({ writers }: Pick<ScanResult, "writers">): ExaminedWriter[] {
  return writers.filter(({ notFound }) => notFound === undefined);
}

/**
 * Looks for writers whose output is erased beyond its control, for who erases it, by which route, and whether
 * DLA misleads.
 * @throws when prompts are too few, too short or all the same, a setting is out of its range, or numbers are
 * not finite
 */
export async function scan(model: Model, prompts: Prompts, options: ScanOptions = {}): Promise<ScanResult> {
  checkArguments("scan", { model, prompts });
  checkOptions("scan", options, OPTIONS);
  const settings = checkSettings(options.settings);
  checkScanPrompts(prompts);
  const { onPass, screened: done, onScreened, settings: _, ...run } = options;
  const { seed, rotations } = settings;
  const { screened, examined } = passes(prompts, settings);
  const quiet = { ...run, onProgress: undefined };

  const names = modelNodes(model.config).map((node) => node.name);
  onPass?.("measuring lengths", screened.count);
  const sizes = await measureSizes(model, screened, names, run);
  onPass?.(`screening ${names.length} nodes`, screened.count);
  const { nodes, layers, responses } = await screen(model, screened, sizes, {
    ...run,
    seed,
    ...(done && { done }),
    ...(onScreened && { onMeasured: onScreened }),
  });
  const all = candidates(nodes, layers, settings);
  const chosen = all.filter((c) => !c.passedOver).map((c) => c.name);

  if (chosen.length > 0) onPass?.(`examining ${chosen.length} of them`, examined.count);
  const writers = await examine(model, chosen, examined, sizes, settings, run);
  const peers = new Map(nodes.map((node) => [node.name, node.peers]));
  for (const writer of writers) {
    const others = peers.get(writer.writer);
    if (others) writer.peers = others;
  }
  writers.sort((a, b) => rank(b) - rank(a));
  const found = foundWriters({ writers });
  if (found.length > 0) {
    onPass?.(`routes of ${found.length} writers`, examined.count);
    const specific = new Map(found.map((w) => [w.writer, w.specific.value] as const));
    const byRoute = await routes(model, specific, examined, { ...run, seed, rotations });
    for (const writer of found) {
      writer.routes = byRoute.get(writer.writer)!;
      if (outputSize(model.config) === 0) continue; // a base model: there are no logits to attribute
      onPass?.(`attribution of ${writer.writer}`, examined.count);
      writer.attribution = await attribution(model, writer.writer, examined, { ...run, seed, rotations });
    }
  }
  const credited = found.filter((writer) => writer.attribution);
  const adjusted = benjaminiHochberg(credited.map((writer) => writer.attribution!.q));
  credited.forEach((writer, i) => writer.attribution!.q = adjusted[i]);
  const sunk = await sink(model, screened, sizes, { ...quiet, seed, rotations });
  const result: ScanResult = {
    model: describe(model),
    prompts: {
      count: prompts.count,
      length: prompts.length,
      source: prompts.source,
      screened: screened.count,
      examined: examined.count,
    },
    settings,
    assumptions: assumed(model, prompts, screened, examined, settings),
    writers,
    passedOver: all.filter((c) => c.passedOver),
    layers,
    stream: [...sizes.stream].map(([location, lengths]) => ({ location, ...lengths })),
    ...(sunk && { sink: sunk }),
    responses,
  };
  if (settings.untrainedPrompts > 0) {
    const count = Math.min(prompts.count, settings.untrainedPrompts);
    const found = await scan(shuffled(model, seed), shorten(prompts, { count }), {
      ...run,
      settings: { ...settings, untrainedPrompts: 0 },
      onPass: (name, prompts) => onPass?.(`weights shuffled: ${name}`, prompts),
    });
    result.untrained = summarize(count, found);
  }
  return result;
}

const rank = ({ specific, share, notFound }: ExaminedWriter) =>
  erased({ specific: specific.value, share }) + (notFound === undefined ? 1e6 : 0);

function assumed(
  model: Model,
  prompts: Prompts,
  screened: Prompts,
  examined: Prompts,
  { rotations }: ScanSettings,
): Record<string, string> {
  return {
    ...assumptions(model, prompts, new Bands()),
    positions: "1 and later; position 0 apart",
    ...vocabulary(model),
    split: `candidates are chosen on ${screened.count} prompts and examined on ${examined.count} others`,
    "control of the screen":
      "one output of each layer's heads for each prompt in turn, rotated; of MLPs and embeddings their own",
    "control of the examination": `the writer's own output, rotated ${rotations} times`,
    intervals: "95 %, bootstrap over prompts and over the control's draws, by Student's t for so few",
  };
}

/** Many checkpoints have more ids than their tokenizer; the opposite is refused when a model is loaded. */
function vocabulary({ tokenizer, config: { d_vocab } }: Model): Record<string, string> {
  if (!tokenizer || tokenizer.size === d_vocab) return {};
  return {
    vocabulary:
      `tokenizer.json has ${tokenizer.size} ids, the model ${d_vocab}: the others are taken for padding`,
  };
}

export function describe({ name, config, params }: Model): ScanResult["model"] {
  const parameters = params.count();
  return { name, layers: config.n_layers, heads: config.n_heads, d_model: config.d_model, parameters };
}
