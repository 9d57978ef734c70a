/**
 * A model's name → the files on this machine: the embedded model, the post's model, any repository of the
 * Hub, or a folder.
 */
import { readlink, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { chooseWeightFile } from "./checkpoint.ts";
import { dataFolder, dataPath } from "./data_folder.ts";
import { ifThere } from "./file_faults.ts";
import { fileSize } from "./hub/cache.ts";
import { HubClient, type HubClientOptions, type HubFile, type Repo } from "./hub/client.ts";
import { HubRefusal } from "./hub/errors.ts";
import type { OnDownload } from "./hub/download.ts";
import { fetchFiles, NotAvailable, type Wanted } from "./hub/files.ts";
import { type HubSettings, hubSettings } from "./hub/settings.ts";
import { readJsonObject } from "./json_file.ts";
import { type ModelFolder, type ModelFolderOptions, openModelFolder } from "./model_folder.ts";
import { didYouMean } from "./nearest.ts";
import { quoted, shown } from "./quoted.ts";

export interface ResolvedModel {
  /** The name as it was given. */
  name: string;
  /** Holds config.json and the weights, or a GGUF file with both. */
  folder: string;
  ggufFile?: string;
  tokenizerFile?: string;
  cleanupFile?: string;
  /** For the reader of a result: a folder, or repository and commit. */
  source: string;
}

/** From where a model is fetched. */
export interface ResolveOptions extends HubClientOptions {
  /** Default: from the environment, read only when the Hub is needed. */
  settings?: HubSettings;
  /** Told how far a download is. */
  onProgress?: OnDownload;
}

/**
 * Names that stand for more than themselves. The folder in `data/models` holds what the repository does not.
 */
const known: Record<string, { repo?: string; tokenizer?: string }> = {
  "tiny-gelu-4l": {},
  "gelu-4l": { repo: "NeelNanda/GELU_4L512W_C4_Code", tokenizer: "NeelNanda/gpt-neox-tokenizer-digits" },
};

/** Names that {@linkcode resolveModel} knows by heart. */
export const knownModels: readonly string[] = Object.keys(known);

const repoPattern = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@(\w[\w./-]*))?$/;

/**
 * Finds a model, downloading it when it is not on this machine.
 *
 * `name`: "tiny-gelu-4l", "gelu-4l", "owner/name", "owner/name@revision", a folder with config.json and
 * weights, or a GGUF file.
 * @throws when there is no such model, and when it would have to be downloaded and cannot be: then with what
 * to do.
 */
export async function resolveModel(name: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const alias = Object.hasOwn(known, name) ? known[name] : undefined;
  if (alias) {
    const folder = await dataFolder(`models/${name}`);
    if (await fileSize(`${folder}/config.json`) !== undefined) return { name, folder, source: name };
    const cleanupFile = `${folder}/cleanup.json`;
    return { ...await fromHub(name, alias.repo!, "main", options, alias.tokenizer), cleanupFile };
  }
  if (await isFolder(name)) {
    const folder = name.replace(/(?<=.)\/+$/, "");
    return { name, folder, source: folder };
  }
  const [, repo, revision] = repoPattern.exec(name) ?? [];
  if (await isAnything(name) && await ifThere(name) !== undefined) {
    if (/\.gguf$/i.test(name)) return { name, folder: dirname(name), ggufFile: name, source: name };
    throw new Error(
      `${
        shown(name)
      } is a file. A model is a folder that holds the weights, a config.json that says how they are meant, and for ` +
        `texts a tokenizer.json: give the path of that folder. (A .gguf file holds all of this.)`,
    );
  }
  if (repo === undefined || /\.\.|\/$/.test(name)) {
    const looked = /[/\\]/.test(name) ? ` (looked for the folder ${shown(resolve(name), 200)})` : "";
    throw new Error(
      `There is no model ${quoted(name)}${looked}.${didYouMean(name.slice(0, 100), knownModels)} Give ${
        knownModels.map((n) => `"${n}"`).join(", ")
      }, ` +
        `a folder with config.json and weights, a .gguf file, or a Hugging Face name such as "owner/name" or "owner/name@revision".`,
    );
  }
  return await fromHub(name, repo, revision ?? "main", options);
}

/**
 * {@linkcode resolveModel}, then everything in its folder opened and checked. The caller closes `checkpoint`.
 */
export async function openModel(
  name: string,
  options: ResolveOptions & Pick<ModelFolderOptions, "layout"> = {},
): Promise<ModelFolder & { name: string; source: string }> {
  const { folder, source, ...files } = await resolveModel(name, options);
  const { layout } = options;
  return { ...await openModelFolder(folder, { ...files, ...(layout ? { layout } : {}) }), name, source };
}

async function fromHub(
  name: string,
  repoName: string,
  revision: string,
  options: ResolveOptions,
  tokenizerRepo?: string,
): Promise<ResolvedModel> {
  const settings = options.settings ?? hubSettings();
  const client = new HubClient(settings, options);
  const repo: Repo = { type: "model", name: repoName };
  try {
    const { folder, commit } = await fetchFiles(
      client,
      repo,
      revision,
      modelFiles(repoName),
      options.onProgress,
    );
    const source = `${repoName} @ ${commit}`;
    if (await fileSize(`${folder}/tokenizer.json`) !== undefined) return { name, folder, source };
    const tokenizer = tokenizerRepo ?? (await readJsonObject(`${folder}/config.json`)).tokenizer_name;
    if (typeof tokenizer !== "string" || !repoPattern.test(tokenizer)) return { name, folder, source };
    tokenizerRepo = tokenizer;
    const tokenizerFile = await fetchTokenizer(client, tokenizer, options.onProgress);
    return { name, folder, source, ...(tokenizerFile ? { tokenizerFile } : {}) };
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error;
    throw new Error(whatToDo(name, repoName, revision, tokenizerRepo, settings, error.message), {
      cause: error,
    });
  }
}

