/**
 * A server on this machine that answers as the Hugging Face Hub does, for the paths, headers and redirects
 * that downloads meet:
 *
 * - /api/{models,datasets}/{repo}/revision/{rev}: the commit; /api/…/tree/{rev}[/folder]: the files, in pages
 *   (Link header);
 * - /{repo}/resolve/{rev}/{file}: large files (LFS) redirect to a "CDN", a second server on another port,
 *   thus another origin; small ones to /api/resolve-cache/…; with X-Repo-Commit, ETag, X-Linked-ETag,
 *   X-Linked-Size;
 * - ranges; 401, 403, 404 with X-Error-Code; downloads that break, stall, ignore ranges, or carry other
 *   bytes, on demand.
 */
import { createHash } from "node:crypto";

export interface ServedRepo {
  /** "models/owner/name" or "datasets/owner/name". */
  id: string;
  commit: string;
  files: Record<string, Uint8Array>;
  /** "gated": 403; "private": as if it did not exist without a token. */
  access?: "gated" | "private";
}

export interface LoggedRequest {
  /** "hub" or "cdn". */
  server: string;
  path: string;
  range: string | null;
  authorization: string | null;
  /** Bytes of body that were sent. */
  sent: number;
}

/**
 * What goes wrong, in the order in which requests for large files come. One entry a request; none: all goes
 * well.
 */
export type Fault =
  | { delay: number }
  | { breakAfter: number }
  | { stallAfter: number }
  | { endAfter: number }
  | { status: number; retryAfter?: string }
  | "ignore range"
  | "other bytes"
  | "fine";

/** Files of this size and more are "LFS". */
const largeFrom = 1000;
const pageSize = 3;
/** A stalled download is held so long, unless the client leaves. */
export const stallMs = 2000;

export class HubServer {
  readonly log: LoggedRequest[] = [];
  readonly faults: Fault[] = [];
  /** The same for small files. */
  readonly smallFaults: Fault[] = [];
  readonly repos = new Map<string, ServedRepo>();
  /** Faults of requests to /api/. */
  readonly apiFaults: { status: number; retryAfter?: string }[] = [];
  /** A pause after each piece of 4 kB, so that a transfer takes a while. */
  pieceMs = 0;
  #hub: Deno.HttpServer<Deno.NetAddr>;
  #cdn: Deno.HttpServer<Deno.NetAddr>;

  constructor(...repos: ServedRepo[]) {
    for (const repo of repos) this.repos.set(repo.id, repo);
    const listen = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#hub = Deno.serve(listen, (request) => this.#answer(request));
    this.#cdn = Deno.serve(listen, (request) => this.#answerCdn(request));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  /** Bytes of file contents that were sent, of files whose path matches. */
  sent(path: RegExp = /./): number {
    return this.log.filter((entry) => path.test(entry.path)).reduce((sum, entry) => sum + entry.sent, 0);
  }

  /** Requests whose path matches. */
  requests(path: RegExp): LoggedRequest[] {
    return this.log.filter((entry) => path.test(entry.path));
  }

  async close(): Promise<void> {
    await Promise.all([this.#hub.shutdown(), this.#cdn.shutdown()]);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #record(server: string, request: Request): LoggedRequest {
    const { pathname } = new URL(request.url);
    const entry = {
      server,
      path: decodeURIComponent(pathname),
      range: request.headers.get("Range"),
      authorization: request.headers.get("Authorization"),
      sent: 0,
    };
    this.log.push(entry);
    return entry;
  }

  #answer(request: Request): Response {
    const entry = this.#record("hub", request);
    const fault = entry.path.startsWith("/api/") ? this.apiFaults.shift() : undefined;
    if (fault) return failure(fault.status, "", "out of order", fault.retryAfter);
    const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)\/(revision|tree)\/([^/]+)(?:\/(.+))?$/.exec(
      entry.path,
    );
    if (api) return this.#api(request, api[1], api[2], api[3], api[4]);
    const cached = /^\/api\/resolve-cache\/((?:models|datasets)\/[^/]+\/[^/]+)\/([^/]+)\/(.+)$/.exec(
      entry.path,
    );
    if (cached) {
      const response = this.#bytes(
        request,
        entry,
        this.repos.get(cached[1])!.files[cached[3]],
        this.smallFaults.shift() ?? "fine",
      );
      response.headers.set("X-Repo-Commit", cached[2]);
      return response;
    }
    const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(entry.path);
    if (file) return this.#resolve(request, `${file[1] ?? "models/"}${file[2]}`, file[3], file[4]);
    return failure(404, "", "Not Found");
  }

  /** The repository, or why not. */
  #find(request: Request, id: string, revision: string): ServedRepo | Response {
    const repo = this.repos.get(id);
    const token = request.headers.get("Authorization");
    if (!repo || (repo.access === "private" && !token)) {
      return failure(401, "RepoNotFound", "Repository not found");
    }
    if (repo.access === "gated" && !token) {
      return failure(403, "GatedRepo", "Access to this model is restricted");
    }
    if (!["main", repo.commit].includes(revision)) {
      return failure(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    return repo;
  }

  #api(request: Request, id: string, what: string, revision: string, folder?: string): Response {
    const repo = this.#find(request, id, revision);
    if (repo instanceof Response) return repo;
    if (what === "revision") {
      const name = id.slice(id.indexOf("/") + 1);
      return Response.json({
        _id: "0",
        id: name,
        sha: repo.commit,
        private: false,
        downloads: 0,
        gated: false,
        likes: 0,
      });
    }
    const url = new URL(request.url);
    const all = listing(repo, folder, url.searchParams.get("recursive") === "true");
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const headers = new Headers();
    if (from + pageSize < all.length) {
      url.searchParams.set("cursor", String(from + pageSize));
      headers.set("Link", `<${url}>; rel="next"`);
    }
    return Response.json(all.slice(from, from + pageSize), { headers });
  }

