/**
 * Where the Hub and its cache are: the environment variables that every Hugging Face tool reads.
 *
 * HF_ENDPOINT (default: the Hub's address), HF_TOKEN, HF_HUB_CACHE or HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME,
 * HF_HUB_OFFLINE. The cache is shared with Python's huggingface_hub: files that it fetched are found.
 */

export interface HubSettings {
  /** Address without a slash at its end. */
  endpoint: string;
  token?: string;
  /** The folder with `models--owner--name` folders in it. */
  cache: string;
  /** True: never use the network. */
  offline: boolean;
}

const defaultEndpoint = "https://huggingface.co";

/** The settings in an environment. @throws when a value cannot be used. */
export function hubSettings(
  get: (name: string) => string | undefined = (name) => Deno.env.get(name),
): HubSettings {
  const value = (name: string) => get(name)?.trim() || undefined;
  const endpoint = (value("HF_ENDPOINT") ?? defaultEndpoint).replace(/\/+$/, "");
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new Error(`HF_ENDPOINT is "${endpoint}"; an address that begins with https:// was expected.`);
  }
  const token = value("HF_TOKEN");
  if (token !== undefined && !token.startsWith("hf_")) {
    throw new Error(`HF_TOKEN does not look like an access token: these begin with "hf_".`);
  }
  return {
    endpoint,
    ...(token ? { token } : {}),
    cache: cacheFolder(value),
    offline: ["1", "true", "yes", "on"].includes(value("HF_HUB_OFFLINE")?.toLowerCase() ?? ""),
  };
}

function cacheFolder(value: (name: string) => string | undefined): string {
  const own = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE");
  if (own) return own;
  const home = value("HF_HOME");
  if (home) return `${home}/hub`;
  const user = value("XDG_CACHE_HOME") ?? `${value("HOME") ?? value("USERPROFILE") ?? noHome()}/.cache`;
  return `${user}/huggingface/hub`;
}

function noHome(): never {
  throw new Error("There is no home folder to keep downloads in. Set HF_HOME to a folder for them.");
}
