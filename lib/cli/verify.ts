/**
 * `deno task verify [MODEL]`: measures every figure and compares it, number by number, with the expected
 * values of the model (data/expected/MODEL.json: for gelu-4l the post's, for the embedded model
 * TransformerLens').
 *
 *     deno task verify                            gelu-4l, everything
 *     deno task verify tiny-gelu-4l --figures 1,4  some figures
 *
 * First come checks that take seconds: token ids, single neurons, norms of the residual stream. When one of
 * them disagrees, the model is not the one that the values belong to, or was read wrongly, and no figure is
 * measured.
 */
import process from "node:process";
import { type Prompts, shorten } from "../checkpoints/mod.ts";
import { quoted } from "../checkpoints/quoted.ts";
import { type Expected, loadExpected } from "../experiments/expected.ts";
import { figureSteps, quickChecks } from "../experiments/verification.ts";
import { type Compared, expectedNames, type Step } from "../experiments/verification_steps.ts";
import type { Device } from "../tensor/device.ts";
import { loadModel, promptsFor } from "../transformer/load.ts";
import type { Model } from "../transformer/model.ts";
import { called } from "./called.ts";
import { commandArguments } from "./command_arguments.ts";
import { counted, downloadProgress, formatSeconds, type ProgressTarget, stderrTarget } from "./progress.ts";
import { RunProgress } from "./run_progress.ts";
import { onInterrupt } from "./signals.ts";
import { differencesReport, failed, figureReport } from "./verify_report.ts";

export interface VerifyOptions {
  /** As `loadModel` takes it. Default "gelu-4l". */
  model?: string;
  /** Name or file of the expected values. Default: the model's. */
  expected?: string;
  /** Figures to measure: "1" … "10", "appendix". Default: all. */
  figures?: readonly string[];
  /**
   * Use only the first so many prompts. Values that are pooled over prompts then differ by more than their
   * tolerance.
   */
  prompts?: number;
  /** Where the model runs; see `loadModel`. */
  device?: Device;
  /** Also print what agrees. */
  all?: boolean;
  signal?: AbortSignal;
  /** Where the report goes, a piece at a time. Default: standard output. */
  print?: (text: string) => void;
  progress?: ProgressTarget;
}

export interface Verdict {
  agree: number;
  disagree: number;
  /** True when the quick checks disagreed and no figure was measured. */
  stopped: boolean;
}

const figureNames = figureSteps.flatMap(({ names }) => names);

/** @throws for unknown models and figures, and when no expected values are known. */
export async function verify(options: VerifyOptions = {}): Promise<Verdict> {
  const { model: name = "gelu-4l", all = false, print = console.log, progress = stderrTarget(), signal } =
    options;
  const wanted = options.figures ?? figureNames;
  const unknown = wanted.find((figure) => !figureNames.includes(figure));
  if (unknown !== undefined) {
    throw new Error(`there is no figure "${unknown}". There are: ${figureNames.join(", ")}.`);
  }
  const expected = await loadExpected(options.expected ?? name);
  if (Object.keys(expected.figures).length === 0) {
    throw new Error(
      options.expected === undefined
        ? `no expected values are known for ${name}; they are for gelu-4l and tiny-gelu-4l.`
        : `--expected: got ${
          quoted(options.expected)
        }; expected a .json file that has some, gelu-4l or tiny-gelu-4l`,
    );
  }
  const { model, prompts, cut } = await open(name, options, progress);
  print(
    `${name}: ${prompts.count} prompts of ${prompts.length} tokens (${prompts.source}).\nExpected values: ${expected.by}`,
  );
  if (options.prompts !== undefined) {
    print(
      "Fewer prompts than the expected values are over: what is pooled over prompts differs by more than its tolerance.",
    );
  }

  const verdict: Verdict = { agree: 0, disagree: 0, stopped: false };
  const step = async (one: Step) => {
    if (expectedNames(expected, one.figures).length === 0) {
      print(`– ${one.title}: no expected values are known for ${expected.model}.`);
      return;
    }
    const bar = new RunProgress(one.title, progress);
    let compared: Compared;
    try {
      const run = { onProgress: bar.report, ...(signal && { signal }) };
      compared = await one.run({ model, prompts, expected, options: run });
    } finally {
      bar.finish();
    }
    for (const [figure, comparisons] of Object.entries(compared)) {
      if (!asked(figure, wanted) && !quickChecks.includes(one)) continue;
      print(figureReport(figure, comparisons, expected, all));
      const bad = failed(comparisons).length;
      verdict.agree += comparisons.length - bad;
      verdict.disagree += comparisons.length === 0 ? 1 : bad;
    }
    signal?.throwIfAborted();
  };

  print("\nChecks that take seconds");
  for (const check of quickChecks) if (!pooledOverMore(check, expected, prompts, cut)) await step(check);
  if (verdict.disagree > 0) {
    print(
      `\n${counted(verdict.disagree, "value")} of these checks ${
        verdict.disagree === 1 ? "disagrees" : "disagree"
      }, so no figure was ` +
        `measured: the model is another one than the expected values belong to, or its weights, their processing or its ` +
        `tokenizer were read wrongly. Put that right first; the figures would all be wrong.`,
    );
    return { ...verdict, stopped: true };
  }
  const steps = figureSteps.filter((one) => one.names.some((figure) => wanted.includes(figure)));
  const differences = differencesReport(expected, steps.flatMap(({ figures }) => figures));
  if (differences) print(`\n${differences}`);
  print("\nFigures");
  for (const one of steps) await step(one);
  const covered = new Set([...quickChecks, ...figureSteps].flatMap(({ figures }) => figures));
  const others = Object.keys(expected.figures).filter((figure) => !covered.has(figure));
  if (others.length > 0) {
    print(`\nExpected values that are not part of this, but of tests and notebooks: ${others.join("; ")}.`);
  }
  print(
    `\n${counted(verdict.agree, "value")} ${verdict.agree === 1 ? "agrees" : "agree"}, ${verdict.disagree} ` +
      `${verdict.disagree === 1 ? "does" : "do"} not.`,
  );
  return verdict;
}

