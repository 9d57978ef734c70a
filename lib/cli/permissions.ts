/**
 * What each task may do, from its arguments and the environment: which folders it reads and writes, which
 * hosts it asks. A task that is told to write elsewhere may write there, and nothing else more.
 *
 * Deno's own tasks cannot do this: a permission in deno.json is fixed, and a path with a comma in it would
 * become two.
 */
import { dirname, join, resolve } from "node:path";
import { HUB_VARIABLES } from "../checkpoints/hub/settings.ts";
import { TELEMETRY_OFF } from "../tensor/no_telemetry.ts";
import { STARTED_BY } from "./signals.ts";

/** Values of Deno's permissions; `true` where what is needed cannot be named. */
export interface Permissions {
  read: true | string[];
  write: string[];
  net: string[];
  env: readonly string[];
  sys: string[];
  run: string[];
  ffi: boolean;
}

/** What a task is started with. */
export interface Start {
  /** The project's folder. */
  root: string;
  /** Where the user stands: relative paths start here. */
  cwd: string;
  args: readonly string[];
  env: (name: string) => string | undefined;
  execPath: string;
}

/** Of the Hub: its own host, and those that it sends downloads on to. */
const HUB_HOSTS = ["huggingface.co", "*.hf.co"];
/** The value of an option, in `--name VALUE` or `--name=VALUE`. */
function option(args: readonly string[], name: string): string | undefined {
  const at = args.findLastIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at < 0) return undefined;
  return args[at].includes("=") ? args[at].slice(args[at].indexOf("=") + 1) : args[at + 1];
}

/** Options whose value is text, and no path. */
const TEXTS = ["--text", "--answers", "--nodes"];

/** Every argument that may be a path: what stands alone, and what an option is given. */
function mayBePaths(args: readonly string[], cwd: string): string[] {
  const isText = (arg: string, i: number) => TEXTS.includes(args[i - 1]) || TEXTS.includes(arg.split("=")[0]);
  const values = args.filter((arg, i) => !isText(arg, i)).map((arg) =>
    arg.startsWith("--") ? arg.slice(arg.indexOf("=") + 1 || arg.length) : arg
  );
  return values.filter((value) => value !== "").map((value) => resolve(cwd, value));
}

/** Hugging Face's folder, and those that variables name apart from it. */
function hubFolders(env: Start["env"]): { write: string[]; read: string[] } {
  const value = (name: string) => env(name)?.trim() || undefined;
  const user = value("HOME") ?? value("USERPROFILE");
  const caches = value("XDG_CACHE_HOME") ?? (user && join(user, ".cache"));
  const home = value("HF_HOME") ?? (caches && join(caches, "huggingface"));
  const cache = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE");
  const token = value("HF_TOKEN_PATH");
  // Prompts that were made from data sets lie in assets/ beside the cache.
  const write = [home, cache, cache && join(dirname(cache), "assets")].filter((path) => path !== undefined);
  return { write: write as string[], read: [...write as string[], ...(token ? [token] : [])] };
}

function hubHosts(env: Start["env"]): string[] {
  const endpoint = env("HF_ENDPOINT")?.trim();
  return endpoint && URL.canParse(endpoint) ? [new URL(endpoint).host, ...HUB_HOSTS] : HUB_HOSTS;
}

/** Where npm packages lie, of which some read files beside their code. */
function packages({ env }: Start): string[] {
  const user = env("HOME") ?? env("USERPROFILE") ?? "";
  const dir = env("DENO_DIR");
  return dir ? [dir] : [
    join(user, ".cache/deno"),
    join(user, "Library/Caches/deno"),
    join(env("LOCALAPPDATA") ?? user, "deno"),
  ];
}

const none: Permissions = { read: [], write: [], net: [], env: [], sys: [], run: [], ffi: false };

/**
 * What the runtime asks of the system, and resvg, which draws PNGs, when it looks which of its binaries to
 * load.
 */
const MODEL_SYS = ["systemMemoryInfo", "cpus"], PICTURE_SYS = ["networkInterfaces", "hostname", "osUptime"];

/** What `task figures --in-place` writes anew. */
const RENEWED = ["notebooks", "data/expected/rows", "data/pictures"];

/** Names of the tasks that are started with permissions of their own, with what they may do. */
export const TASKS: Record<string, (start: Start) => Permissions> = {
  figures({ root, cwd, args, execPath }) {
    const write = [resolve(cwd, option(args, "out") ?? join(root, "out"))];
    if (args.includes("--in-place")) write.push(...RENEWED.map((folder) => join(root, folder)));
    return { ...none, read: [root, ...write], write, net: ["127.0.0.1"], env: [STARTED_BY], run: [execPath] };
  },
  scan: (start) => start.args[0] === "merge" ? merge(start) : model(start),
  census: model,
  attribution: (start) => ({ ...model(start), sys: [...MODEL_SYS, ...PICTURE_SYS] }),
  verify: model,
};

/** A task that runs a model. */
function model(start: Start): Permissions {
  const { root, cwd, args, env } = start;
  const hub = hubFolders(env);
  const write = [resolve(cwd, option(args, "out") ?? join(root, "out")), ...hub.write];
  return {
    ...none,
    read: [root, ...mayBePaths(args, cwd), ...write, ...hub.read, ...packages(start)],
    write,
    net: hubHosts(env),
    env: [...HUB_VARIABLES, STARTED_BY, TELEMETRY_OFF],
    sys: MODEL_SYS,
    ffi: true,
  };
}

/** `scan merge DIR…` adds up files: no model, no network. It writes to --out, or the first folder. */
function merge(start: Start): Permissions {
  const { cwd, args } = start;
  const write = [
    resolve(cwd, option(args, "out") ?? args.slice(1).find((arg) => !arg.startsWith("-")) ?? "out"),
  ];
  return { ...model(start), write, net: [] };
}

const LISTS = ["read", "write", "net", "env", "sys", "run"] as const;

/** The flags of `deno run`; undefined where a value has a comma, at which Deno would split it. */
export function flagsOf(permissions: Permissions): string[] | undefined {
  const flags = permissions.ffi ? ["--allow-ffi"] : [];
  for (const name of LISTS) {
    const values = permissions[name];
    if (values === true) flags.push(`--allow-${name}`);
    else if (values.some((value) => value.includes(","))) return undefined;
    else if (values.length) flags.push(`--allow-${name}=${[...new Set(values)].join(",")}`);
  }
  return flags;
}
