/**
 * `deno task scan MODEL`: looks for clean-up in a model, prints what was found, and leaves report.html and report.json in the
 * output folder.
 *
 * The first pass is kept there as screen.safetensors: after Ctrl-C the same command goes on where it was, and a run with other
 * settings need not repeat the pass. Every file is whole or not there.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeDownload, type Prompts } from "../checkpoints/mod.ts";
import { writeWhole } from "../checkpoints/write_whole.ts";
import { checkScanPrompts, halves } from "../experiments/scan/prompts.ts";
import { scan, type ScanResult } from "../experiments/scan/scan.ts";
import { Screen } from "../experiments/scan/screen.ts";
import { loadScreen, saveScreen, screenKey } from "../experiments/scan/screen_state.ts";
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type ScanSettings,
  settingOf,
  SETTINGS,
} from "../experiments/scan/settings.ts";
import { cost } from "../tensor/run.ts";
import { loadModel } from "../transformer/load.ts";
import type { Model } from "../transformer/model.ts";
import { formatSeconds, type ProgressTarget, stderrTarget } from "./progress.ts";
import { ScanProgress } from "./scan_progress.ts";
import { scanPrompts } from "./scan_prompts.ts";
import { renderReport } from "./scan_report.ts";
import { scanText } from "./scan_text.ts";

/** The state is saved this often while the first pass runs. */
const SAVE_EVERY_MS = 20_000;

export interface ScanCommandOptions {
  /** As `loadModel` takes it. */
  model: string;
  prompts?: string | undefined;
  maxTokens?: number;
  length?: number;
  /** Created when it is missing. */
  outDir: string;
  settings?: Partial<ScanSettings>;
  /** Prompts in one batch; default: as memory allows. */
  batchSize?: number;
  signal?: AbortSignal;
  target?: ProgressTarget;
}

