/** A folder over HTTP on this machine. */

const KINDS: Record<string, string> = {
  css: "text/css",
  html: "text/html",
  js: "text/javascript",
  json: "application/json",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

/** Isolates the page, so that it may use threads. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

export interface ServeOptions {
  /** Whether headers are sent that let pages use several threads. Default true. */
  isolated?: boolean;
  /** Where the folder lies, such as "/cleanup-lens/". Default "/". */
  under?: string;
  /** True: the address is not printed. */
  quiet?: boolean;
}

async function answer(
  folder: string,
  { pathname }: URL,
  isolated: boolean,
  under: string,
): Promise<Response> {
  const missing = () => new Response("No such file", { status: 404 });
  const path = `/${decodeURIComponent(pathname).slice(under.length)}`.replace(/\/$/, "/index.html");
  if (!pathname.startsWith(under) || path.split(/[/\\]/).includes("..")) return missing();
  try {
    const content = await Deno.readFile(folder + path);
    const type = KINDS[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const caching = path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    return new Response(content, {
      headers: { "content-type": type, "cache-control": caching, ...(isolated ? ISOLATION : {}) },
    });
  } catch {
    return missing();
  }
}

/** @param port 0: a free one, which `addr` of the result names */
export function serve(
  folder: string,
  port: number,
  { isolated = true, under = "/", quiet = false }: ServeOptions = {},
): Deno.HttpServer<Deno.NetAddr> {
  const onListen = ({ port }: { port: number }) => quiet || console.log(`http://127.0.0.1:${port}${under}`);
  return Deno.serve(
    { hostname: "127.0.0.1", port, onListen: (address) => void onListen(address) },
    (request) => answer(folder, new URL(request.url), isolated, under),
  );
}
