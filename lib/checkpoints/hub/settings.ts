/**
 * Where the Hub and its cache are: the environment variables that every Hugging Face tool reads.
 *
 * HF_ENDPOINT (default: the Hub's address), HF_TOKEN, HF_HUB_CACHE or HUGGINGFACE_HUB_CACHE, HF_HOME,
 * XDG_CACHE_HOME, HF_HUB_OFFLINE, and for the token that `hf auth login` keeps HF_TOKEN_PATH and
 * HF_HUB_DISABLE_IMPLICIT_TOKEN. The cache is shared with Python's huggingface_hub: files that it fetched are
 * found.
 */
import { readFileSync } from "node:fs";
import { environment } from "../../platform/environment.ts";

/** Where the Hub and its cache are. */
export interface HubSettings {
  /** Address without a slash at its end. */
  endpoint: string;
  /** Of access, for models that need one. */
  token?: string;
  /** The folder with `models--owner--name` folders in it. */
  cache: string;
  /** True: never use the network. */
  offline: boolean;
}

const defaultEndpoint = "https://huggingface.co";

/** Names of the environment variables that are read. */
export const HUB_VARIABLES: readonly string[] = [
  "HF_ENDPOINT",
  "HF_TOKEN",
  "HF_TOKEN_PATH",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "HF_HOME",
  "XDG_CACHE_HOME",
  "HOME",
  "USERPROFILE",
  "HF_HUB_OFFLINE",
  "HF_HUB_DISABLE_IMPLICIT_TOKEN",
];

/**
 * The settings in an environment. The token of `hf auth login` is sent to the Hub alone; one in HF_TOKEN to
 * HF_ENDPOINT.
 *
 * @throws when a value cannot be used.
 */
export function hubSettings(
  get: (name: string) => string | undefined = environment,
  readText: (path: string) => string | undefined = readIfThere,
): HubSettings {
  const value = (name: string) => get(name)?.trim() || undefined;
  const endpoint = (value("HF_ENDPOINT") ?? defaultEndpoint).replace(/\/+$/, "");
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new Error(`HF_ENDPOINT is "${endpoint}"; an address that begins with https:// was expected.`);
  }
  const { username, password } = new URL(endpoint);
  if (username !== "" || password !== "") {
    throw new Error(
      "HF_ENDPOINT holds a user's name or password, which no request can have in its address. Leave them out; what a " +
        "mirror asks for is sent from HF_TOKEN.",
    );
  }
  const stated = value("HF_TOKEN");
  if (stated !== undefined && !isToken(stated)) {
    throw new Error(`HF_TOKEN does not look like an access token: these begin with "hf_".`);
  }
  const isSet = (name: string) => ["1", "true", "yes", "on"].includes(value(name)?.toLowerCase() ?? "");
  const mayUse = endpoint === defaultEndpoint && !isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  const home = homeFolder(value);
  const keptAt = value("HF_TOKEN_PATH") ?? (home === undefined ? undefined : `${home}/token`);
  const kept = stated === undefined && mayUse && keptAt !== undefined ? readText(keptAt)?.trim() : undefined;
  const token = stated ?? (kept !== undefined && isToken(kept) ? kept : undefined);
  return {
    endpoint,
    ...(token ? { token } : {}),
    cache: cacheFolder(value),
    offline: isSet("HF_HUB_OFFLINE"),
  };
}

const isToken = (text: string) => /^hf_[\w-]+$/.test(text);

function cacheFolder(value: (name: string) => string | undefined): string {
  return value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") ?? `${homeFolder(value) ?? noHome()}/hub`;
}

/** Hugging Face's own folder. */
function homeFolder(value: (name: string) => string | undefined): string | undefined {
  const stated = value("HF_HOME");
  if (stated !== undefined) return stated;
  const user = value("HOME") ?? value("USERPROFILE");
  const caches = value("XDG_CACHE_HOME") ?? (user === undefined ? undefined : `${user}/.cache`);
  return caches === undefined ? undefined : `${caches}/huggingface`;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // none, or not permitted: then without
  }
}

function noHome(): never {
  throw new Error("There is no home folder to keep downloads in. Set HF_HOME to a folder for them.");
}