/**
 * Whether an expected figure, such as "fig3a, inner positions", belongs to one of the figures that were asked
 * for.
 */
function asked(figure: string, wanted: readonly string[]): boolean {
  const [, number] = /^fig(\d+)/.exec(figure) ?? [];
  return wanted.includes(number ?? figure.split(",")[0]);
}

/** With fewer prompts the norms are those of other texts, and say nothing of the loader. */
function pooledOverMore(check: Step, expected: Expected, prompts: Prompts, cut: boolean): boolean {
  if (!check.names.includes("norms") || !cut) return false;
  const over = expected.figures["residual norm"]?.prompts;
  return over === undefined || prompts.count < over;
}

async function open(
  name: string,
  { prompts: count, device }: VerifyOptions,
  progress: ProgressTarget,
): Promise<{ model: Model; prompts: Prompts; cut: boolean }> {
  const onProgress = downloadProgress(progress);
  const model = await loadModel(name, { onProgress, ...(device && { device }) });
  const prompts = await promptsFor(model);
  if (progress.isTerminal) progress.write("\r\x1b[K");
  const used = count === undefined ? prompts : shorten(prompts, { count });
  return { model, prompts: used, cut: used.count < prompts.count };
}

const USAGE = `${
  called("verify")
} [MODEL] [--figures 1,2,…] [--prompts N] [--all] [--device NAME] [--expected FILE]
  MODEL           gelu-4l (default), tiny-gelu-4l, or a folder with --expected
  --figures LIST  some of ${figureNames.join(", ")}; default: all
  --prompts N     only the first N prompts, for a trial: pooled values then differ by more than their tolerance
  --all           print every comparison, not only the disagreements
  --device NAME   cpu (default) or webgpu, a graphics card
  --expected FILE another file of expected values
Exit code: 0 when every value agrees, 1 when one does not, 2 for wrong usage.`;

const WRONG_USAGE = 2;

/** The command itself. Returns its exit code. */
export async function main(): Promise<number> {
  let parsed;
  try {
    parsed = commandArguments(process.argv.slice(2), {
      figures: "string",
      prompts: "string",
      expected: "string",
      device: "string",
      all: "boolean",
      help: "boolean",
    });
    if (parsed.positionals.length > 1) {
      throw new Error(`got models ${parsed.positionals.join(", ")}; expected one`);
    }
    const { prompts } = parsed.values;
    if (prompts !== undefined && !/^[1-9]\d*$/.test(prompts)) {
      throw new Error(`--prompts: got "${prompts}"; expected a whole number from 1`);
    }
  } catch (error) {
    console.error(`${USAGE}\n\nverify: ${(error as Error).message}`);
    return WRONG_USAGE;
  }
  const { values, positionals: [model] } = parsed;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt();
  const startedAt = performance.now();
  try {
    const { disagree } = await verify({
      ...(model !== undefined && { model }),
      ...(values.expected !== undefined && { expected: values.expected }),
      ...(values.figures !== undefined && { figures: values.figures.split(",").map((name) => name.trim()) }),
      ...(values.prompts !== undefined && { prompts: Number(values.prompts) }),
      ...(values.device !== undefined && { device: values.device as Device }), // checked when it is started
      ...(values.all && { all: true }),
      signal: interrupt.signal,
    });
    console.log(`Took ${formatSeconds((performance.now() - startedAt) / 1000)}.`);
    return disagree === 0 ? 0 : 1;
  } catch (error) {
    console.error(`verify: ${(error as Error).message}`);
    return interrupt.signal.aborted ? interrupt.exitCode : 1;
  }
}

if (import.meta.main) process.exit(await main());
