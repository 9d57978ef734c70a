/**
 * Questions to the Hub: which commit a revision is, which files it has, and their bytes. Lists through @huggingface/hub; every
 * request passes the gateway below, which adds time limits and repeats, and says in words what a refusal means.
 */
import type { HubSettings } from "./settings.ts";

export type RepoType = "model" | "dataset";

export interface Repo {
  type: RepoType;
  /** "owner/name". */
  name: string;
}

/** A file of a repository. `hash` is the SHA-256 of a large file (LFS), the git blob's SHA-1 of a small one. */
export interface HubFile {
  path: string;
  size: number;
  hash: string;
}

/** The Hub could not be reached at all: no connection, no such host, no answer in time. */
export class HubUnreachable extends Error {}

/** The Hub answered, but not with what was asked for. */
export class HubRefusal extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}

export interface HubClientOptions {
  /** Longest wait for the beginning of an answer, and for the next piece of a download. */
  timeoutMs?: number;
  /** First pause before a request is repeated; doubled each time. */
  pauseMs?: number;
  signal?: AbortSignal;
}

/** Answers after which the same request may succeed. */
const passing = [408, 429, 500, 502, 503, 504];
const attempts = 5;

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
    const { sha } = repo.type === "model"
      ? await hub.modelInfo({ ...params, additionalFields: ["sha"] })
      : await hub.datasetInfo({ ...params, additionalFields: ["sha"] });
    if (!isCommit(sha)) {
      throw new Error(`${this.settings.endpoint} names ${sha} as the commit of ${repo.name}@${revision}.`);
    }
    return sha;
  }

  /** The files of a commit, at its top or (recursive) everywhere. */
  async files(repo: Repo, commit: string, { recursive = false } = {}): Promise<HubFile[]> {
    const hub = await import("@huggingface/hub");
    const files: HubFile[] = [];
    for await (const entry of hub.listFiles({ ...this.#params(repo), revision: commit, recursive })) {
      if (entry.type !== "file") continue;
      const file = {
        path: entry.path,
        size: entry.lfs?.size ?? entry.size,
        hash: entry.lfs?.oid ?? entry.oid ?? "",
      };
      files.push(checkFile(file, this.settings.endpoint));
    }
    return files;
  }

  fileUrl(repo: Repo, commit: string, path: string): string {
    const folder = repo.type === "dataset" ? "datasets/" : "";
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return `${this.settings.endpoint}/${folder}${repo.name}/resolve/${commit}/${encoded}`;
  }

  /**
   * One request; redirects are followed, and the token is not sent to another host. Passing failures are repeated.
   *
   * @throws HubUnreachable or HubRefusal.
   */
  async request(url: string, init: RequestInit = {}): Promise<Response> {
    for (let attempt = 1;; attempt++) {
      const response = await this.#fetchOnce(url, init);
      if (response.ok) return response;
      const text = await response.text().catch(() => "");
      if (passing.includes(response.status) && attempt < attempts) {
        const asked = Number(response.headers.get("Retry-After")) * 1000;
        await this.pause(attempt, Number.isFinite(asked) ? Math.min(asked, 30_000) : 0);
        continue;
      }
      throw refusal(url, response, text, this.settings);
    }
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
    const request = (url: string | URL | Request, init?: RequestInit) =>
      this.request(url instanceof Request ? url.url : String(url), init);
    return {
      repo,
      hubUrl: endpoint,
      fetch: request as typeof fetch,
      ...(token ? { accessToken: token } : {}),
    };
  }

  async #fetchOnce(url: string, init: RequestInit): Promise<Response> {
    const { endpoint, token } = this.settings;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new Error(`no answer in ${this.timeoutMs / 1000} s`)),
      this.timeoutMs,
    );
    const headers = new Headers(init.headers);
    if (token && url.startsWith(`${endpoint}/`)) headers.set("Authorization", `Bearer ${token}`);
    const signals = [late.signal, this.signal, init.signal].filter((signal) => signal != null);
    try {
      return await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
    } catch (error) {
      this.signal?.throwIfAborted();
      init.signal?.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) {
        const host = new URL(url).host;
        throw new HubUnreachable(`Deno was started without the permission to reach ${host} (--allow-net).`, {
          cause: error,
        });
      }
      const cause = error as Error & { cause?: Error };
      throw new HubUnreachable(`${endpoint} cannot be reached (${cause.cause?.message ?? cause.message}).`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

function refusal(
  url: string,
  response: Response,
  text: string,
  { endpoint, token }: HubSettings,
): HubRefusal {
  const code = response.headers.get("X-Error-Code") ?? "";
  const said = response.headers.get("X-Error-Message") ?? text.slice(0, 200).replace(/\s+/g, " ").trim();
  const path = decodeURIComponent(url.slice(0, 400)).replace(endpoint, "").replace(/\?.*/, "");
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

function checkFile(file: HubFile, endpoint: string): HubFile {
  const { path, size, hash } = file;
  // The path becomes one on this machine, the hash a file name.
  const safe = path !== "" && !/[\\\0]/.test(path) &&
    path.split("/").every((part) => !["", ".", ".."].includes(part));
  if (!safe || !Number.isSafeInteger(size) || size < 0 || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) {
    throw new Error(`${endpoint} lists a file that cannot be: ${JSON.stringify(file)}.`);
  }
  return file;
}

export function isCommit(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{40}$/.test(text);
}
