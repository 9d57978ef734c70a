/**
 * `deno task bench:full-size`: the whole way of gelu-4l at its own size, with random weights in place of the
 * download. A checkpoint with gelu-4l's key names, shapes, types and buffers is written in PyTorch's format;
 * this process then loads it, processes its weights, and measures Figures 1 to 5 on 300 × 1024 tokens.
 * Reported are the time of each part, the largest resident memory (VmHWM, the kernel's own record) beyond the
 * weights, and how right the time was that the progress bar said to be left.
 *
 * Options: --prompts N (default 300), --length N (default 1024), --limit GB (memory beyond the weights,
 * default 1.5), --json (one line for a test), --folder DIR (where the checkpoint is written and removed
 * again; default: the system's temporary folder). Exits 1 when the limit is passed. The checkpoint is written
 * by a process of its own, so that its memory does not count here.
 */
import { resourceUsage } from "node:process";
import { parseArgs } from "node:util";
import { RunProgress, secondsLeft } from "../../lib/cli/run_progress.ts";
import { formatSeconds } from "../../lib/cli/progress.ts";
import { resampledAttribution } from "../../lib/experiments/adversarial.ts";
import { compositionAttribution } from "../../lib/experiments/composition_attribution.ts";
import { figures1to3 } from "../../lib/experiments/figures_1_to_3.ts";
import { loadPrompts, shorten } from "../../lib/checkpoints/mod.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { gelu4lParameters } from "../checkpoints/gelu_4l_checkpoint.ts";

const { values: options } = parseArgs({
  options: {
    prompts: { type: "string", default: "300" },
    length: { type: "string", default: "1024" },
    limit: { type: "string", default: "1.5" },
    json: { type: "boolean" },
    folder: { type: "string" },
  },
});
const GB = 1e9;

/**
 * The largest resident memory of this process so far, in bytes: ru_maxrss, which on Linux is VmHWM of /proc
 * (reading that needs all permissions).
 */
function peak(): number {
  return resourceUsage().maxRSS * 1024;
}

/**
 * Errors of "seconds left" after the first tenth, each as a part of the whole time: the middle one and the
 * largest.
 */
function estimateErrors(bar: RunProgress): [number, number] {
  const end = bar.reports.at(-1)!;
  const errors = bar.reports.flatMap((at, i) => {
    if (i === 0 || at.done < at.total / 10 || at === end) return [];
    const left = secondsLeft(bar.reports.slice(0, i + 1))!;
    return [Math.abs(left - (end.seconds - at.seconds)) / end.seconds];
  }).sort((a, b) => a - b);
  return [errors[errors.length >> 1] ?? 0, errors.at(-1) ?? 0];
}

/** Notes how right a bar was. */
function estimates(what: string, bar: RunProgress): void {
  bar.finish();
  const [middle, largest] = estimateErrors(bar);
  report[`error of the time left, ${what}: median`] = +middle.toFixed(3);
  report[`error of the time left, ${what}: largest`] = +largest.toFixed(3);
}

const folder = await Deno.makeTempDir({
  prefix: "cleanup-lens-full-size-",
  ...(options.folder && { dir: options.folder }),
});
const report: Record<string, number> = {};
const timed = async <T>(what: string, body: () => Promise<T>): Promise<T> => {
  const began = performance.now();
  const result = await body();
  report[`${what}, s`] = +((performance.now() - began) / 1000).toFixed(1);
  report[`peak after ${what}, GB`] = +(peak() / GB).toFixed(3);
  if (!options.json) {
    console.log(
      `${what}: ${formatSeconds(report[`${what}, s`])}, peak ${report[`peak after ${what}, GB`]} GB`,
    );
  }
  return result;
};
try {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--frozen",
      "--allow-read",
      `--allow-write=${folder}`,
      `${import.meta.dirname}/full_size_folder.ts`,
      folder,
      options.prompts,
      options.length,
    ],
  }).output();
  if (!success) throw new Error(`writing the checkpoint failed: ${new TextDecoder().decode(stderr)}`);
  report["before, GB"] = +(peak() / GB).toFixed(3);
  const model = await timed("load and process", () => loadModel(folder));
  const prompts = await loadPrompts(`${folder}/prompts/random.safetensors`, { config: model.config });
  let parameters = 0;
  for (const [name, { data }] of model.weights) if (name !== "unembed.b_U") parameters += data.length;
  report["weights, GB"] = 4 * gelu4lParameters / GB;
  report["parameters after processing"] = parameters;
  const quiet = { write() {}, isTerminal: false, columns: 80 };
  const bar = (title: string) => options.json ? new RunProgress(title, quiet) : new RunProgress(title);
  const first = bar("Figures 1 to 3");
  const [rows] = await timed(
    "figures 1 to 3",
    () => figures1to3(model, prompts, [{}], { onProgress: first.report }),
  );
  estimates("figures 1 to 3", first);
  const fourth = await timed(
    "figure 4",
    () => resampledAttribution(model, model.adversarial.prompts, prompts),
  );
  const fifth = bar("Figure 5");
  const thirty = shorten(prompts, { count: Math.min(30, prompts.count) });
  const five = await timed(
    "figure 5",
    () => compositionAttribution(model, thirty, { onProgress: fifth.report }),
  );
  estimates("figure 5", fifth);
  report["rows"] = rows.fig1.length + rows.fig2.length + rows.fig3a.length + rows.fig3b.length +
    fourth.rows.length + five.rows.length;
  report["peak beyond the weights, GB"] = +((peak() - 4 * gelu4lParameters) / GB).toFixed(3);
  if (options.json) console.log(JSON.stringify(report));
  else console.table(report);
  const within = report["peak beyond the weights, GB"] <= Number(options.limit);
  if (!within) console.error(`more than ${options.limit} GB beyond the weights`);
  Deno.exitCode = within ? 0 : 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}
