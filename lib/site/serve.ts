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

async function answer(folder: string, url: URL, isolated: boolean): Promise<Response> {
  const path = decodeURIComponent(url.pathname).replace(/\/$/, "/index.html");
  if (path.split("/").includes("..")) return new Response("No such file", { status: 404 });
  try {
    const content = await Deno.readFile(folder + path);
    const type = KINDS[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    const caching = path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    return new Response(content, {
      headers: { "content-type": type, "cache-control": caching, ...(isolated ? ISOLATION : {}) },
    });
  } catch {
    return new Response("No such file", { status: 404 });
  }
}

/** @param isolated whether headers are sent that let pages use several threads */
export function serve(folder: string, port: number, isolated = true): Deno.HttpServer {
  return Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/`),
  }, (request) => answer(folder, new URL(request.url), isolated));
}
