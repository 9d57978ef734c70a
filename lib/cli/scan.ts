/**
 * `deno task scan MODEL`: looks for clean-up in a model, prints what was found, and leaves report.html and
 * report.json in the output folder.
 *
 * What its passes measure is kept there: after Ctrl-C or SIGTERM the same command goes on where it was, and a
 * run with other thresholds need not repeat the first pass, which stays as screen.safetensors. Every file is
 * whole or not there. With --shard i/n it measures a share of the prompts, and `scan merge` joins the shares.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { DeviceFailure } from "../tensor/device.ts";
import { PASSES } from "../experiments/scan/passes.ts";
import { type MergeArguments, readArguments, type ScanArguments, USAGE } from "./scan_arguments.ts";
import { mergeShards } from "./scan_merge.ts";
import { runScan, stateFile } from "./scan_run.ts";
import { runShard, shardFile, SHARDS } from "./scan_shard.ts";
import { scanText } from "./scan_text.ts";
import { onInterrupt } from "./signals.ts";

export { runScan, type ScanCommandOptions } from "./scan_run.ts";

const WRONG_USAGE = 2;

/** What an interrupted scan leaves: what was measured up to the last whole batch. */
async function kept({ outDir, shard }: ScanArguments): Promise<string> {
  const files = PASSES.map((pass) => shard ? join(SHARDS, shardFile(pass, shard)) : stateFile(pass));
  for (const file of files) {
    if (await stat(join(outDir, file)).catch(() => undefined)) {
      return "The same command goes on where it was.";
    }
  }
  return "Nothing had been measured yet: the same command begins anew.";
}

/** The command itself. Returns its exit code. */
export async function main(): Promise<number> {
  let options;
  try {
    options = readArguments(process.argv.slice(2));
  } catch (error) {
    console.error(`${USAGE}\n\nscan: ${(error as Error).message.replace(/^scan: /, "")}`);
    return WRONG_USAGE;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt();
  try {
    console.log("merge" in options ? await merge(options) : await measure(options, interrupt.signal));
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted && !("merge" in options)) {
      console.error(`scan: interrupted. ${await kept(options)}`);
      return interrupt.exitCode;
    }
    const left = error instanceof DeviceFailure && !("merge" in options) ? ` ${await kept(options)}` : "";
    console.error(`scan: ${(error as Error).message.replace(/^scan: /, "")}${left}`);
    return 1;
  }
}

async function measure({ shard, ...options }: ScanArguments, signal: AbortSignal): Promise<string> {
  if (shard) return await runShard({ ...options, shard, signal });
  const result = await runScan({ ...options, signal });
  return `\n${scanText(result)}\n\nOpen ${join(options.outDir, "report.html")}`;
}

async function merge({ merge, outDir }: MergeArguments): Promise<string> {
  const { result, text } = await mergeShards(merge, outDir);
  return result ? `${text}\n\n${scanText(result)}\n\nOpen ${join(outDir, "report.html")}` : text;
}

if (import.meta.main) process.exit(await main());
