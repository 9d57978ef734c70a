/** What a scan says: its passes read, with what was scanned and what that rests on. */
import type { ModelConfig, Prompts } from "../../checkpoints/mod.ts";
import type { Model } from "../../transformer/model.ts";
import { basis } from "../experiment.ts";
import type { Lengths } from "../retention/sizes.ts";
import type { Candidate } from "./candidates.ts";
import type { ExaminedWriter } from "./examine.ts";
import type { Passes, ScanPlan } from "./passes.ts";
import { passes } from "./prompts.ts";
import type { LayerContraction, ScreenResult } from "./screen.ts";
import type { ScanSettings } from "./settings.ts";
import type { Sink } from "./sinks.ts";
import type { UntrainedResult } from "./untrained.ts";

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

/**
 * What a report says besides what was measured, and what is to be known to read that. Plain values, without
 * weights.
 */
export interface ScanFacts extends Pick<ScanResult, "model" | "prompts" | "settings" | "assumptions"> {
  config: ModelConfig;
}

/** What of a scan is no sum over prompts. */
export type Extras = Pick<ScanResult, "sink" | "untrained">;

export function scanFacts(model: Model, prompts: Prompts, settings: ScanSettings): ScanFacts {
  const { screened, examined } = passes(prompts, settings);
  const { count, length, source } = prompts;
  return {
    model: describe(model),
    prompts: { count, length, source, screened: screened.count, examined: examined.count },
    settings,
    assumptions: assumed(model, prompts, screened, examined, settings),
    config: model.config,
  };
}

export function planOf({ config, settings, prompts: { length, screened, examined } }: ScanFacts): ScanPlan {
  return {
    config,
    settings,
    screened: { count: screened, length },
    examined: { count: examined, length },
  };
}

/** @param measured all passes taken */
export function scanResult(facts: ScanFacts, measured: Passes, { sink, untrained }: Extras): ScanResult {
  const { model, prompts, settings, assumptions } = facts;
  const { sizes, layers, responses } = measured.screen;
  return {
    model,
    prompts,
    settings,
    assumptions,
    writers: measured.writers,
    passedOver: measured.passedOver,
    layers,
    stream: [...sizes.stream].map(([location, lengths]) => ({ location, ...lengths })),
    ...(sink && { sink }),
    responses,
    ...(untrained && { untrained }),
  };
}

function assumed(
  model: Model,
  prompts: Prompts,
  screened: Prompts,
  examined: Prompts,
  { rotations }: ScanSettings,
): Record<string, string> {
  return {
    ...basis(model, prompts),
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
