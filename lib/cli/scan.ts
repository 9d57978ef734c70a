/**
 * `deno task scan MODEL`: looks for clean-up in a model, prints what was found, and leaves report.html and
 * report.json in the output folder.
 *
 * The first pass is kept there as screen.safetensors: after Ctrl-C or SIGTERM the same command goes on where
 * it was, and a run with other thresholds need not repeat the pass. Every file is whole or not there.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeDownload } from "../checkpoints/mod.ts";
import { writeWhole } from "../checkpoints/write_whole.ts";
import { checkScanPrompts, passes } from "../experiments/scan/prompts.ts";
import { scan, type ScanResult } from "../experiments/scan/scan.ts";
import { loadScreen, saveScreen, screenKey } from "../experiments/scan/screen_state.ts";
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type ScanSettings,
  SETTINGS,
} from "../experiments/scan/settings.ts";
import { type Device, DeviceFailure } from "../tensor/device.ts";
import type { CreateSession } from "../tensor/session.ts";
import { loadModel } from "../transformer/load.ts";
import { outFolder, prepareFolder } from "./out_folder.ts";
import { type ProgressTarget, stderrTarget } from "./progress.ts";
import { afterwards, announce, announcement } from "./scan_cost.ts";
import { ScanProgress } from "./scan_progress.ts";
import { scanPrompts } from "./scan_prompts.ts";
import { renderReport } from "./scan_report.ts";
import { scanText } from "./scan_text.ts";
import { onInterrupt } from "./signals.ts";

const STATE = "screen.safetensors", FILES = [STATE, "report.html", "report.json"];
/**
 * The state is saved at most this often while the first pass runs, and never for more than a twentieth of the
 * time.
 */
const SAVE_EVERY_MS = 20_000;

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

/**
 * Runs a scan and writes its reports. @throws for bad input, and the signal's reason when it was interrupted
 */
