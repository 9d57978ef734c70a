/**
 * A census: the same questions to any model, so that models can stand side by side.
 *
 *  - contraction: what is left at the end of what is written in each layer, whatever it says
 *    (contraction.ts);
 *  - cosines: does each sublayer write something new, strengthen the stream, or take away (cosines.ts);
 *  - writers: whose output is erased beyond its control, as in a scan (scan/screen.ts, scan/examine.ts);
 *  - early heads: how much of their DLA is taken back (early_heads.ts);
 *  - self-repair: how much of a node's direct effect is made up for (self_repair.ts).
 *
 * Each stands beside its control. Positions from 1 on; position 0 apart. Prompts are halved as in a scan:
 * nodes are screened on one half, all else is measured on the other.
 */
import { outputSize } from "../../checkpoints/config.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { basis } from "../experiment.ts";
import { checkArguments, checkNumber, checkOptions, RUN_OPTIONS } from "../options.ts";
import { removalStats } from "../retention/removal_stats.ts";
import type { Lengths } from "../retention/sizes.ts";
import { type Part, wholeOf } from "../retention/sums.ts";
import type { ExaminedWriter } from "../scan/examine.ts";
import { Passes } from "../scan/passes.ts";
import { checkScanPrompts, passes } from "../scan/prompts.ts";
import { planOf, scanFacts, type ScanResult } from "../scan/result.ts";
import { type ScanKeeper, scanSink } from "../scan/scan.ts";
import type { ScreenedNode } from "../scan/screen.ts";
import { checkSettings, type ScanSettings } from "../scan/settings.ts";
import type { Sink } from "../scan/sinks.ts";
import { contraction } from "./contraction.ts";
import { sublayerCosines } from "./cosines.ts";
import { earlyHeads } from "./early_heads.ts";
import { publishedOf, type PublishedRow } from "./published.ts";
import type { ContractionRow, CosineRow, EarlyRow, SelfRepairRow } from "./rows.ts";
import { selfRepair } from "./self_repair.ts";

/** Thresholds, how many nodes are looked at, and how the runs are divided, watched and ended. */
export interface CensusOptions extends RunOptions {
  /** Thresholds of the scan's part that differ from `DEFAULT_SETTINGS`. */
  settings?: Partial<ScanSettings>;
  /** So many early heads, those with the largest DLA. Default 8. */
  early?: number;
  /** Self-repair of so many heads and MLPs, those with the largest direct effect. Default 16. */
  repair?: number;
  /** Told at the start of each pass. */
  onPass?: (name: string, prompts: number) => void;
}

/**
 * Keeps what a census has measured, so that one that was stopped goes on where it was.
 * @internal
 */
export interface CensusKeeper {
  /** Of the two passes that are a scan's. */
  passes: ScanKeeper;
  /** Rows of a later step: what an earlier run kept of it, or what `measure` gives, which it then keeps. */
  rows<Row>(step: string, measure: () => Promise<Row[]>): Promise<Row[]>;
}

const OPTIONS: Record<keyof CensusOptions, true> = {
  ...RUN_OPTIONS,
  settings: true,
  early: true,
  repair: true,
  onPass: true,
};

export const DEFAULT_EARLY = 8, DEFAULT_REPAIR = 16;

/** One model in a census. */
export interface CensusResult {
  /** What was looked at. */
  model: ScanResult["model"];
  /** All that were given; how many served each pass. */
  prompts: ScanResult["prompts"];
  /** Those of the scan's part. */
  settings: ScanSettings;
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
  /** What is left of anything, by layer. */
  contraction: ContractionRow[];
  /** Cosine of each sublayer's output with the stream. */
  cosines: CosineRow[];
  /** Examined writers, the most erased first; those with no `notFound` are found. */
  writers: ExaminedWriter[];
  /** All nodes on the first half. */
  screened: ScreenedNode[];
  /** DLA of early heads that is taken back; empty for a base model, which has no logits. */
  early: EarlyRow[];
  /** Self-repair by node; empty for a base model. */
  selfRepair: SelfRepairRow[];
  /** Mean length of the stream at each location, at position 0 and elsewhere. */
  stream: ({ location: string } & Lengths)[];
  /** The attention sink at position 0, where there is one. */
  sink?: Sink;
  /** What papers say of this model. */
  published: PublishedRow[];
}

