/** What `deno task scan` is told: its arguments, and its usage. */
import {
  checkSettings,
  DEFAULT_SETTINGS,
  type ScanSettings,
  SETTINGS,
} from "../experiments/scan/settings.ts";
import { parseShard, type Shard } from "../experiments/scan/shards.ts";
import type { Device } from "../tensor/device.ts";
import { outFolder } from "./out_folder.ts";
import type { ScanCommandOptions } from "./scan_run.ts";
import { called } from "./called.ts";
import { commandArguments } from "./command_arguments.ts";
import { modelFileName, numberOption, optionName } from "./typed.ts";

export const USAGE = `${
  called("scan")
} MODEL [--prompts FILE] [--length N] [--max-tokens N] [--device NAME] [--out DIR] [--shard i/n] [settings]
${called("scan")} merge DIR … [--out DIR]
  MODEL             a folder with config.json and weights, a Hugging Face name such as owner/name, or tiny-gelu-4l
  --prompts FILE    .txt (one document), .jsonl ({"text": …} lines), .parquet (column text or tokens), or
                    .safetensors (tokens [count, length]); default: the model's own prompts, if it has some
  --length N        tokens of a prompt; default for texts: what leaves 64 prompts, 32 to 128
  --max-tokens N    tokens in all; default for texts: 131072
  --device NAME     cpu (default) or webgpu, a graphics card
  --out DIR         where report.html and report.json go; default: out/scan-MODEL
  --shard i/n       only the i-th of n shares (from 0) of the next pass, left in DIR/shards: lib/cli/cluster/README.md
  merge DIR …       adds up the shards in these folders; after the last pass it leaves the report in the first, or --out
settings, with their defaults:
${
  Object.entries(SETTINGS).map(([name, { about }]) => {
    const option = `--${optionName(name)} ${DEFAULT_SETTINGS[name as keyof ScanSettings]}`;
    return `  ${option.padEnd(26)} ${about}`;
  }).join("\n")
}`;

/** `scan MODEL`, all of it or a shard. */
export type ScanArguments = Omit<ScanCommandOptions, "signal" | "target"> & { shard?: Shard };

export interface MergeArguments {
  /** Folders with shards. */
  merge: string[];
  outDir: string;
}

/** Options of the command from its arguments. @throws for an unknown option or a value that is no number */
export function readArguments(args: string[]): ScanArguments | MergeArguments | "help" {
  const numbers = ["length", "max-tokens", ...Object.keys(SETTINGS).map(optionName)];
  const texts = ["prompts", "out", "device", "shard", ...numbers];
  const parsed = commandArguments(args, {
    ...Object.fromEntries(texts.map((name) => [name, "string" as const])),
    help: "boolean",
  });
  const values = parsed.values as Record<string, string | undefined>, { positionals } = parsed;
  if (values.help) return "help";
  if (positionals[0] === "merge") return mergeArguments(positionals.slice(1), values);
  if (positionals.length !== 1) throw new Error(`got ${positionals.length} models; expected one`);
  const number = (name: string) => numberOption(values, name);
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(SETTINGS)) {
    const value = number(optionName(name));
    if (value !== undefined) settings[name] = value;
  }
  const [model] = positionals;
  const [maxTokens, length] = [number("max-tokens"), number("length")];
  const { prompts, out, device, shard } = values;
  return {
    model,
    outDir: out ?? outFolder(`scan-${modelFileName(model)}`),
    settings: checkSettings(settings),
    ...(prompts !== undefined && { prompts }),
    ...(device !== undefined && { device: device as Device }), // checked when it is started
    ...(maxTokens !== undefined && { maxTokens }),
    ...(length !== undefined && { length }),
    ...(shard !== undefined && { shard: parseShard(shard) }),
  };
}

/** @throws for other options: the shards have them */
function mergeArguments(dirs: string[], values: Record<string, string | undefined>): MergeArguments {
  const other = Object.keys(values).find((name) => name !== "out");
  if (other) {
    throw new Error(`merge: got --${other}; the shards have the options of the scan, merge has --out alone`);
  }
  if (dirs.length === 0) throw new Error("merge: got no folder; expected those that hold shards");
  return { merge: dirs, outDir: values.out ?? dirs[0] };
}