export async function runScan(options: ScanCommandOptions): Promise<ScanResult> {
  const { outDir, signal, target = stderrTarget(), batchSize, createSession } = options;
  const startedAt = performance.now();
  const settings = checkSettings(options.settings);
  const say = (text: string) => target.write(`${text}\n`);
  const model = await loadModel(options.model, {
    ...(options.device && { device: options.device }),
    onProgress: (p) => target.isTerminal && target.write(`\r\x1b[K${describeDownload(p)}`),
  });
  const { prompts: file, maxTokens, length } = options;
  const prompts = await scanPrompts(model, {
    ...(file !== undefined && { file }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
  });
  checkScanPrompts(prompts);
  await prepareFolder(outDir, FILES);
  const statePath = join(outDir, STATE);
  const { screened } = passes(prompts, settings);
  const key = await screenKey(model, screened, settings.seed);
  const saved = await loadScreen(statePath, model, screened, settings.seed, key);
  let state = saved instanceof Map ? saved : undefined;
  const expected = await announce(model, prompts, settings);
  say(announcement(model, prompts, expected));
  if (saved === "other") {
    say(`${statePath} is of another scan (model, prompts, settings or version): it is replaced.`);
  }
  if (saved === "damaged") say(`${statePath} is damaged: the first pass begins anew, and replaces it.`);
  if (state) say(`First pass: ${state.size} of its runs are done, from ${statePath}.`);

  const progress = new ScanProgress(target);
  let saveAfter = performance.now() + SAVE_EVERY_MS;
  const save = async () => {
    const began = performance.now();
    if (state) await saveScreen(statePath, state, key);
    saveAfter = performance.now() + Math.max(SAVE_EVERY_MS, 20 * (performance.now() - began));
  };
  let result: ScanResult;
  try {
    result = await scan(model, prompts, {
      settings,
      ...(state && { screened: state }),
      ...(signal && { signal }),
      ...(batchSize !== undefined && { batchSize }),
      ...(createSession && { createSession }),
      onPass: (name, count) => progress.pass(name, count),
      onProgress: (p) => progress.update(p),
      onScreened: async (stats) => {
        state = new Map(stats);
        if (performance.now() > saveAfter) await save();
      },
    });
    await save();
  } catch (error) {
    progress.stop();
    await save(); // whatever broke it off, a lost device too: the same command goes on from here
    throw error;
  }
  progress.finish();
  await writeWhole(join(outDir, "report.json"), reportJson(result));
  await writeWhole(join(outDir, "report.html"), renderReport(result));
  say(afterwards(expected, performance.now() - startedAt, saved instanceof Map));
  return result;
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

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const USAGE =
  `deno task scan MODEL [--prompts FILE] [--length N] [--max-tokens N] [--device NAME] [--out DIR] [settings]
  MODEL             a folder with config.json and weights, a Hugging Face name such as owner/name, or tiny-gelu-4l
  --prompts FILE    .txt (one document), .jsonl ({"text": …} lines), .parquet (column text or tokens), or
                    .safetensors (tokens [count, length]); default: the model's own prompts, if it has some
  --length N        tokens of a prompt; default for texts: what leaves 64 prompts, 32 to 128
  --max-tokens N    tokens in all; default for texts: 131072
  --device NAME     cpu (default) or webgpu, a graphics card
  --out DIR         where report.html and report.json go; default: out/scan-MODEL
settings, with their defaults:
${
    Object.entries(SETTINGS).map(([name, { about }]) => {
      const option = `--${kebab(name)} ${DEFAULT_SETTINGS[name as keyof ScanSettings]}`;
      return `  ${option.padEnd(26)} ${about}`;
    }).join("\n")
  }`;

const WRONG_USAGE = 2;

/** Options of the command from its arguments. @throws for an unknown option or a value that is no number */
export function readArguments(args: string[]): Omit<ScanCommandOptions, "signal" | "target"> | "help" {
  const numbers = ["length", "max-tokens", ...Object.keys(SETTINGS).map(kebab)];
  const parsed = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...Object.fromEntries(
        ["prompts", "out", "device", ...numbers].map((name) => [name, { type: "string" as const }]),
      ),
      help: { type: "boolean" as const },
    },
  });
  const values = parsed.values as Record<string, string | undefined>, { positionals } = parsed;
  if (values.help) return "help";
  if (positionals.length !== 1) throw new Error(`got ${positionals.length} models; expected one`);
  const number = (name: string): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text === "" || !Number.isFinite(value)) {
      throw new Error(`--${name}: got "${text}"; expected a number`);
    }
    return value;
  };
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(SETTINGS)) {
    const value = number(kebab(name));
    if (value !== undefined) settings[name] = value;
  }
  const [model] = positionals;
  const [maxTokens, length] = [number("max-tokens"), number("length")];
  const { prompts, out, device } = values;
  const name = model.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "").replace(/[^\w.-]/g, "_");
  return {
    model,
    outDir: out ?? outFolder(`scan-${name}`),
    settings: checkSettings(settings),
    ...(prompts !== undefined && { prompts }),
    ...(device !== undefined && { device: device as Device }), // checked when it is started
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
  };
}

/**
 * What an interrupted scan leaves: runs of the first pass are kept by whole graphs, and a small model is one
 * graph.
 */
async function whatIsKept(outDir: string): Promise<string> {
  try {
    await stat(join(outDir, STATE));
    return "The same command goes on where the first pass was.";
  } catch {
    return "No part of the first pass was complete, so nothing is kept: the same command begins anew.";
  }
}

/** The command itself. Returns its exit code. */
export async function main(): Promise<number> {
  let options;
  try {
    options = readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`scan: ${(error as Error).message.replace(/^scan: /, "")}\n${USAGE}`);
    return WRONG_USAGE;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt();
  try {
    const result = await runScan({ ...options, signal: interrupt.signal });
    console.log(`\n${scanText(result)}\n\nOpen ${join(options.outDir, "report.html")}`);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error(`scan: interrupted. ${await whatIsKept(options.outDir)}`);
      return interrupt.exitCode;
    }
    const kept = error instanceof DeviceFailure ? ` ${await whatIsKept(options.outDir)}` : "";
    console.error(`scan: ${(error as Error).message.replace(/^scan: /, "")}${kept}`);
    return 1;
  }
}

if (import.meta.main) process.exit(await main());
