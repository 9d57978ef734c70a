/** A scan on one machine: its passes kept in files, and its reports written. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Prompts } from "../checkpoints/mod.ts";
import { writeWhole } from "../checkpoints/write_whole.ts";
import { PASSES } from "../experiments/scan/passes.ts";
import { checkScanPrompts, passes } from "../experiments/scan/prompts.ts";
import { keptScan, type ScanKeeper, type ScanResult } from "../experiments/scan/scan.ts";
import { checkSettings, type ScanSettings } from "../experiments/scan/settings.ts";
import { aboutNext, modelDigest } from "../experiments/scan/state.ts";
import type { Device } from "../tensor/device.ts";
import type { CreateSession } from "../tensor/session.ts";
import { loadModel } from "../transformer/load.ts";
import type { Model } from "../transformer/model.ts";
import { prepareFolder } from "./out_folder.ts";
import { PassFile } from "./pass_file.ts";
import { downloadProgress, type ProgressTarget, stderrTarget } from "./progress.ts";
import { afterwards, announce, announcement } from "./scan_cost.ts";
import { forecast, ScanForecast } from "./scan_forecast.ts";
import { ScanProgress } from "./scan_progress.ts";
import { scanPrompts } from "./scan_prompts.ts";
import { renderReport } from "./scan_report.ts";

export const stateFile = (pass: string): string => `${pass}.safetensors`;
export const REPORTS = ["report.html", "report.json"];

export interface ScanCommandOptions {
  /** As `loadModel` takes it. */
  model: string;
  prompts?: string | undefined;
  maxTokens?: number;
  length?: number;
  /** Where the model runs; see `loadModel`. */
  device?: Device;
  /** Created when it is missing. */
  outDir: string;
  settings?: Partial<ScanSettings>;
  /** Prompts in one batch; default: as memory allows. */
  batchSize?: number;
  signal?: AbortSignal;
  /** Another runtime, in tests. */
  createSession?: CreateSession;
  target?: ProgressTarget;
}

/** What a scan runs on. @throws for bad input */
export async function scanInput(
  options: Pick<
    ScanCommandOptions,
    "model" | "prompts" | "maxTokens" | "length" | "device" | "settings" | "signal"
  >,
  target: ProgressTarget,
): Promise<{ model: Model; prompts: Prompts; settings: ScanSettings }> {
  const settings = checkSettings(options.settings);
  const model = await loadModel(options.model, {
    ...(options.device && { device: options.device }),
    onProgress: downloadProgress(target),
  });
  const { prompts: file, maxTokens, length, signal } = options;
  const prompts = await scanPrompts(model, {
    target,
    ...(signal && { signal }),
    ...(file !== undefined && { file }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
  });
  checkScanPrompts(prompts);
  return { model, prompts, settings };
}

/**
 * Runs a scan and writes its reports. @throws for bad input, and the signal's reason when it was interrupted
 */
export async function runScan(options: ScanCommandOptions): Promise<ScanResult> {
  const { outDir, signal, target = stderrTarget(), batchSize, createSession } = options;
  const startedAt = performance.now();
  const say = (text: string) => target.write(`${text}\n`);
  const { model, prompts, settings } = await scanInput(options, target);
  await prepareFolder(outDir, [...PASSES.map(stateFile), ...REPORTS]);
  const digest = await modelDigest(model);
  const { screened, examined } = passes(prompts, settings);
  let file: PassFile | undefined, resumed = false;
  const keeper: ScanKeeper = {
    async load(measured) {
      const { pass } = measured.next!, all = pass === "screen" ? screened : examined;
      file = new PassFile(join(outDir, stateFile(pass)), await aboutNext(measured, digest, all));
      const part = await file.load(measured, all.count, say);
      resumed ||= part !== undefined;
      progress.finish();
      const left = forecast(measured.next!, ahead.begin(measured.next!, part !== undefined));
      if (left) say(left);
      return part;
    },
    save: (_, part) => file!.save(part),
    done: (_, part) => file!.finish(part),
  };
  const expected = await announce(model, prompts, settings);
  say(announcement(model, prompts, expected));
  const progress = new ScanProgress(target), ahead = new ScanForecast([model, prompts, settings], expected);
  let result: ScanResult;
  try {
    const wanted = {
      settings,
      ...(signal && { signal }),
      ...(batchSize !== undefined && { batchSize }),
      ...(createSession && { createSession }),
      onPass: (name: string, count: number) => progress.pass(name, count),
      onProgress: (p: { done: number; total: number }) => progress.update(p),
    };
    result = await keptScan(model, prompts, wanted, keeper);
  } catch (error) {
    progress.stop();
    await keptAfter(error, file);
    throw error;
  }
  progress.finish();
  await writeReports(outDir, result);
  // The first pass serves other thresholds; which nodes the others are of follows from them.
  for (const pass of PASSES.slice(1)) await rm(join(outDir, stateFile(pass)), { force: true });
  say(afterwards(expected, performance.now() - startedAt, resumed));
  return result;
}

/**
 * Saves what was measured, whatever broke it off: a lost device too. What broke it off is the error to
 * report.
 */
export async function keptAfter(error: unknown, file: PassFile | undefined): Promise<void> {
  if (error !== file?.failed) await file?.flush().catch(() => {});
}

export async function writeReports(outDir: string, result: ScanResult): Promise<void> {
  await writeWhole(join(outDir, "report.json"), reportJson(result));
  await writeWhole(join(outDir, "report.html"), renderReport(result));
}

/**
 * Numbers to 5 digits: more says nothing of a median over some thousand tokens, and 300 nodes make 45,000
 * responses.
 */
function reportJson(result: ScanResult): string {
  const short = (_: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  return JSON.stringify({ format: 2, ...result }, short) + "\n";
}
