/**
 * Answers that no Hub gives: a proxy's page, listings that lead elsewhere, names of all kinds, bytes that
 * come one by one.
 */
import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { hubSettings } from "../../../lib/checkpoints/hub/settings.ts";
import { resolveModel } from "../../../lib/checkpoints/resolve_model.ts";
import { withFolder } from "../small_model.ts";
import { HubServer } from "./hub_server.ts";

const commit = "a1".repeat(20);
const oid = "0".repeat(40);

/**
 * Asks a server that answers every request so, for a model. Returns the error's message and the tokens that
 * came.
 */
async function asked(
  answer: (request: Request) => Response,
  timeoutMs = 2000,
): Promise<{ message: string; seen: (string | null)[] }> {
  const seen: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    seen.push(request.headers.get("Authorization"));
    return answer(request);
  });
  let message = "";
  await withFolder(async (cache) => {
    const settings = {
      endpoint: `http://127.0.0.1:${server.addr.port}`,
      cache,
      offline: false,
      token: "hf_secret",
    };
    const error = await assertRejects(() => resolveModel("some/one", { settings, pauseMs: 1, timeoutMs }));
    message = error.message;
  });
  await server.shutdown();
  return { message, seen };
}

const isRevision = (request: Request) => new URL(request.url).pathname.includes("/revision/");
const revision = () => Response.json({ _id: "0", id: "some/one", sha: commit });
const listing = (entries: unknown, headers?: HeadersInit) =>
  Response.json(entries, headers ? { headers } : {});

const answers: [what: string, answer: (request: Request) => Response, message: RegExp][] = [
  [
    "a proxy's page",
    () => new Response("<html>Sign in</html>"),
    /did not answer as the Hub does .* Does a proxy answer/,
  ],
  ["an empty answer", () => new Response(""), /did not answer as the Hub does/],
  ["null", () => Response.json(null), /did not answer as the Hub does/],
  [
    "a commit that is none",
    () => Response.json({ id: "x", sha: "\u001b[2J" }),
    /names "\\u001b\[2J" as the commit/,
  ],
  [
    "a listing that is a page",
    (r) => isRevision(r) ? revision() : new Response("<html>"),
    /did not answer as the Hub does/,
  ],
  [
    "a listing that is an object",
    (r) => isRevision(r) ? revision() : listing({ a: 1 }),
    /did not answer as the Hub does/,
  ],
  [
    "a listing of nulls",
    (r) => isRevision(r) ? revision() : listing([null]),
    /did not answer as the Hub does/,
  ],
  [
    "a name that is no text",
    (r) => isRevision(r) ? revision() : listing([{ type: "file", path: 7, size: 1, oid }]),
    /file that cannot be/,
  ],
  [
    "half a character in a name",
    (r) =>
      isRevision(r) ? revision() : new Response(`[{"type":"file","path":"\\ud800","size":1,"oid":"${oid}"}]`),
    /file that cannot be/,
  ],
  ["a refusal with an odd path", () => new Response("%%%", { status: 400 }), /refused .* \(400: %%%\)/],
  [
    "a listing without end",
    (r) =>
      isRevision(r)
        ? revision()
        : listing(new Array(2000).fill({ type: "directory", path: "d" }), { Link: `<${r.url}>; rel="next"` }),
    /lists more than 200000 files/,
  ],
];
for (const [what, answer, message] of answers) {
  Deno.test(`The Hub answers with ${what}: one clear error`, async () => {
    const found = await asked(answer);
    assertMatch(found.message, message);
    assert(found.message.length < 2000);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(found.message), false);
  });
}

Deno.test("A file name beyond ASCII is fetched like any other", async () => {
  const files = {
    "config.json": new TextEncoder().encode("{}"),
    "weights-ü-日.safetensors": new Uint8Array(2000),
  };
  await using server = new HubServer({ id: "models/some/one", commit, files });
  await withFolder(async (cache) => {
    const settings = { endpoint: server.endpoint, cache, offline: false };
    const { folder } = await resolveModel("some/one", { settings, pauseMs: 5 });
    assertEquals((await Deno.stat(`${folder}/weights-ü-日.safetensors`)).size, 2000);
  });
});

