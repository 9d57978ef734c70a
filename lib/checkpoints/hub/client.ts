/**
 * Questions to the Hub: which commit a revision is, which files it has, and their bytes. Lists through
 * @huggingface/hub; every request passes the gateway below, which adds time limits and repeats, and says in
 * words what a refusal means.
 */
import { isNotCapable } from "../../platform/errors.ts";
import { quoted, saidBy, shown } from "../quoted.ts";
import { wholeBody } from "./body.ts";
import { HubRefusal, HubUnreachable } from "./errors.ts";
import type { HubSettings } from "./settings.ts";

export type RepoType = "model" | "dataset";

export interface Repo {
  type: RepoType;
  /** "owner/name". */
  name: string;
}

/**
 * A file of a repository. `hash` is the SHA-256 of a large file (LFS), the git blob's SHA-1 of a small one.
 */
export interface HubFile {
  path: string;
  size: number;
  hash: string;
}

/** How the Hub is asked. */
export interface HubClientOptions {
  /** Longest wait for the beginning of an answer, and for the next piece of a download. */
  timeoutMs?: number;
  /** First pause before a request is repeated; doubled each time. */
  pauseMs?: number;
  /** Ends requests and downloads. */
  signal?: AbortSignal;
}

/** Answers after which the same request may succeed. */
const passing = [408, 429, 500, 502, 503, 504];
const attempts = 5;
/** Bytes of a listing's page, and files of a repository, that are more than any has. */
const mostAnswerBytes = 1 << 25;
const mostFiles = 200_000;

export class HubClient {
  readonly timeoutMs: number;
  readonly pauseMs: number;
  readonly signal?: AbortSignal;

  constructor(readonly settings: HubSettings, options: HubClientOptions = {}) {
    this.timeoutMs = options.timeoutMs ?? 30_000;
    this.pauseMs = options.pauseMs ?? 500;
    this.signal = options.signal;
  }

  /** The commit (40 hexadecimal digits) that `revision` names now. */
  async commit(repo: Repo, revision: string): Promise<string> {
    const hub = await import("@huggingface/hub"); // loaded only when a model is not embedded: it takes 0.2 s
    const params = { ...this.#params(repo), name: repo.name, revision };
    const { sha } = await this.#understood(() =>
      repo.type === "model"
        ? hub.modelInfo({ ...params, additionalFields: ["sha"] })
        : hub.datasetInfo({ ...params, additionalFields: ["sha"] })
    );
    if (!isCommit(sha)) {
      throw new Error(
        `${this.settings.endpoint} names ${quoted(sha)} as the commit of ${repo.name}@${revision}.`,
      );
    }
    return sha;
  }

  /** The files of a commit, at its top or (recursive) everywhere. */
  async files(repo: Repo, commit: string, { recursive = false } = {}): Promise<HubFile[]> {
    const hub = await import("@huggingface/hub");
    const listed = hub.listFiles({ ...this.#params(repo), revision: commit, recursive });
    return await this.#understood(async () => {
      const files: HubFile[] = [];
      let count = 0;
      for await (const entry of listed) {
        if (++count > mostFiles) throw new Error(`it lists more than ${mostFiles} files`);
        if (entry.type !== "file") continue;
        const file = {
          path: entry.path,
          size: entry.lfs?.size ?? entry.size,
          hash: entry.lfs?.oid ?? entry.oid ?? "",
        };
        files.push(checkFile(file, this.settings.endpoint));
      }
      return files;
    });
  }

  fileUrl(repo: Repo, commit: string, path: string): string {
    const folder = repo.type === "dataset" ? "datasets/" : "";
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return `${this.settings.endpoint}/${folder}${repo.name}/resolve/${commit}/${encoded}`;
  }

  /**
   * One request; redirects are followed, and the token is not sent to another host. Passing failures are
   * repeated.
   *
   * @throws HubUnreachable or HubRefusal.
   */
  async request(url: string, init: RequestInit = {}): Promise<Response> {
    for (let attempt = 1;; attempt++) {
      const response = await this.#fetchOnce(url, init);
      if (response.ok) return response;
      const text = await this.#beginning(response);
      if (passing.includes(response.status) && attempt < attempts) {
        const asked = Number(response.headers.get("Retry-After")) * 1000;
        await this.pause(attempt, Number.isFinite(asked) ? Math.min(asked, 30_000) : 0);
        continue;
      }
      throw refusal(url, response, text, this.settings);
    }
  }

