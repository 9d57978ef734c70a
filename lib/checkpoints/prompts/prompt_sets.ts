/**
 * The post's prompts: 240 rows of C4 and 60 of code, already tokenized, from two data sets on the Hub.
 *
 * The data sets are parquet files of gigabytes. Of these only footers and a few row groups are read, by
 * ranges: for each source `rowGroups` of them, chosen by the seed over all files, and in each an equal share
 * of the rows. (Rows that lie scattered over the whole set would need one row group each, two megabytes for
 * four kilobytes. The sets were shuffled when they were made, so neighbours are no more alike than others.)
 * The rows are kept in the cache, so that a second run needs no connection.
 *
 * Not the post's own rows: which ones it drew is not recorded. Medians over 300 × 1024 positions agree all
 * the same.
 */
import { mkdir } from "node:fs/promises";
import { fileSize } from "../hub/cache.ts";
import { HubClient, type HubClientOptions, type Repo } from "../hub/client.ts";
import { HubUnreachable } from "../hub/errors.ts";
import type { OnDownload } from "../hub/download.ts";
import { type HubSettings, hubSettings } from "../hub/settings.ts";
import { ParquetRows } from "./parquet_rows.ts";
import {
  checkPrompts,
  type PromptKind,
  type PromptOptions,
  type Prompts,
  readPrompts,
  shorten,
} from "./prompts.ts";
import { SafetensorsFile } from "../safetensors.ts";
import { writeSafetensors } from "../safetensors_write.ts";

/** How many rows of which data set. */
export interface DatasetShare {
  /** Data set on the Hub, "owner/name", with parquet files and a column `tokens` of lists of token ids. */
  repo: string;
  kind: PromptKind;
  /** Rows to take. */
  count: number;
  /** Row groups to take them from. */
  rowGroups: number;
}

export interface PromptSet {
  name: string;
  /** Tokens in a row; rows of another length are refused. */
  length: number;
  sources: DatasetShare[];
}

/** The post's 300 prompts, 240 of prose first. */
export const c4AndCode: PromptSet = {
  name: "c4-code",
  length: 1024,
  sources: [
    { repo: "NeelNanda/c4-tokenized-2b", kind: "prose", count: 240, rowGroups: 4 },
    { repo: "NeelNanda/code-tokenized", kind: "code", count: 60, rowGroups: 2 },
  ],
};

/** Which prompts, and from where. */
export interface FetchPromptsOptions extends PromptOptions, HubClientOptions {
  /** Chooses the rows. Default 0. */
  seed?: number;
  /** Default: from the environment. */
  settings?: HubSettings;
  /** Told how far a download is. */
  onProgress?: OnDownload;
}

/**
 * A built-in set ("held-out"), a safetensors file, or "c4-code", which is fetched when it is not in the
 * cache.
 *
 * @example
 * ```ts
 * const prompts = await loadPrompts("held-out", { count: 4 }); // or "texts.safetensors"
 * console.log(prompts.count, prompts.length, prompts.source);
 * ```
 */
export async function loadPrompts(nameOrFile: string, options: FetchPromptsOptions = {}): Promise<Prompts> {
  if (nameOrFile === c4AndCode.name) return await fetchPrompts(c4AndCode, options);
  return await readPrompts(nameOrFile, options);
}

/**
 * The rows of a set, from the cache or the Hub. Equal seeds give equal rows as long as the data sets do not
 * change.
 */
export async function fetchPrompts(set: PromptSet, options: FetchPromptsOptions = {}): Promise<Prompts> {
  const settings = options.settings ?? hubSettings();
  const seed = options.seed ?? 0;
  const path = cachePath(set, seed, settings);
  if (await fileSize(path) === undefined) {
    if (settings.offline) throw new Error(whatToDo(set, path, settings, "HF_HUB_OFFLINE is set."));
    try {
      await fetchAndKeep(set, seed, new HubClient(settings, options), path, options.onProgress);
    } catch (error) {
      if (!(error instanceof HubUnreachable)) throw error;
      throw new Error(whatToDo(set, path, settings, error.message), { cause: error });
    }
  }
  const file = await SafetensorsFile.open(path);
  const { source } = file.metadata;
  file.close();
  const all = await readPrompts(path);
  const kinds = set.sources.flatMap(({ kind, count }) => new Array<PromptKind>(count).fill(kind));
  const { count, length, config } = options;
  return checkPrompts(shorten({ ...all, kinds, source: source ?? path }, { count, length }), config);
}

/** In Hugging Face's folder for files that programs make themselves, beside the hub's own. */
function cachePath({ name, length, sources }: PromptSet, seed: number, { cache }: HubSettings): string {
  const what = sources.map((s) => `${s.repo.replace("/", "--")}-${s.count}of${s.rowGroups}`).join("+");
  const assets = `${cache.replace(/[\\/][^\\/]*$/, "")}/assets/cleanup-lens/prompts`;
  return `${assets}/${name}-${what}-${length}-seed${seed}.safetensors`;
}

async function fetchAndKeep(
  set: PromptSet,
  seed: number,
  client: HubClient,
  path: string,
  onProgress?: OnDownload,
): Promise<void> {
  const rows: Int32Array[] = [];
  const described: string[] = [];
  for (const source of set.sources) {
    const repo: Repo = { type: "dataset", name: source.repo };
    const commit = await client.commit(repo, "main");
    const { count, rowGroups } = source;
    const reader = new ParquetRows(client, repo, commit, onProgress);
    rows.push(...await reader.choose({ count, rowGroups, length: set.length, seed }));
    described.push(`${source.count} rows of ${source.repo} @ ${commit}`);
  }
  const starts = new Set(rows.map((row) => row[0]));
  if (starts.size > 1) {
    throw new Error(
      `The rows of ${set.name} do not begin with one and the same token (BOS), but with ${
        [...starts].slice(0, 5)
      }.`,
    );
  }
  const tokens = new Int32Array(rows.length * set.length);
  rows.forEach((row, i) => tokens.set(row, i * set.length));
  await mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  const metadata = { source: `${described.join(" and ")}, seed ${seed}` };
  await writeSafetensors(
    path,
    { tokens: { dtype: "I32", dims: [rows.length, set.length], data: tokens } },
    metadata,
  );
}

function whatToDo(set: PromptSet, path: string, { endpoint }: HubSettings, because: string): string {
  const repos = set.sources.map(({ repo }) => `${endpoint}/datasets/${repo}`).join(" and ");
  return [
    `The prompts "${set.name}" are not on this machine: ${because}`,
    `With a connection, run this again: some megabytes of ${repos} are read, and the rows are kept.`,
    "Without one, copy this file from a machine that has it, to the same place:",
    `  ${path}`,
    'or give a safetensors file of your own with "tokens" [count, length].',
  ].join("\n");
}
