/**
 * `deno task scan MODEL … --shard i/n`: measures a share of the prompts of the pass that is next, and leaves
 * the sums in DIR/shards/. Which pass is next is seen from what `scan merge` has left in DIR.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Prompts } from "../checkpoints/mod.ts";
import type { OnPass, Part } from "../experiments/retention/sums.ts";
import { PASSES, Passes } from "../experiments/scan/passes.ts";
import { batchesOf, passes } from "../experiments/scan/prompts.ts";
import { shareCost } from "../experiments/scan/cost.ts";
import { type Extras, planOf, scanFacts } from "../experiments/scan/result.ts";
import { scanSink, scanUntrained } from "../experiments/scan/scan.ts";
import { batchCount, type Shard, shareOf } from "../experiments/scan/shards.ts";
import { aboutNext, modelDigest } from "../experiments/scan/state.ts";
import { type Lock, tryLock } from "../platform/lock.ts";
import type { RunOptions } from "../tensor/run.ts";
import type { Model } from "../transformer/model.ts";
import { prepareFolder } from "./out_folder.ts";
import { completeSums, inWords, PassFile } from "./pass_file.ts";
import { counted, stderrTarget } from "./progress.ts";
import { announce, shareAnnouncement } from "./scan_cost.ts";
import { ScanProgress } from "./scan_progress.ts";
import { keptAfter, type ScanCommandOptions, scanInput, stateFile } from "./scan_run.ts";
import { called } from "./called.ts";

export const SHARDS = "shards";

/** screen-3-of-8.safetensors */
export const shardFile = (pass: string, { index, count }: Shard): string =>
  `${pass}-${index}-of-${count}.safetensors`;

/** Runs what is next of a shard. Returns what was done and what comes next, in words. @throws as `runScan` */
export async function runShard(options: ScanCommandOptions & { shard: Shard }): Promise<string> {
  const { outDir, shard, signal, target = stderrTarget(), batchSize } = options;
  const say = (text: string) => target.write(`${text}\n`);
  const name = `shard ${shard.index}/${shard.count}`;
  const { model, prompts, settings } = await scanInput(options, target);
  const halves = passes(prompts, settings);
  const batch = batchSize ?? batchesOf(model, prompts.length).batch;
  checkCount(shard, batch, halves);
  const folder = join(outDir, SHARDS);
  await prepareFolder(folder, PASSES.map((pass) => shardFile(pass, shard)));
  await using _lock = await lockOf(folder, name, shard);

  const digest = await modelDigest(model), facts = scanFacts(model, prompts, settings);
  const measured = new Passes(planOf(facts));
  const all = () => measured.next?.pass === "screen" ? halves.screened : halves.examined;
  for (let whole; measured.next && (whole = await mergedPass(outDir, measured, digest, all()));) {
    measured.take(whole);
  }
  if (!measured.next) {
    return `Nothing is left for ${name}: all passes are merged. The report: ${
      called("scan")
    } merge ${outDir}`;
  }

  const { pass } = measured.next, ofPass = `the ${inWords(pass)} of ${name}`;
  const share = shareOf(all(), batch, shard), { count } = share.prompts;
  const file = new PassFile(join(folder, shardFile(pass, shard)), await aboutNext(measured, digest, all()));
  const done = await file.load(measured, count, say, "refuse");
  if (file.shard) checkShard(file.path, file.shard, shard);
  const progress = new ScanProgress(target);
  const run = {
    ...(signal && { signal }),
    ...(batchSize !== undefined && { batchSize }),
    onPass: (step: string, count: number) => progress.pass(step, count),
    onProgress: (p: { done: number; total: number }) => progress.update(p),
  };
  try {
    if (!done || !isComplete(measured, done, count)) {
      const work = shareCost(model, prompts, settings, measured.next, count / all().count);
      const expected = shareAnnouncement(await announce(model, prompts, settings, work));
      say(`${name}: ${count} of the ${all().count} prompts of the ${inWords(pass)}. ${expected}`);
      const extras = file.shard?.extras ??
        await extrasOf(shard, measured, model, prompts, halves.screened, run);
      file.shard = { ...shard, facts, extras, batch, device: model.device };
      const part = await measured.measure(model, share, {
        ...run,
        ...(done && { done }),
        onMeasured: (part) => file.save(part),
      });
      await file.finish(part);
    }
  } catch (error) {
    progress.stop();
    await keptAfter(error, file);
    throw error;
  }
  progress.finish();
  return `${ofPass[0].toUpperCase()}${ofPass.slice(1)} is done. When all shards' are: ${
    called("scan")
  } merge ${outDir}`;
}

/** @throws when some shards would have no prompts */
function checkCount(
  { count }: Shard,
  batch: number,
  { screened, examined }: { screened: Prompts; examined: Prompts },
): void {
  const [a, b] = [screened, examined].map((prompts) => batchCount(prompts.count, batch));
  if (count <= Math.min(a, b)) return;
  throw new Error(
    `--shard: got ${count} shards; the first pass has ${
      counted(a, "batch", "batches")
    } of ${batch} prompts, the ` +
      `second ${b}. Expected at most ${
        Math.min(a, b)
      }. Give fewer shards, or a larger --screen-tokens and --tokens.`,
  );
}

/** @throws when a file, by its name that of a shard, holds another: its prompts would count twice */
export function checkShard(path: string, holds: Shard, { index, count }: Shard): void {
  if (holds.index === index && holds.count === count) return;
  throw new Error(
    `${path} holds shard ${holds.index}/${holds.count}. Was it renamed? Give it its own name back, or remove it and ` +
      `run shard ${index}/${count} again.`,
  );
}

/** What all shards together have measured of the pass that is next, when it has been merged. */
async function mergedPass(
  outDir: string,
  measured: Passes,
  digest: string,
  all: Prompts,
): Promise<Part | undefined> {
  const about = await aboutNext(measured, digest, all);
  const file = new PassFile(join(outDir, stateFile(about.pass)), about);
  const whole = await file.load(measured, all.count, () => {}, "refuse");
  return whole && isComplete(measured, whole, all.count) ? whole : undefined;
}

/** What is no sum over prompts is the first shard's. */
async function extrasOf(
  { index }: Shard,
  measured: Passes,
  model: Model,
  prompts: Prompts,
  screened: Prompts,
  run: RunOptions & { onPass: OnPass },
): Promise<Extras> {
  const { pass } = measured.next!;
  if (index > 0) return {};
  if (pass === "screen") return await scanUntrained(model, prompts, measured.plan.settings, run);
  if (pass === "examination") return await scanSink(model, screened, measured, run);
  return {};
}

/** Whether all sums of the pass that is next are there, over `count` prompts. */
export function isComplete(measured: Passes, part: Part, count: number): boolean {
  const { done, all } = completeSums(part, measured.empty(), count);
  return done === all;
}

/** One process at a time measures a shard. @throws when another does */
async function lockOf(folder: string, name: string, { index, count }: Shard): Promise<Lock> {
  await mkdir(folder, { recursive: true });
  const lock = await tryLock(join(folder, `${index}-of-${count}.lock`));
  if (lock) return lock;
  throw new Error(
    `${name} is being measured in ${folder} by another process. Two would write the same file.`,
  );
}
