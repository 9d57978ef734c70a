/**
 * The models of a census one after the other, and the report after each. A model that was measured
 * before, with the same weights, prompts and settings, is taken from report.json. What of
 * the others an interrupted run had measured is kept (census_files.ts).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "../checkpoints/write_whole.ts";
import {
  type CensusResult,
  DEFAULT_EARLY,
  DEFAULT_REPAIR,
  keptCensus,
} from "../experiments/census/census.ts";
import { censusBytes, censusCost } from "../experiments/census/cost.ts";
import { passes } from "../experiments/scan/prompts.ts";
import { Passes } from "../experiments/scan/passes.ts";
import { planOf, scanFacts } from "../experiments/scan/result.ts";
import { aboutNext, modelDigest, textDigest } from "../experiments/scan/state.ts";
import { checkSettings, type ScanSettings } from "../experiments/scan/settings.ts";
import { isMissing } from "../platform/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { Progress } from "../tensor/run.ts";
import { CensusFiles, fromJson } from "./census_files.ts";
import { renderCensus } from "./census_page.ts";
import { prepareFolder } from "./out_folder.ts";
import { type ProgressTarget, stderrTarget } from "./progress.ts";
import { afterwards, announce, announcement } from "./scan_cost.ts";
import { ScanProgress } from "./scan_progress.ts";
import { scanInput } from "./scan_run.ts";
import { modelFileName } from "./typed.ts";

/** Files in the output folder. */
export const REPORT = "report.json", PAGE = "report.html";
const FORMAT = "census 2";

export interface CensusCommand {
  /** As `loadModel` takes them. */
  models: readonly string[];
  /** A file of prompts for all models, as `deno task scan` takes it; default: each model's own. */
  prompts?: string;
  maxTokens?: number;
  length?: number;
  /** Where the models run; see `loadModel`. */
  device?: Device;
  /** Created when it is missing. */
  outDir: string;
  settings?: Partial<ScanSettings>;
  early?: number;
  repair?: number;
  signal?: AbortSignal;
  target?: ProgressTarget;
}

/** A finished model with the hash of all that its numbers depend on. */
type Entry = CensusResult & { key: string };

/**
 * What an earlier census left in the folder. @throws for a file that is none: it is somebody's, and is
 * not to be replaced
 */
async function finished(path: string): Promise<Entry[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const foreign = new Error(
    `${path} is no census, which would be written there. Give another --out, or move it away.`,
  );
  try {
    const { format, models } = fromJson(text);
    if (format === FORMAT && Array.isArray(models)) return models;
  } catch { /* no JSON */ }
  throw foreign;
}

/** Numbers to 6 digits. */
const asJson = (models: readonly Entry[]): string => {
  const short = (_: string, value: unknown) =>
    typeof value === "number" && Number.isFinite(value) && !Number.isInteger(value)
      ? Number(value.toPrecision(6))
      : value;
  return JSON.stringify({ format: FORMAT, models }, short) + "\n";
};

interface Measured {
  entry: Entry;
  /** What it was kept in while it was measured; none where it was measured before. */
  files?: CensusFiles;
}

async function oneModel(name: string, command: CensusCommand, done: readonly Entry[]): Promise<Measured> {
  const { outDir, signal, target = stderrTarget(), early, repair } = command;
  const say = (text: string) => target.write(`${text}\n`);
  const { model, prompts, settings } = await scanInput({ ...command, model: name }, target);
  const { screened, examined } = passes(prompts, settings);
  const measured = new Passes(planOf(scanFacts(model, prompts, settings)));
  const digest = await modelDigest(model);
  const about = await aboutNext(measured, digest, screened);
  const screenHash = await textDigest(JSON.stringify(about));
  const examinedHash = (await aboutNext(measured, digest, examined)).prompts;
  const asked = { settings, early: early ?? DEFAULT_EARLY, repair: repair ?? DEFAULT_REPAIR };
  const key = `${screenHash} ${examinedHash} ${JSON.stringify(asked)}`;
  const before = done.find((entry) => entry.key === key);
  if (before) {
    say(`${model.name}: measured before, with the same prompts and settings.`);
    return { entry: { ...before, model: { ...before.model, name: model.name } } };
  }
  const progress = new ScanProgress(target);
  const files = new CensusFiles({
    folder: outDir,
    key,
    digest,
    screened,
    examined,
    scanned: join(outDir, "..", `scan-${modelFileName(name)}`, "screen.safetensors"),
  }, (text) => {
    progress.finish();
    say(text);
  });
  const cost = censusCost(model, prompts, settings, asked),
    bytes = censusBytes(model, prompts, settings, asked);
  const expected = await announce(model, prompts, settings, cost, bytes);
  say(announcement(model, prompts, expected));
  const startedAt = performance.now();
  try {
    const wanted = {
      ...asked,
      ...(signal && { signal }),
      onPass: (pass: string, count: number) => progress.pass(pass, count),
      onProgress: (p: Progress) => progress.update(p),
    };
    const result = await keptCensus(model, prompts, wanted, files);
    progress.finish();
    say(afterwards(expected, performance.now() - startedAt, files.resumed));
    return { entry: { key, ...result }, files };
  } catch (error) {
    progress.stop();
    await files.broken(error);
    signal?.throwIfAborted(); // rather than that what was measured could not be kept
    throw error;
  }
}

/** What was measured, and which models were not, with the reason. */
export interface CensusOutcome {
  results: CensusResult[];
  failed: { model: string; reason: string }[];
}

/**
 * Runs a census, and writes its report after each model. @throws when it was interrupted, and for bad
 * input that concerns all models
 */
export async function runCensus(command: CensusCommand): Promise<CensusOutcome> {
  const { models, outDir, signal, target = stderrTarget() } = command;
  checkSettings(command.settings);
  await prepareFolder(outDir, [REPORT, PAGE]);
  const known = await finished(join(outDir, REPORT));
  const results: Entry[] = [], failed: CensusOutcome["failed"] = [];
  for (const name of models) {
    signal?.throwIfAborted();
    let files: CensusFiles | undefined;
    try {
      const measured = await oneModel(name, command, known);
      files = measured.files;
      results.push(measured.entry);
    } catch (error) {
      if (signal?.aborted) throw error;
      failed.push({ model: name, reason: (error as Error).message });
      target.write(`${name} is left out: ${(error as Error).message}\n`);
      continue;
    }
    const others = known.filter(({ key }) => results.every((one) => one.key !== key));
    const json = asJson([...results, ...others]);
    await writeWhole(join(outDir, REPORT), json);
    // of the numbers in the file, as the next run will have them
    await writeWhole(join(outDir, PAGE), renderCensus(fromJson(json).models));
    await files?.clear();
  }
  return { results, failed };
}