Deno.test("A listing that goes on at another host is followed without the token", async () => {
  const other: (string | null)[] = [];
  const elsewhere = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    other.push(request.headers.get("Authorization"));
    return listing([]);
  });
  const next = `<http://127.0.0.1:${elsewhere.addr.port}/steal>; rel="next"`;
  const { seen, message } = await asked((r) => isRevision(r) ? revision() : listing([], { Link: next }));
  await elsewhere.shutdown();
  assertMatch(message, /has no config.json/);
  assertEquals(new Set(seen), new Set(["Bearer hf_secret"]));
  assertEquals(other, [null]);
});

Deno.test("A server that drips a byte now and then is given up, and the message says the rate", async () => {
  const drip = () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          try {
            controller.enqueue(Uint8Array.of(32));
          } catch { /* the client left */ }
        },
      }),
    );
  const started = performance.now();
  const { message } = await asked((r) => isRevision(r) ? drip() : revision(), 200);
  assertMatch(message, /only \d+ bytes came in \d s; 100 a second is the least/);
  assertLess(performance.now() - started, 4000);
});

Deno.test("hubSettings() finds the token of `hf auth login`, which goes to the Hub alone", () => {
  const from = (variables: Record<string, string>, files: Record<string, string>) =>
    hubSettings((name) => variables[name], (path) => files[path]).token;
  assertEquals(from({ HOME: "/h" }, { "/h/.cache/huggingface/token": "hf_kept\n" }), "hf_kept");
  assertEquals(from({ HF_HOME: "/a b" }, { "/a b/token": "hf_kept" }), "hf_kept");
  assertEquals(from({ HOME: "/h", HF_TOKEN_PATH: "/t" }, { "/t": "hf_kept" }), "hf_kept");
  assertEquals(
    from({ HOME: "/h", HF_TOKEN: "hf_own" }, { "/h/.cache/huggingface/token": "hf_kept" }),
    "hf_own",
  );
  assertEquals(from({ HOME: "/h" }, { "/h/.cache/huggingface/token": "<html>" }), undefined);
  const disabled = { HOME: "/h", HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" };
  assertEquals(from(disabled, { "/h/.cache/huggingface/token": "hf_kept" }), undefined);
  const mirror = { HOME: "/h", HF_ENDPOINT: "https://mirror.example" };
  assertEquals(from(mirror, { "/h/.cache/huggingface/token": "hf_kept" }), undefined);
  assertEquals(from({ HF_HUB_CACHE: "/c" }, {}), undefined);
});

Deno.test("A byte that changed in a cached blob is noticed, whatever kind of link leads to it", async () => {
  const files = {
    "config.json": new TextEncoder().encode(`{"a": 1}`),
    "model.safetensors": new Uint8Array(2000),
  };
  await using server = new HubServer({ id: "models/some/one", commit, files });
  await withFolder(async (cache) => {
    const settings = { endpoint: server.endpoint, cache, offline: false };
    const options = { settings, pauseMs: 5 };
    const { folder } = await resolveModel("some/one", options);
    await resolveModel("some/one", options); // as it was
    for (const name of Object.keys(files)) {
      const path = `${folder}/${name}`;
      const bytes = await Deno.readFile(path);
      bytes[3] ^= 1;
      await Deno.writeFile(path, bytes); // through the link: the blob
      for (const offline of [false, true]) {
        await assertRejects(
          () => resolveModel("some/one", { ...options, settings: { ...settings, offline } }),
          Error,
          `${name} is not the file that was fetched`,
        );
      }
      bytes[3] ^= 1;
      await Deno.writeFile(path, bytes);
    }
    await resolveModel("some/one", options);
  });
});
