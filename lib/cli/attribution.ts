/**
 * `deno task attribution MODEL --text "…"`: is what direct logit attribution credits to the model's nodes
 * taken back later? Prints a table and what it says in words, and leaves attribution.json and a waterfall
 * (SVG and PNG) in the output folder. Every file is whole or not there.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import type { Prompts } from "../checkpoints/mod.ts";
import { writeWhole } from "../checkpoints/write_whole.ts";
import {
  type AttributionCheck,
  type AttributionOptions,
  checkAttribution,
  type RemovedAt,
} from "../experiments/attribution/check_attribution.ts";
import { lastCharacters, visibleEnds } from "../figures/prompt_text.ts";
import { toPng } from "../figures/png.ts";
import { rowsAsJson } from "../figures/show.ts";
import { toSvg } from "../figures/svg.ts";
import { formatNumber } from "../figures/theme.ts";
import { attributionWaterfall } from "../figures/waterfall.ts";
import type { Device } from "../tensor/device.ts";
import { loadModel } from "../transformer/load.ts";
import { called } from "./called.ts";
import { commandArguments } from "./command_arguments.ts";
import { attributionText } from "./attribution_text.ts";
import { outFolder, prepareFolder } from "./out_folder.ts";
import { downloadProgress, type ProgressTarget, stderrTarget } from "./progress.ts";
import { RunProgress } from "./run_progress.ts";
import { scanPrompts } from "./scan_prompts.ts";
import { onInterrupt } from "./signals.ts";
import { modelFileName } from "./typed.ts";

type CheckOptions = Pick<
  AttributionOptions,
  "answers" | "position" | "nodes" | "most" | "removedAt" | "rotations" | "samples" | "seed"
>;

export interface AttributionCommand {
  /** As `loadModel` takes it. */
  model: string;
  /** The text that is asked about; without it, prompts are. */
  text?: string;
  /**
   * A file of prompts, as `deno task scan` takes it: with a text, what is resampled from; without, what is
   * looked at.
   */
  prompts?: string;
  /** Tokens of a prompt, and tokens in all, of that file. */
  length?: number;
  maxTokens?: number;
  /** Where the model runs; see `loadModel`. */
  device?: Device;
  /** Created when it is missing. */
  outDir: string;
  check: CheckOptions;
  signal?: AbortSignal;
  target?: ProgressTarget;
}

/** The text's end, the two answers and the model's logit difference; of prompts the last alone. */
function subtitle({ answers, sum }: AttributionCheck, text?: string): string {
  const difference = `logit difference ${formatNumber(sum.logitDifference)}`;
  if (text === undefined || !answers) return `Many positions, ${difference} in the mean`;
  const [a, b] = answers.map(({ token }) => `“${visibleEnds(token)}”`);
  return `“${lastCharacters(visibleEnds(text), 60)}”: ${a} against ${b}, ${difference}`;
}

/** Without a word on how many, prompts of so many tokens in all are looked at. */
const DEFAULT_TOKENS = 2048;

const FIGURES = ["waterfall.svg", "waterfall.png"];
const FILES = ["attribution.json", ...FIGURES];

/** The rows of which there is something to draw: over prompts, a node that writes nothing has no means. */
const drawn = ({ rows }: AttributionCheck) =>
  rows.filter(({ dla, left, finalScale, effect }) =>
    [dla, left.logits, finalScale.logits, effect.logits].every(Number.isFinite)
  );

/** @throws for bad input, and the signal's reason when it was interrupted */
export async function runAttribution(command: AttributionCommand): Promise<AttributionCheck> {
  const { outDir, text, check, signal, target = stderrTarget() } = command;
  const model = await loadModel(command.model, {
    ...(command.device && { device: command.device }),
    onProgress: downloadProgress(target),
  });
  const { prompts: file, length, maxTokens } = command;
  const read = (tokens: number | undefined): Promise<Prompts> =>
    scanPrompts(model, {
      target,
      ...(signal && { signal }),
      ...(file !== undefined && { file }),
      ...(length !== undefined && { length }),
      ...(tokens !== undefined && { maxTokens: tokens }),
    });
  await prepareFolder(outDir, FILES);
  const from = text ?? await read(maxTokens ?? DEFAULT_TOKENS);
  const unrelated = text !== undefined && file !== undefined ? await read(maxTokens) : undefined;
  const progress = new RunProgress("Removing nodes", target);
  let result: AttributionCheck;
  try {
    result = await checkAttribution(model, from, {
      ...check,
      ...(unrelated && { unrelated }),
      ...(signal && { signal }),
      onProgress: progress.report,
    });
  } finally {
    progress.finish();
  }
  await writeWhole(join(outDir, "attribution.json"), rowsAsJson({ format: 1, ...result }));
  const cases = drawn(result).map((row) => ({ row, steps: result.steps }));
  if (cases.length === 0) {
    for (const name of FIGURES) await rm(join(outDir, name), { force: true }); // of another check
    return result;
  }
  const svg = toSvg(attributionWaterfall(cases, { subtitle: subtitle(result, text) }));
  await writeWhole(join(outDir, "waterfall.svg"), svg);
  await writeWhole(join(outDir, "waterfall.png"), toPng(svg, { scale: 2 }));
  return result;
}