/**
 * Asks all that a census asks of one model.
 * @throws when prompts are too few, too short or all the same, an option is out of its range, or numbers
 * are not finite
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * for (const { node, layer, random } of result.contraction) console.log(node, layer, random.value);
 * ```
 */
export async function census(
  model: Model,
  prompts: Prompts,
  options: CensusOptions = {},
): Promise<CensusResult> {
  checkArguments("census", { model, prompts });
  checkOptions("census", options, OPTIONS);
  return await keptCensus(model, prompts, options);
}

/**
 * `census`, with a place where what it measures is kept.
 * @internal
 */
export async function keptCensus(
  model: Model,
  prompts: Prompts,
  options: CensusOptions,
  keeper?: CensusKeeper,
): Promise<CensusResult> {
  const settings = checkSettings(options.settings);
  const { early = DEFAULT_EARLY, repair = DEFAULT_REPAIR } = options;
  checkNumber("census", "early", early, { least: 1 });
  checkNumber("census", "repair", repair, { least: 1 });
  checkScanPrompts(prompts);
  const { onPass, settings: _, early: __, repair: ___, ...run } = options;
  const { seed, rotations } = settings, drawn = { seed, rotations };
  const { screened, examined } = passes(prompts, settings);
  const facts = scanFacts(model, prompts, settings), scanned = new Passes(planOf(facts));
  /** Measures and takes the scan's next pass. */
  const pass = async (over: Prompts): Promise<Part> => {
    const { pass } = scanned.next!, done = await keeper?.passes.load(scanned);
    const part = await scanned.measure(model, wholeOf(over), {
      ...run,
      ...(onPass && { onPass }),
      ...(done && { done }),
      ...(keeper && { onMeasured: (part) => keeper.passes.save(pass, part) }),
    });
    await keeper?.passes.done(pass, part);
    scanned.take(part);
    return part;
  };
  const part = await pass(screened);
  await pass(examined);
  const { nodes, sizes } = scanned.screen;

  /** The rows of a step, unless they were kept. */
  const rows = <Row>(step: string, measure: () => Promise<Row[]>): Promise<Row[]> => {
    const announced = () => {
      onPass?.(step, examined.count);
      return measure();
    };
    return keeper ? keeper.rows(step, announced) : announced();
  };
  const asked = outputSize(model.config) > 0;
  const cosines = await rows(
    "cosines of sublayers with the stream",
    () => sublayerCosines(model, examined, { ...run, seed }),
  );
  const earlyRows = !asked
    ? []
    : await rows("DLA of early heads", () => earlyHeads(model, examined, { ...run, ...drawn, most: early }));
  const repairRows = !asked
    ? []
    : await rows("self-repair", () => selfRepair(model, examined, { ...run, ...drawn, most: repair }));
  const sunk = await scanSink(model, screened, scanned, run);
  return {
    model: facts.model,
    prompts: facts.prompts,
    settings,
    assumptions: {
      ...basis(model, prompts),
      positions: "1 and later; position 0 apart",
      split:
        `nodes are screened on ${screened.count} prompts; all else is measured on ${examined.count} others`,
      controls: `contraction: none, it is the control; cosines: the sublayer's output on the next prompt; ` +
        `all else: what is taken out, rotated ${rotations} times`,
      "early heads":
        "of the first third of the layers, those with the largest DLA, along the two most probable next tokens",
      "self-repair":
        "of the nodes with the largest direct effect on the right token's logit; each writes what it writes on the next prompt",
      intervals: "95 %, bootstrap over prompts and over the control's draws, by Student's t for so few",
    },
    contraction: contraction(model.config, removalStats(part), seed),
    cosines,
    writers: scanned.writers.sort((a, b) => b.specific.value * b.share - a.specific.value * a.share),
    screened: nodes,
    early: earlyRows,
    selfRepair: repairRows,
    stream: [...sizes.stream].map(([location, lengths]) => ({ location, ...lengths })),
    ...sunk,
    published: await publishedOf(model.name),
  };
}