  #resolve(request: Request, id: string, revision: string, path: string): Response {
    const repo = this.#find(request, id, revision);
    if (repo instanceof Response) return repo;
    const bytes = repo.files[path];
    if (!bytes) return failure(404, "EntryNotFound", "Entry not found");
    const hash = hashOf(bytes);
    const headers = new Headers({
      "X-Repo-Commit": repo.commit,
      "Accept-Ranges": "bytes",
      ETag: `"${hash}"`,
    });
    if (bytes.length < largeFrom) {
      headers.set("Location", `/api/resolve-cache/${id}/${repo.commit}/${encodeURIComponent(path)}`);
      return new Response(null, { status: 307, headers });
    }
    headers.set("X-Linked-ETag", `"${hash}"`);
    headers.set("X-Linked-Size", String(bytes.length));
    headers.set(
      "Location",
      `http://127.0.0.1:${this.#cdn.addr.port}/${id}/${repo.commit}/${encodeURIComponent(path)}?signed=1`,
    );
    return new Response(null, { status: 302, headers });
  }

  #answerCdn(request: Request): Response {
    const entry = this.#record("cdn", request);
    const [, type, owner, name, , ...path] = entry.path.split("/");
    return this.#bytes(
      request,
      entry,
      this.repos.get(`${type}/${owner}/${name}`)!.files[path.join("/")],
      this.faults.shift() ?? "fine",
    );
  }

  #bytes(request: Request, entry: LoggedRequest, whole: Uint8Array, fault: Fault): Response {
    if (typeof fault === "object" && "status" in fault) {
      return failure(fault.status, "", "out of order", fault.retryAfter);
    }
    const range = fault === "ignore range"
      ? null
      : /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("Range") ?? "");
    const [from, to] = range
      ? [Number(range[1]), range[2] ? Number(range[2]) + 1 : whole.length]
      : [0, whole.length];
    const headers = new Headers({ "Content-Type": "application/octet-stream", ETag: `"${hashOf(whole)}"` });
    if (from >= whole.length && whole.length > 0) {
      headers.set("Content-Range", `bytes */${whole.length}`);
      return new Response(null, { status: 416, headers });
    }
    if (range) {
      headers.set("Content-Range", `bytes ${from}-${Math.min(to, whole.length) - 1}/${whole.length}`);
    }
    let body = whole.slice(from, to);
    if (fault === "other bytes") body = body.map((byte) => byte ^ 0x55);
    const ends = typeof fault === "object" && "endAfter" in fault;
    if (request.method === "HEAD") {
      headers.set("Content-Length", String(body.length));
      return new Response(null, { headers });
    }
    if (!ends) headers.set("Content-Length", String(body.length));
    return new Response(stream(body, fault, entry, this.pieceMs), { status: range ? 206 : 200, headers });
  }
}

/** The body in pieces of 4 kB, with the fault in it. Ending before Content-Length breaks the connection. */
function stream(
  body: Uint8Array,
  fault: Fault,
  entry: LoggedRequest,
  pieceMs: number,
): ReadableStream<Uint8Array> {
  const wish = typeof fault === "object" ? fault as Record<string, number | undefined> : {};
  const limit = Math.min(body.length, wish.breakAfter ?? wish.endAfter ?? wish.stallAfter ?? body.length);
  let at = 0;
  let goOn = () => {};
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      goOn = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  return new ReadableStream({
    async pull(controller) {
      if (at === 0 && wish.delay) await wait(wish.delay);
      if (at < limit) {
        const piece = body.slice(at, Math.min(at + 4096, limit));
        at += piece.length;
        entry.sent += piece.length;
        if (pieceMs > 0) await wait(pieceMs);
        controller.enqueue(piece);
        return;
      }
      if (wish.breakAfter !== undefined) await wait(20); // so that what was sent arrives before the break
      if (wish.stallAfter !== undefined) await wait(stallMs);
      try {
        controller.close();
      } catch {
        // the client went away meanwhile
      }
    },
    cancel: () => goOn(),
  });
}

/** The hash under which the Hub lists a file: SHA-256 of large files, git's blob SHA-1 of small ones. */
export function hashOf(bytes: Uint8Array): string {
  if (bytes.length >= largeFrom) return createHash("sha256").update(bytes).digest("hex");
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

function listing(repo: ServedRepo, folder: string | undefined, recursive: boolean): unknown[] {
  const entries = new Map<string, unknown>();
  const prefix = folder ? `${folder}/` : "";
  for (const [path, bytes] of Object.entries(repo.files)) {
    if (!path.startsWith(prefix)) continue;
    const slash = path.indexOf("/", prefix.length);
    if (slash >= 0) {
      entries.set(path.slice(0, slash), {
        type: "directory",
        oid: "0".repeat(40),
        size: 0,
        path: path.slice(0, slash),
      });
    }
    if (slash >= 0 && !recursive) continue;
    const large = bytes.length >= largeFrom;
    const lfs = large ? { lfs: { oid: hashOf(bytes), size: bytes.length, pointerSize: 134 } } : {};
    const oid = large ? "1".repeat(40) : hashOf(bytes);
    entries.set(path, { type: "file", oid, size: bytes.length, path, ...lfs });
  }
  return [...entries.values()];
}

function failure(status: number, code: string, message: string, retryAfter?: string): Response {
  const headers = new Headers({ "Content-Type": "application/json" });
  if (code) headers.set("X-Error-Code", code);
  if (code) headers.set("X-Error-Message", message);
  if (retryAfter) headers.set("Retry-After", retryAfter);
  return new Response(JSON.stringify({ error: message }), { status, headers });
}