function modelFiles(repo: string): Wanted {
  return {
    isComplete(names) {
      const weights = names.some((name) => isWeightFile(name) && !name.endsWith(".index.json"));
      return names.includes("config.json") && weights && missingShards(names).length === 0;
    },
    mayLack: (names) => !names.includes("tokenizer.json"), // Python fetches it apart from the model
    used: (names) => [...usedFiles(names.filter((name) => isNeeded(name)), repo)],
    choose(files) {
      const names = files.map((file) => file.path);
      if (!names.includes("config.json")) throw new Error(`${repo} has no config.json at its top.`);
      return inOrder(files, [...usedFiles(names, repo)]);
    },
  };
}

const isNeeded = (name: string) =>
  isWeightFile(name) || name === "config.json" || besideTheWeights.includes(name);

/** Those of `files` that are named, in the order of the names. */
function inOrder(files: HubFile[], names: string[]): HubFile[] {
  return names.flatMap((name) => files.filter((file) => file.path === name));
}

/** What stands beside the weights, config.json, and the weights with all their parts. */
function usedFiles(names: string[], repo: string): Set<string> {
  const weights = chooseWeightFile(names, repo);
  const [, ending] = /\.(\w+)\.index\.json$/.exec(weights) ?? [];
  const shards = names.filter((name) => ending !== undefined && shard.exec(name)?.[4] === ending);
  chooseAllShards(shards, repo);
  const there = new Set(names);
  return new Set([...besideTheWeights, "config.json", ...shards, weights].filter((name) => there.has(name)));
}

/** Fetched where a repository has them. */
const besideTheWeights = ["tokenizer.json", "tokenizer_config.json", "cleanup.json"];

const shard = /^(.*)-(\d{5})-of-(\d{5})\.(safetensors|bin)$/;

function isWeightFile(name: string): boolean {
  return /\.(safetensors|pth|pt|bin)(\.index\.json)?$/.test(name);
}

/**
 * Names of the parts "x-00002-of-00003.safetensors" that must be there, since another part of the same set
 * is, and are not.
 */
function missingShards(names: string[]): string[] {
  const there = new Set(names);
  const missing: string[] = [];
  for (
    const set of new Set(
      names.map((name) => name.replace(shard, "$1/$3.$4")).filter((set) => set.includes("/")),
    )
  ) {
    const [, stem, total, ending] = /^(.*)\/(\d{5})\.(\w+)$/.exec(set) ?? [];
    for (let part = 1; part <= Number(total ?? 0); part++) {
      const name = `${stem}-${String(part).padStart(5, "0")}-of-${total}.${ending}`;
      if (!there.has(name)) missing.push(name);
    }
  }
  return missing;
}

function chooseAllShards(names: string[], repo: string): void {
  const [missing] = missingShards(names);
  if (missing !== undefined) throw new Error(`${repo} lacks ${missing}, a part of its weights.`);
}

/** The path of a repository's tokenizer.json; undefined when it has none. */
async function fetchTokenizer(
  client: HubClient,
  repoName: string,
  onProgress?: OnDownload,
): Promise<string | undefined> {
  const names = ["tokenizer_config.json", "tokenizer.json"];
  const wanted: Wanted = {
    isComplete: (there) => there.includes("tokenizer.json"),
    used: (there) => there.filter((name) => names.includes(name)),
    choose: (files: HubFile[]) => inOrder(files, names),
  };
  try {
    const { folder } = await fetchFiles(
      client,
      { type: "model", name: repoName },
      "main",
      wanted,
      onProgress,
    );
    const path = `${folder}/tokenizer.json`;
    return await fileSize(path) === undefined ? undefined : path;
  } catch (error) {
    // a model can be used without one
    if (error instanceof HubRefusal && error.status < 500) return undefined;
    throw error;
  }
}

function whatToDo(
  name: string,
  repo: string,
  revision: string,
  tokenizer: string | undefined,
  { endpoint, cache }: HubSettings,
  because: string,
): string {
  const folder = Object.hasOwn(known, name) ? dataPath(`models/${name}`) : undefined;
  const place = folder
    ? `the folder ${folder}`
    : "one folder, and give the path of that folder in place of the model's name";
  return [
    `The model "${name}" is not on this machine: ${because}`,
    `With a connection, run this again: it is fetched once and kept in ${cache}.`,
    "Without one, fetch these files on another machine:",
    `  ${endpoint}/${repo}/resolve/${revision}/config.json`,
    `  the weights from ${endpoint}/${repo}/tree/${revision} (model.safetensors, or the file whose name ends in final.pth)`,
    `  ${endpoint}/${tokenizer ?? repo}/resolve/main/tokenizer.json`,
    `and put them into ${place}. Or copy the folder models--${repo.replace("/", "--")}` +
    `${
      tokenizer ? ` and models--${tokenizer.replace("/", "--")}` : ""
    } of another machine's Hugging Face cache to ${cache}.`,
  ].join("\n");
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a file, a pipe or a link has this name: a name that no file can have may be one of the Hub. */
async function isAnything(path: string): Promise<boolean> {
  const is = (found: Promise<unknown>) => found.then(() => true, () => false);
  return await is(stat(path)) || await is(readlink(path));
}