const USAGE = `${called("attribution")} MODEL --text "…" [--answers " a, b"] [options]
${called("attribution")} MODEL [--prompts FILE] [options]      over many positions, with intervals
  MODEL              a folder with config.json, weights and tokenizer.json, a Hugging Face name, or tiny-gelu-4l
  --text TEXT        its last position is looked at
  --answers "A,B"    two answers of one token each, with the space in front where the token has one: " a, b" are " a"
                     and " b". Where one holds a comma: a JSON list. Default: the two most probable next tokens
  --position N       look at this position (from 1) in place of the last; of prompts, in place of all but 0
  --nodes LIST       nodes to check, such as L1H5,MLP0; default: those with the largest DLA
  --most N           so many of them; default 6
  --removed-at WHERE rest (default: all positions but 0), all, or position (only where it is looked at)
  --rotations N      draws of the control; default 32 for one position, else 3
  --samples N        other texts to resample from; default 20; 0: none
  --prompts FILE     with --text: the texts to resample from; without: what is looked at. As for ${
  called("scan")
};
                     default: the prompts that belong to the model
  --length N, --max-tokens N   of that file; default for what is looked at: ${DEFAULT_TOKENS} tokens
  --device NAME      cpu (default) or webgpu, a graphics card
  --seed N           of rotations and bootstrap; default 1
  --out DIR          where attribution.json, waterfall.svg and waterfall.png go; default: out/attribution-MODEL`;

/** " a, b" → [" a", " b"]; or a JSON list. @throws unless there are two */
export function readAnswers(text: string): [string, string] {
  let parts: unknown = text.split(",");
  if (text.trimStart().startsWith("[")) {
    try {
      parts = JSON.parse(text);
    } catch (error) {
      throw new Error(`--answers: got ${text}, which is no JSON list (${(error as Error).message})`);
    }
  }
  const two = Array.isArray(parts) ? parts.filter((part) => typeof part === "string" && part !== "") : [];
  if (two.length === 2 && (parts as unknown[]).length === 2) return [two[0], two[1]];
  throw new Error(`--answers: got ${JSON.stringify(text)}; expected two tokens and a comma, such as " a, b"`);
}

const NUMBERS = ["position", "most", "rotations", "samples", "seed", "length", "max-tokens"] as const;

/**
 * Options of the command from its arguments. @throws for an unknown option or a value that is not what it
 * should be
 */
export function readArguments(args: string[]): Omit<AttributionCommand, "signal" | "target"> | "help" {
  const texts = ["text", "answers", "nodes", "removed-at", "prompts", "out", "device", ...NUMBERS];
  const parsed = commandArguments(args, {
    ...Object.fromEntries(texts.map((name) => [name, "string" as const])),
    help: "boolean",
  });
  const values = parsed.values as Record<string, string | undefined>, { positionals } = parsed;
  if (values.help) return "help";
  if (positionals.length !== 1) throw new Error(`got ${positionals.length} models; expected one`);
  const number = (name: (typeof NUMBERS)[number]) => {
    const text = values[name];
    if (text === undefined) return {};
    if (!/^\d+$/.test(text)) throw new Error(`--${name}: got "${text}"; expected a whole number`);
    return { [name === "max-tokens" ? "maxTokens" : name]: Number(text) };
  };
  const { text, answers, nodes, prompts, out, device } = values, removedAt = values["removed-at"];
  const [model] = positionals;
  return {
    model,
    outDir: out ?? outFolder(`attribution-${modelFileName(model)}`),
    ...(text !== undefined && { text }),
    ...(prompts !== undefined && { prompts }),
    ...(device !== undefined && { device: device as Device }), // checked when it is started
    ...number("length"),
    ...number("max-tokens"),
    check: {
      ...(answers !== undefined && { answers: readAnswers(answers) }),
      ...(nodes !== undefined && { nodes: nodes.split(",").map((node) => node.trim()) }),
      ...(removedAt !== undefined && { removedAt: removedAt as RemovedAt }), // checked with all options
      ...number("position"),
      ...number("most"),
      ...number("rotations"),
      ...number("samples"),
      ...number("seed"),
    },
  };
}

const WRONG_USAGE = 2;

/** The command itself. Returns its exit code. */
export async function main(): Promise<number> {
  let command;
  try {
    command = readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${USAGE}\n\nattribution: ${(error as Error).message}`);
    return WRONG_USAGE;
  }
  if (command === "help") {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt();
  try {
    const check = await runAttribution({ ...command, signal: interrupt.signal });
    const figure = drawn(check).length > 0
      ? join(command.outDir, FIGURES[1])
      : "none, no node writes anything";
    console.log(`${attributionText(check)}\n\nFigure: ${figure}`);
    return 0;
  } catch (error) {
    console.error(`attribution: ${(error as Error).message.replace(/^checkAttribution: /, "")}`);
    return interrupt.signal.aborted ? interrupt.exitCode : 1;
  }
}

if (import.meta.main) process.exit(await main());