/** Runs a scan and writes its reports. @throws for bad input, and the signal's reason when it was interrupted */
export async function runScan(options: ScanCommandOptions): Promise<ScanResult> {
  const { outDir, signal, target = stderrTarget(), batchSize } = options;
  const settings = checkSettings(options.settings);
  const say = (text: string) => target.write(`${text}\n`);
  const model = await loadModel(options.model, {
    onProgress: (p) => target.isTerminal && target.write(`\r\x1b[K${describeDownload(p)}`),
  });
  const { prompts: file, maxTokens, length } = options;
  const prompts = await scanPrompts(model, {
    ...(file !== undefined && { file }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
  });
  checkScanPrompts(prompts);
  await Deno.mkdir(outDir, { recursive: true });

  const statePath = join(outDir, "screen.safetensors");
  const [first] = halves(prompts);
  const key = await screenKey(model, first);
  const saved = await loadScreen(statePath, model, key);
  const screen = saved ?? new Screen(model);
  say(describeCost(model, screen, prompts));
  if (saved) {
    say(`First pass: ${saved.state.prompts[0]} of ${first.count} prompts are done, from ${statePath}.`);
  }

  const progress = new ScanProgress(target);
  let savedAt = performance.now();
  const save = async () => {
    await saveScreen(statePath, screen, key);
    savedAt = performance.now();
  };
  let result: ScanResult;
  try {
    result = await scan(model, prompts, {
      settings,
      screen,
      ...(signal && { signal }),
      ...(batchSize !== undefined && { batchSize }),
      onPass: (name, count) => progress.pass(name, count),
      onProgress: (p) => progress.update(p),
      onBatch: async () => {
        const finished = screen.state.prompts[0] === first.count;
        if (finished || performance.now() - savedAt > SAVE_EVERY_MS) await save();
      },
    });
  } catch (error) {
    progress.stop();
    if (signal?.aborted && screen.state.prompts[0] > 0) await save();
    throw error;
  }
  progress.finish();
  await writeWhole(join(outDir, "report.json"), JSON.stringify({ format: 1, ...result }) + "\n");
  await writeWhole(join(outDir, "report.html"), renderReport(result));
  return result;
}

/** What the first pass will take, before it starts. */
function describeCost(model: Model, screen: Screen, prompts: Prompts): string {
  const { config } = model;
  const last = model.forward().hook(`blocks.${config.n_layers - 1}.hook_resid_post`);
  const plain = cost({ resid: last }, { batch: 1, pos: prompts.length });
  const { flops, peakBytes } = screen.cost(prompts.length);
  const weights = [...model.weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const state = Object.values(screen.state).reduce((sum, array) => sum + array.byteLength, 0);
  const [first] = halves(prompts);
  const MiB = (bytes: number) => `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
  return `${model.name}: ${prompts.count} prompts of ${prompts.length} tokens (${prompts.source}).\n` +
    `First pass over ${first.count} of them: ${(flops * first.count / 1e12).toPrecision(2)} TFLOP, ${
      (flops / plain.flops).toFixed(1)
    } times those of a plain forward pass; about ${MiB(weights)} for weights, ${
      MiB(state)
    } for statistics, and ${
      MiB(Math.max(peakBytes, 256 * 2 ** 20))
    } for activations. Later passes take about as long again for each few candidates.`;
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const USAGE = `deno task scan MODEL [--prompts FILE] [--length N] [--max-tokens N] [--out DIR] [settings]
  MODEL             a folder with config.json and weights, a Hugging Face name such as owner/name, or tiny-gelu-4l
  --prompts FILE    .txt (one document), .jsonl ({"text": …} lines), .parquet (column text or tokens), or
                    .safetensors (tokens [count, length]); default: the model's own prompts, if it has some
  --length N        tokens of a prompt; default for texts: what leaves 64 prompts, 32 to 1024
  --max-tokens N    tokens in all; default for texts: 131072
  --out DIR         where report.html and report.json go; default: out/scan-MODEL
settings, with their defaults:
${
  Object.entries(SETTINGS).map(([name, { about }]) => {
    const option = `--${kebab(name)} ${settingOf(DEFAULT_SETTINGS, name)}`;
    return `  ${option.padEnd(26)} ${about}`;
  }).join("\n")
}`;

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;
const WRONG_USAGE = 2;

/** Options of the command from its arguments. @throws for an unknown option or a value that is no number */
export function readArguments(args: string[]): Omit<ScanCommandOptions, "signal" | "target"> | "help" {
  const numbers = ["length", "max-tokens", ...Object.keys(SETTINGS).map(kebab)];
  const parsed = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...Object.fromEntries(
        ["prompts", "out", ...numbers].map((name) => [name, { type: "string" as const }]),
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
  const [low, high] = DEFAULT_SETTINGS.present;
  for (const name of Object.keys(SETTINGS)) {
    const value = number(kebab(name));
    if (value !== undefined && !name.startsWith("present")) settings[name] = value;
  }
  settings.present = [number("present-low") ?? low, number("present-high") ?? high];
  const [model] = positionals;
  const [maxTokens, length] = [number("max-tokens"), number("length")];
  const { prompts, out } = values;
  const name = model.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "").replace(/[^\w.-]/g, "_");
  return {
    model,
    outDir: out ?? join(import.meta.dirname!, "..", "..", "out", `scan-${name}`),
    settings: checkSettings(settings),
    ...(prompts !== undefined && { prompts }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
  };
}

async function main(): Promise<number> {
  let options;
  try {
    options = readArguments(Deno.args);
  } catch (error) {
    console.error(`scan: ${(error as Error).message}\n${USAGE}`);
    return WRONG_USAGE;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  const interrupt = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupt.abort(new Error("interrupted")));
  const startedAt = performance.now();
  try {
    const result = await runScan({ ...options, signal: interrupt.signal });
    const took = formatSeconds((performance.now() - startedAt) / 1000);
    console.log(`\n${scanText(result)}\n\n${took}. Open ${join(options.outDir, "report.html")}`);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error("scan: interrupted. The same command goes on where the first pass was.");
      return INTERRUPTED;
    }
    console.error(`scan: ${(error as Error).message.replace(/^scan: /, "")}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
