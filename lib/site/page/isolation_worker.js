/**
 * A service worker: pages and workers of this site come with the two headers that let them use several
 * threads, also from a host that does not send them, such as GitHub Pages. Everything else is left alone.
 * Copied as it is to the site's top folder, which is as far as it reaches.
 */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

async function isolated(request) {
  const response = await fetch(request);
  if (response.type === "opaqueredirect" || response.status === 304) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (["document", "worker"].includes(request.destination)) event.respondWith(isolated(request));
});
