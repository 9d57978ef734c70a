/**
 * `deno task scan merge DIR…`: adds up what all shards have measured of a pass. After the first two passes it
 * says which nodes the next one is about; after the last it leaves the report, that of a scan without shards.
 * The order of folders and files does not matter: shards are added in the order of their numbers.
 */
import { readdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { cannotRead, ifThere } from "../checkpoints/file_faults.ts";
import { isMissing } from "../platform/errors.ts";
import { join as add } from "../experiments/retention/sums.ts";
import { PASSES, Passes, type PassName } from "../experiments/scan/passes.ts";
import {
  type Extras,
  planOf,
  type ScanFacts,
  type ScanResult,
  scanResult,
} from "../experiments/scan/result.ts";
import { rangeOf, type Shard } from "../experiments/scan/shards.ts";
import {
  type About,
  differing,
  loadState,
  readAbout,
  saveState,
  sumsDigest,
} from "../experiments/scan/state.ts";
import { prepareFolder } from "./out_folder.ts";
import { completeSums, inWords, PassFile } from "./pass_file.ts";
import { counted } from "./progress.ts";
import { REPORTS, stateFile, writeReports } from "./scan_run.ts";
import { checkShard, isComplete, shardFile, SHARDS } from "./scan_shard.ts";

export interface Merged {
  /** The report's, when all passes are merged. */
  result?: ScanResult;
  /** What was done and what comes next, in words. */
  text: string;
}

interface ShardFile extends Shard {
  path: string;
  about: About;
  facts: ScanFacts;
  extras: Extras;
  batch: number;
  device: string;
}

/**
 * Merges what lies in the `shards` folders of these. @throws for what is missing, doubled or of another scan,
 * by name
 */
export async function mergeShards(dirs: readonly string[], outDir: string): Promise<Merged> {
  await prepareFolder(outDir, [...PASSES.map(stateFile), ...REPORTS]);
  const files = await shardFiles(dirs);
  if (files.length === 0) {
    throw new Error(
      `scan merge: there are no shards in ${dirs.join(", ")} (looked for ${SHARDS}/${
        shardFile("screen", { index: 0, count: 8 })
      } and the like).`,
    );
  }
  checkAlike(files);
  const [{ facts }] = files;
  const measured = new Passes(planOf(facts));
  let extras: Extras = {};
  for (const pass of PASSES) {
    if (measured.next?.pass !== pass) break;
    const own = files.filter(({ about }) => about.pass === pass);
    if (own.length === 0 && pass === "screen") {
      const later = `the ${inWords(files[0].about.pass)}`;
      throw new Error(
        `scan merge: there are shards of ${later} in ${dirs.join(", ")}, and none of the ${inWords(pass)}. ` +
          `Give the folders with those too.`,
      );
    }
    if (own.length === 0) return { text: nextInWords(measured, pass, facts) };
    extras = { ...extras, ...await mergePass(measured, own, outDir) };
  }
  const result = scanResult(facts, measured, extras);
  await writeReports(outDir, result);
  return { result, text: `Merged: ${files[0].count} shards.` };
}

/** Adds up one pass, leaves the sum in `outDir`, and takes it. */
async function mergePass(measured: Passes, files: readonly ShardFile[], outDir: string): Promise<Extras> {
  const [{ about, count, facts, batch }] = files, { pass } = measured.next!;
  if (about.sums !== await sumsDigest(measured)) {
    throw new Error(
      `${files[0].path} is of other nodes than the ${previous(pass)} now says. Remove the files of the ` +
        `${inWords(pass)}, and run these shards again.`,
    );
  }
  const ofPass = `of the ${inWords(pass)}`;
  const byIndex = new Map<number, ShardFile>();
  for (const file of files) {
    const other = byIndex.get(file.index);
    if (other) {
      throw new Error(
        `shard ${file.index}/${count} ${ofPass} is there twice: ${other.path} and ${file.path}. Leave one out.`,
      );
    }
    byIndex.set(file.index, file);
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !byIndex.has(i));
  if (missing.length > 0) {
    throw new Error(
      `${missing.length} of ${count} shards ${ofPass} are missing: ${
        listed(missing.map((i) => `${i}/${count}`))
      }.`,
    );
  }
  const prompts = pass === "screen" ? facts.prompts.screened : facts.prompts.examined;
  const total = measured.empty();
  const unfinished: string[] = [];
  for (let index = 0; index < count; index++) {
    const { path } = byIndex.get(index)!;
    const state = await loadState(path, about, measured.empty());
    if (state === undefined || state === "damaged" || state === "other") {
      throw new Error(`${path} is damaged. Remove it, and run shard ${index}/${count} again.`);
    }
    const [first, end] = rangeOf(prompts, batch, { index, count });
    const { done, all } = completeSums(state.part, measured.empty(), end - first);
    if (done < all) unfinished.push(`${index}/${count} (${done} of ${all} runs)`);
    if (unfinished.length > 0) continue;
    for (const [key, entry] of total) add(entry, state.part.get(key)!);
  }
  if (unfinished.length > 0) {
    throw new Error(
      `${unfinished.length} of ${count} shards ${ofPass} are not complete: ${
        listed(unfinished)
      }. Run them again: ` +
        `they go on where they were.`,
    );
  }
  const path = join(outDir, stateFile(pass));
  const before = await new PassFile(path, about).load(measured, prompts, () => {}, "refuse");
  if (!before || !isComplete(measured, before, prompts)) await saveState(path, { about, part: total });
  measured.take(total);
  return byIndex.get(0)!.extras;
}

const previous = (pass: PassName) => inWords(PASSES[PASSES.indexOf(pass) - 1] ?? pass);

const listed = (names: readonly string[], most = 20) =>
  names.slice(0, most).join(", ") + (names.length > most ? ` and ${names.length - most} more` : "");

function nextInWords(measured: Passes, pass: PassName, { prompts }: ScanFacts): string {
  const { nodes } = measured.next!;
  const what = pass === "examination" ? "examine" : "follow";
  return `The ${previous(pass)} is merged: ${counted(nodes.length, "node")} to ${what} on ` +
    `${prompts.examined} prompts. Next: the same shards again, for the ${inWords(pass)}; then merge.`;
}

/** All of one model, one set of prompts and one choice of options. @throws naming the one that is not */
function checkAlike(files: readonly ShardFile[]): void {
  const [first] = files;
  const unlike = (file: ShardFile, what: string) =>
    new Error(`${file.path} is of ${what}, unlike ${first.path}: they are shards of different scans.`);
  for (const file of files) {
    const { pass: _, sums: __, prompts: ___, ...scan } = file.about;
    const what = differing({ ...first.about, ...scan }, first.about);
    if (what) throw unlike(file, what);
    if (file.batch !== first.batch) throw unlike(file, `batches of ${file.batch} prompts`);
    if (file.device !== first.device) throw unlike(file, `a run on ${file.device}`);
    if (file.count !== first.count) throw unlike(file, `${file.count} shards`);
    const [a, b] = [file.facts.settings, first.facts.settings];
    const setting = (Object.keys(b) as (keyof typeof b)[]).find((name) => a[name] !== b[name]);
    if (setting) throw unlike(file, `other options (${setting} ${a[setting]} and ${b[setting]})`);
    const same = files.find(({ about }) => about.pass === file.about.pass)!;
    const inPass = differing(file.about, same.about);
    if (inPass) {
      throw new Error(
        `${file.path} is of ${inPass}, unlike ${same.path}: they are shards of different scans.`,
      );
    }
  }
}

/** The shards' files in these folders, each once however its folder is named, in a fixed order. */
async function shardFiles(dirs: readonly string[]): Promise<ShardFile[]> {
  const found = new Map<string, ShardFile>();
  for (const dir of dirs) {
    const folder = join(dir, SHARDS);
    for (const name of (await namesIn(folder)).sort()) {
      const [, pass, index, count] = /^([a-z]+)-(\d+)-of-(\d+)\.safetensors$/.exec(name) ?? [];
      if (!PASSES.includes(pass as PassName)) continue;
      const path = join(folder, name);
      await ifThere(path); // a file, and no link to nowhere
      const real = await realpath(path);
      if (found.has(real)) continue;
      const said = await readAbout(path);
      if (said === undefined || said === "damaged" || !said.shard || said.about.pass !== pass) {
        throw new Error(
          `${path} is damaged, or no shard of this version. Remove it, and run shard ${index}/${count} again.`,
        );
      }
      checkShard(path, said.shard, { index: Number(index), count: Number(count) });
      found.set(real, { path, about: said.about, ...said.shard });
    }
  }
  const order = ({ about, index, path }: ShardFile) =>
    `${PASSES.indexOf(about.pass as PassName)} ${String(index).padStart(9, "0")} ${basename(path)}`;
  return [...found.values()].sort((a, b) => order(a) < order(b) ? -1 : 1);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw await cannotRead(folder, error);
  }
}
