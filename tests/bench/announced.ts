/**
 * `deno task bench:announced`: the time and the memory that a scan announces before it begins (scan_cost.ts),
 * and what it takes: the embedded model; SmolLM2-135M's shape, in memory; four layers of Llama-3.2-1B's,
 * which stay in their file. Asked for: memory within 1.2, time within 1.5, each way.
 *
 * Each is a process of its own, since the largest resident memory is a process's. Random weights find little
 * to examine, so the first pass and what follows stand apart; FOLDER … in place of the three are models with
 * weights that were trained. Options: --prompts N (default 32), --length N (default 64), --cases LIST.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { announce } from "../../lib/cli/scan_cost.ts";
import { scan } from "../../lib/experiments/scan/scan.ts";
import { DEFAULT_SETTINGS } from "../../lib/experiments/scan/settings.ts";
import { modelDigest } from "../../lib/experiments/scan/state.ts";
import { peakMemory } from "../../lib/platform/peak_memory.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { randomPrompts } from "./gelu_4l_config.ts";
import { inProcess } from "./in_process.ts";
import { makeFolder, SHAPES } from "./large_folder.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prompts: { type: "string", default: "32" },
    length: { type: "string", default: "64" },
    cases: { type: "string", default: "tiny-gelu-4l,smollm-135m,llama-1b:4" },
    measure: { type: "string" },
  },
});
const [count, length] = [Number(values.prompts), Number(values.length)];

interface Took {
  seconds: { announced: number; took: number; screen: number; screenAnnounced: number; cpu: number };
  gib: { announced: number; took: number; weights: number };
}

async function measure(name: string): Promise<Took> {
  const began = performance.now();
  const model = await loadModel(name), prompts = randomPrompts(model.config, count, length);
  await modelDigest(model);
  const expected = await announce(model, prompts, DEFAULT_SETTINGS);
  const from = performance.now(), cpu = process.cpuUsage();
  let screened = from;
  await scan(model, prompts, {
    onPass: (pass) => {
      if (/^(measuring lengths|screening)/.test(pass)) screened = Infinity;
      else if (screened === Infinity) screened = performance.now();
    },
  });
  const end = performance.now(), { user, system } = process.cpuUsage(cpu);
  console.error(`${name}: ${((end - began) / 1000).toFixed(0)} s with loading`);
  return {
    seconds: {
      announced: expected.seconds.screen + expected.seconds.rest,
      took: (end - from) / 1000,
      screenAnnounced: expected.seconds.screen,
      screen: ((screened === Infinity ? end : screened) - from) / 1000,
      cpu: (user + system) / 1e6,
    },
    gib: {
      announced: expected.bytes / 2 ** 30,
      took: peakMemory(),
      weights: expected.weights / 2 ** 30,
    },
  };
}

if (values.measure) console.log(JSON.stringify(await measure(values.measure)));
else {
  const rows: Record<string, string | number>[] = [];
  for (const name of positionals.length > 0 ? positionals : values.cases.split(",")) {
    const [shape, layers] = name.split(":");
    const folder = shape in SHAPES ? mkdtempSync(join(tmpdir(), "announced-")) : undefined;
    try {
      if (folder) makeFolder(folder, SHAPES[shape](layers ? Number(layers) : undefined));
      const { seconds, gib } = await inProcess<Took>(
        import.meta.url,
        ["--allow-read", "--allow-ffi"],
        [`--measure=${folder ?? name}`, `--prompts=${count}`, `--length=${length}`],
        `the scan of ${folder ?? name}`,
      );
      const ratio = (a: number, b: number) => Number((a / b).toFixed(2));
      rows.push({
        model: name,
        "first pass, s": seconds.screen.toFixed(1),
        "announced / took": ratio(seconds.screenAnnounced, seconds.screen),
        "all, s": seconds.took.toFixed(1),
        "CPU s": seconds.cpu.toFixed(0),
        "all announced / took": ratio(seconds.announced, seconds.took),
        "GiB": gib.took.toFixed(2),
        "weights": gib.weights.toFixed(2),
        "GiB announced / took": ratio(gib.announced, gib.took),
      });
      console.error(rows.at(-1));
    } finally {
      if (folder) rmSync(folder, { recursive: true });
    }
  }
  console.log(`${count} × ${length} tokens`);
  console.table(rows);
}
