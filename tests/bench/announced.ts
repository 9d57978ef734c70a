/**
 * `deno task bench:announced`: the time and the memory that a scan announces before it begins (scan_cost.ts),
 * and what it takes: the embedded model; GPT-2 small's shape, in memory; four layers of Llama-3.2-1B's,
 * which stay in their file. Asked for: memory within 1.2, time within 1.5, each way.
 *
 * Each is a process of its own, since the largest resident memory is a process's. Other programs change how
 * long a pass takes by the clock, so the processor's time stands beside it. Random weights find little to
 * examine; FOLDER … in place of the three are models that were trained. Options: --count N prompts (default
 * 32), --length N (default 64), --prompts FILE, --cases LIST.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Prompts } from "../../lib/checkpoints/mod.ts";
import { announce, cpuSeconds, secondsOf } from "../../lib/cli/scan_cost.ts";
import { ScanForecast } from "../../lib/cli/scan_forecast.ts";
import { scanPrompts } from "../../lib/cli/scan_prompts.ts";
import { passWork, scanCost } from "../../lib/experiments/scan/cost.ts";
import { keptScan } from "../../lib/experiments/scan/scan.ts";
import { DEFAULT_SETTINGS, type ScanSettings } from "../../lib/experiments/scan/settings.ts";
import { modelDigest } from "../../lib/experiments/scan/state.ts";
import { peakMemory } from "../../lib/platform/peak_memory.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import type { Model } from "../../lib/transformer/model.ts";
import { randomPrompts } from "./gelu_4l_config.ts";
import { inProcess } from "./in_process.ts";
import { makeFolder, SHAPES } from "./large_folder.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "32" },
    prompts: { type: "string" },
    length: { type: "string", default: "64" },
    cases: { type: "string", default: "tiny-gelu-4l,gpt2-small,llama-1b:4" },
    measure: { type: "string" },
  },
});
const [count, length] = [Number(values.count), Number(values.length)];

/** Of a pass, or of all: seconds by the clock and of the processor, as announced and as taken. */
interface Took {
  what: string;
  announced: { seconds: number; cpu: number };
  took: { seconds: number; cpu: number };
}

interface Measured {
  passes: Took[];
  gib: { announced: number; took: number; weights: number };
}

async function promptsOf(model: Model): Promise<Prompts> {
  const { prompts: file } = values;
  if (!file && !model.promptSource) return randomPrompts(model.config, count, length);
  return await scanPrompts(model, { ...(file && { file }), length, maxTokens: count * length });
}

/**
 * Each pass is announced when it begins, as `task scan` does it (scan_forecast.ts): by the clock at the pace
 * of the first pass, by the processor's time as the plain passes before the scan took it.
 */
async function measure(name: string): Promise<Measured> {
  const model = await loadModel(name), prompts = await promptsOf(model);
  await modelDigest(model);
  const expected = await announce(model, prompts, DEFAULT_SETTINGS), { token } = expected;
  const given: [Model, Prompts, ScanSettings] = [model, prompts, DEFAULT_SETTINGS];
  const ahead = new ScanForecast(given, expected);
  const now = () => ({ seconds: performance.now() / 1000, cpu: cpuSeconds() });
  const since = (from: ReturnType<typeof now>) => {
    const { seconds, cpu } = now();
    return { seconds: seconds - from.seconds, cpu: cpu - from.cpu };
  };
  const list: Took[] = [], began = now();
  let from = began;
  const result = await keptScan(model, prompts, {}, {
    load(measured) {
      from = now();
      const { pass, nodes } = measured.next!, { seconds } = ahead.begin(measured.next!, false);
      const cpu = secondsOf(passWork(...given, measured.next!), token.cpu);
      const what = pass === "screen" ? "first pass" : `${pass} of ${nodes.length}`;
      list.push({ what, announced: { seconds, cpu }, took: { seconds: 0, cpu: 0 } });
      return Promise.resolve(undefined);
    },
    save() {},
    done: () => void (list.at(-1)!.took = since(from)),
  });
  const { screen, rest } = scanCost(...given);
  const cpu = secondsOf(screen, token.cpu) + secondsOf(rest, token.cpu);
  const seconds = expected.seconds.screen + expected.seconds.rest;
  list.push({ what: "all, at first", announced: { seconds, cpu }, took: since(began) });
  console.error(`${name}: ${result.writers.length} examined`);
  return {
    passes: list,
    gib: { announced: expected.bytes / 2 ** 30, took: peakMemory(), weights: expected.weights / 2 ** 30 },
  };
}

if (values.measure) console.log(JSON.stringify(await measure(values.measure)));
else {
  const rows: Record<string, string | number>[] = [], memory: Record<string, string | number>[] = [];
  for (const name of positionals.length > 0 ? positionals : values.cases.split(",")) {
    const [shape, layers] = name.split(":");
    const folder = shape in SHAPES ? mkdtempSync(join(tmpdir(), "announced-")) : undefined;
    try {
      if (folder) makeFolder(folder, SHAPES[shape](layers ? Number(layers) : undefined));
      const { passes, gib } = await inProcess<Measured>(
        import.meta.url,
        ["--allow-read", "--allow-ffi"],
        [
          `--measure=${folder ?? name}`,
          `--count=${count}`,
          `--length=${length}`,
          ...(values.prompts ? [`--prompts=${values.prompts}`] : []),
        ],
        `the scan of ${folder ?? name}`,
      );
      const ratio = (a: number, b: number) => Number((a / b).toFixed(2));
      for (const { what, announced, took } of passes) {
        rows.push({
          model: name,
          what,
          "s": Number(took.seconds.toFixed(1)),
          "announced / took": ratio(announced.seconds, took.seconds),
          "CPU s": Number(took.cpu.toFixed(1)),
          "CPU announced / took": ratio(announced.cpu, took.cpu),
        });
      }
      memory.push({
        model: name,
        "GiB": gib.took.toFixed(2),
        "weights": gib.weights.toFixed(2),
        "announced / took": ratio(gib.announced, gib.took),
      });
      console.table(rows.slice(-passes.length));
      console.table(memory.slice(-1));
    } finally {
      if (folder) rmSync(folder, { recursive: true });
    }
  }
  console.log(`${count} × ${length} tokens`);
  console.table(rows);
  console.table(memory);
}
