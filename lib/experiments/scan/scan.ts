/**
 * Scans a model for clean-up: what becomes of what each node writes, who erases it, by which route, and does
 * it make direct logit attribution mislead? Every verdict is retention beside a control
 * (metrics/retention.ts).
 *
 * Prompts are halved: candidates are chosen on the first half (screen.ts, candidates.ts) and examined on the
 * second (examine.ts), so that the choice does not flatter the evidence. Every node that is passed over and
 * every writer that is not found is in the result with the reason. How the passes follow each other:
 * passes.ts.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { checkArguments, checkOptions, RUN_OPTIONS } from "../options.ts";
import { type OnPass, type Part, wholeOf } from "../retention/sums.ts";
import { Passes, type PassName } from "./passes.ts";
import { checkScanPrompts, passes } from "./prompts.ts";
import { type Extras, planOf, scanFacts, type ScanResult, scanResult } from "./result.ts";
import { checkSettings, type ScanSettings } from "./settings.ts";
import { sink } from "./sinks.ts";
import { shuffled, summarize, type UntrainedResult } from "./untrained.ts";

export { foundWriters } from "./passes.ts";
export type { ScanResult } from "./result.ts";

/** Thresholds, and how the runs are divided, watched and ended. */
export interface ScanOptions extends RunOptions {
  /** Thresholds that differ from `DEFAULT_SETTINGS`. */
  settings?: Partial<ScanSettings>;
  /** Told at the start of each step of a pass. */
  onPass?: (name: string, prompts: number) => void;
}

/**
 * Keeps what the passes of a scan have measured, so that one that was stopped goes on where it was.
 * @internal
 */
export interface ScanKeeper {
  /** What an earlier run had measured of the pass that is next. */
  load(measured: Passes): Promise<Part | undefined>;
  /** Told after each batch what is measured so far. */
  save(pass: PassName, part: Part): void | Promise<void>;
  /** Told when a pass is done. */
  done(pass: PassName, part: Part): void | Promise<void>;
}

const OPTIONS: Record<keyof ScanOptions, true> = {
  ...RUN_OPTIONS,
  settings: true,
  onPass: true,
};

/**
 * Looks for writers whose output is erased beyond its control, for who erases it, by which route, and whether
 * DLA misleads.
 * @throws when prompts are too few, too short or all the same, a setting is out of its range, or numbers are
 * not finite
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * for (const { writer, specific } of result.writers) console.log(writer, specific.value, specific.interval);
 * ```
 */
export async function scan(model: Model, prompts: Prompts, options: ScanOptions = {}): Promise<ScanResult> {
  checkArguments("scan", { model, prompts });
  checkOptions("scan", options, OPTIONS);
  return await keptScan(model, prompts, options);
}

/**
 * `scan`, with a place where what its passes measure is kept.
 * @internal
 */
export async function keptScan(
  model: Model,
  prompts: Prompts,
  options: ScanOptions,
  keeper?: ScanKeeper,
): Promise<ScanResult> {
  const settings = checkSettings(options.settings);
  checkScanPrompts(prompts);
  const { onPass, settings: _, ...run } = options;
  const { screened, examined } = passes(prompts, settings);
  const facts = scanFacts(model, prompts, settings);
  const measured = new Passes(planOf(facts));
  while (measured.next) {
    const { pass } = measured.next;
    const done = await keeper?.load(measured);
    const part = await measured.measure(model, wholeOf(pass === "screen" ? screened : examined), {
      ...run,
      ...(onPass && { onPass }),
      ...(done && { done }),
      ...(keeper && { onMeasured: (part) => keeper.save(pass, part) }),
    });
    await keeper?.done(pass, part);
    measured.take(part);
  }
  const sunk = await scanSink(model, screened, measured, run);
  const untrained = await scanUntrained(model, prompts, settings, { ...run, ...(onPass && { onPass }) });
  return scanResult(facts, measured, { ...sunk, ...untrained });
}

/**
 * The attention sink at position 0. @param screened prompts of the first pass @param measured past that pass
 */
export async function scanSink(
  model: Model,
  screened: Prompts,
  measured: Passes,
  run: RunOptions,
): Promise<Pick<Extras, "sink">> {
  const { seed, rotations } = measured.plan.settings;
  const quiet = { ...run, onProgress: undefined };
  const found = await sink(model, screened, measured.screen.sizes, { ...quiet, seed, rotations });
  return found ? { sink: found } : {};
}

/** The same scan with the weights shuffled, where that is asked for. */
export async function scanUntrained(
  model: Model,
  prompts: Prompts,
  settings: ScanSettings,
  { onPass, ...run }: RunOptions & { onPass?: OnPass },
): Promise<{ untrained?: UntrainedResult }> {
  if (settings.untrainedPrompts === 0) return {};
  const count = Math.min(prompts.count, settings.untrainedPrompts);
  const found = await scan(shuffled(model, settings.seed), shorten(prompts, { count }), {
    ...run,
    settings: { ...settings, untrainedPrompts: 0 },
    onPass: (name, prompts) => onPass?.(`weights shuffled: ${name}`, prompts),
  });
  return { untrained: summarize(count, found) };
}
