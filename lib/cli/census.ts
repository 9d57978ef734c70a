/**
 * `deno task census MODEL…`: the same questions to each model, and one table and one page of the answers:
 * report.html and report.json in the output folder. After Ctrl-C the same command goes on from what was
 * finished.
 */
import { join } from "node:path";
import process from "node:process";
import { DEFAULT_EARLY, DEFAULT_REPAIR } from "../experiments/census/census.ts";
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type ScanSettings,
  SETTINGS,
} from "../experiments/scan/settings.ts";
import type { Device } from "../tensor/device.ts";
import { called } from "./called.ts";
import { commandArguments } from "./command_arguments.ts";
import { type CensusCommand, PAGE, runCensus } from "./census_run.ts";
import { censusText } from "./census_text.ts";
import { outFolder } from "./out_folder.ts";
import { onInterrupt } from "./signals.ts";
import { numberOption, optionName } from "./typed.ts";

/** Settings of the scan's part; there is no untrained null here. */
const TAKEN = (Object.keys(SETTINGS) as (keyof ScanSettings)[]).filter((name) => name !== "untrainedPrompts");
const line = (option: string, about: string) => `  ${option.padEnd(26)} ${about}`;

const USAGE = `${
  called("census")
} MODEL… [--prompts FILE] [--length N] [--max-tokens N] [--device NAME] [--out DIR] [settings]
  MODEL…            folders with config.json and weights, Hugging Face names such as owner/name, tiny-gelu-4l
  --prompts FILE    for all models: .txt, .jsonl ({"text": …} lines), .parquet or .safetensors, as for
                    ${called("scan")}; default: each model's own prompts, if it has some
  --length N        tokens of a prompt; default for texts: what leaves 64 prompts, 32 to 128
  --max-tokens N    tokens in all; default for texts: 131072
  --device NAME     cpu (default) or webgpu, a graphics card
  --out DIR         where report.html and report.json go; default: out/census. Models that are there stay
settings, with their defaults:
${line(`--early ${DEFAULT_EARLY}`, "so many early heads, those with the largest DLA")}
${line(`--repair ${DEFAULT_REPAIR}`, "self-repair of so many nodes, those with the largest direct effect")}
${
  TAKEN.map((name) => line(`--${optionName(name)} ${DEFAULT_SETTINGS[name]}`, SETTINGS[name].about)).join(
    "\n",
  )
}`;

const WRONG_USAGE = 2;

/** Options of the command from its arguments. @throws for an unknown option or a value that is no number */
export function readArguments(args: string[]): Omit<CensusCommand, "signal" | "target"> | "help" {
  const numbers = ["length", "max-tokens", "early", "repair", ...TAKEN.map(optionName)];
  const texts = ["prompts", "out", "device", ...numbers];
  const parsed = commandArguments(args, {
    ...Object.fromEntries(texts.map((name) => [name, "string" as const])),
    help: "boolean",
  });
  const values = parsed.values as Record<string, string | undefined>, { positionals: models } = parsed;
  if (values.help) return "help";
  if (models.length === 0) throw new Error("got no model; expected at least one");
  const twice = models.find((name, i) => models.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`got ${twice} twice; expected each model once`);
  const number = (name: string) => numberOption(values, name);
  const settings = Object.fromEntries(TAKEN.flatMap((name) => {
    const value = number(optionName(name));
    return value === undefined ? [] : [[name, value]];
  }));
  const whole = (name: "early" | "repair" | "length" | "max-tokens") => {
    const value = number(name);
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new Error(`--${name}: got ${value}; expected a whole number of at least 1`);
    }
    return value === undefined ? {} : { [name === "max-tokens" ? "maxTokens" : name]: value };
  };
  return {
    models,
    outDir: values.out ?? outFolder("census"),
    settings: checkSettings(settings),
    ...(values.prompts !== undefined && { prompts: values.prompts }),
    ...(values.device !== undefined && { device: values.device as Device }), // checked when it is started
    ...whole("length"),
    ...whole("max-tokens"),
    ...whole("early"),
    ...whole("repair"),
  };
}

/** The command itself. Returns its exit code. */
export async function main(): Promise<number> {
  let command;
  try {
    command = readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${USAGE}\n\ncensus: ${(error as Error).message.replace(/^scan: /, "")}`);
    return WRONG_USAGE;
  }
  if (command === "help") {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt();
  try {
    const { results, failed } = await runCensus({ ...command, signal: interrupt.signal });
    if (results.length > 0) console.log(`\n${censusText(results)}\n\nOpen ${join(command.outDir, PAGE)}`);
    for (const { model, reason } of failed) console.error(`census: ${model} is left out: ${reason}`);
    return failed.length > 0 ? 1 : 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error(
        "census: interrupted. What was finished is kept: the same command goes on from there.",
      );
      return interrupt.exitCode;
    }
    console.error(`census: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) process.exit(await main());