  /** The beginning of a refusal's text. */
  async #beginning(response: Response): Promise<string> {
    const reader = response.body?.getReader();
    const late = setTimeout(() => reader?.cancel().catch(() => {}), Math.min(this.timeoutMs, 5000));
    const { value } = await reader?.read().catch(() => undefined) ?? {};
    clearTimeout(late);
    await reader?.cancel().catch(() => {});
    return new TextDecoder().decode(value?.subarray(0, 4096));
  }

  /** Waits before attempt number `attempt` + 1; ends at once when the caller cancels. */
  async pause(attempt: number, leastMs = 0): Promise<void> {
    const ms = Math.max(leastMs, this.pauseMs * 2 ** (attempt - 1));
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.signal?.addEventListener("abort", done, { once: true });
    });
    this.signal?.throwIfAborted();
  }

  #params(repo: Repo) {
    const { endpoint, token } = this.settings;
    const request = async (url: string | URL | Request, init?: RequestInit) => {
      const stalled = new AbortController();
      const response = await this.request(url instanceof Request ? url.url : String(url), {
        ...init,
        signal: stalled.signal,
      });
      const { status, headers } = response;
      return new Response(await wholeBody(response, this, stalled, mostAnswerBytes), { status, headers });
    };
    return {
      repo,
      hubUrl: endpoint,
      fetch: request as typeof fetch,
      ...(token ? { accessToken: token } : {}),
    };
  }

  /** What the Hub says, through code that believes it. What is not the Hub's answer counts as none. */
  async #understood<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      this.signal?.throwIfAborted();
      if (error instanceof HubUnreachable || error instanceof HubRefusal || error instanceof HubListing) {
        throw error;
      }
      throw new HubUnreachable(
        `${this.settings.endpoint} did not answer as the Hub does (${
          saidBy(error, 80).replace(/\.$/, "")
        }). ` +
          `Does a proxy answer in its place?`,
        { cause: error },
      );
    }
  }

  async #fetchOnce(url: string, init: RequestInit): Promise<Response> {
    const { endpoint, token } = this.settings;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`no answer in ${this.timeoutMs / 1000} s`)),
      this.timeoutMs,
    );
    const headers = new Headers(init.headers);
    // A listing may go on at another host, which gets no token.
    if (token && url.startsWith(`${endpoint}/`)) headers.set("Authorization", `Bearer ${token}`);
    else headers.delete("Authorization");
    const signals = [late.signal, this.signal, init.signal].filter((signal) => signal != null);
    try {
      return await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    } catch (error) {
      this.signal?.throwIfAborted();
      init.signal?.throwIfAborted();
      if (isNotCapable(error)) {
        const host = new URL(url).host;
        throw new HubUnreachable(`Deno was started without the permission to reach ${host} (--allow-net).`, {
          cause: error,
        });
      }
      const cause = error as Error & { cause?: Error };
      const why = cause.cause?.message ?? cause.message;
      const hint = /UnknownIssuer|invalid peer certificate/.test(why) ? CERTIFICATES : "";
      throw new HubUnreachable(`${endpoint} cannot be reached (${shown(why, 200)}).${hint}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

const CERTIFICATES =
  " Its certificate is not by an authority that Deno knows. In a network with an authority of its own, name " +
  "the file with that certificate in DENO_CERT (or SSL_CERT_FILE), or set DENO_TLS_CA_STORE=system.";

/** The Hub's listing is one, but cannot be followed. */
class HubListing extends Error {}

function refusal(
  url: string,
  response: Response,
  text: string,
  { endpoint, token }: HubSettings,
): HubRefusal {
  const code = response.headers.get("X-Error-Code") ?? "";
  const said = shown(
    (response.headers.get("X-Error-Message") ?? text.slice(0, 200)).replace(/\s+/g, " ").trim(),
    200,
  );
  const path = shown(decoded(url.replace(endpoint, "").replace(/\?.*/, "").slice(0, 400)), 300);
  const repo = path.replace(/^\/(api\/(models\/)?)?/, "").split("/").slice(0, 2).join("/");
  const because = (what: string) =>
    new HubRefusal(
      `${endpoint} refused ${path} (${response.status}${said && `: ${said}`}). ${what}`,
      response.status,
    );
  if (response.status === 403 || code === "GatedRepo") {
    return because(
      `Accept the conditions of ${repo} on its page, and set HF_TOKEN to a token that may read it.`,
    );
  }
  if (response.status === 401 || code === "RepoNotFound") {
    return because(
      token
        ? `There is no ${repo}, or the token in HF_TOKEN may not read it.`
        : `There is no ${repo}, or it is private: then set HF_TOKEN.`,
    );
  }
  if (code === "RevisionNotFound") return because(`${repo} has no such revision.`);
  if (response.status === 404) return because("There is no such model, revision or file.");
  return because(passing.includes(response.status) ? "Try again later." : "");
}

/** A path as people write it; as it stands where it is none. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function checkFile(file: HubFile, endpoint: string): HubFile {
  const { path, size, hash } = file;
  // The path becomes one on this machine, the hash a file name.
  const safe = typeof path === "string" && path !== "" && path.isWellFormed() && !/[\\\0]/.test(path) &&
    path.split("/").every((part) => !["", ".", ".."].includes(part));
  if (!safe || !Number.isSafeInteger(size) || size < 0 || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) {
    throw new HubListing(`${endpoint} lists a file that cannot be: ${quoted(file, 200)}.`);
  }
  return file;
}

export function isCommit(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{40}$/.test(text);
}
