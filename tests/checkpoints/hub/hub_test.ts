/** Downloads, against a server on this machine that answers as the Hub does (hub_server.ts). */
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { DownloadProgress } from "../../../lib/checkpoints/hub/download.ts";
import { describeDownload } from "../../../lib/checkpoints/hub/download.ts";
import { resolveModel, type ResolveOptions } from "../../../lib/checkpoints/resolve_model.ts";
import { hashOf, HubServer, type ServedRepo, stallMs } from "./hub_server.ts";
import { withFolder } from "../small_model.ts";

const commit = "a1".repeat(20);
const weights = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7 % 251);
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const config = {
  d_model: 8,
  n_layers: 4,
  d_mlp: 12,
  d_head: 2,
  n_heads: 8,
  n_ctx: 16,
  d_vocab: 4096,
  act_fn: "gelu",
  normalization: "LN",
};

function repo(changes: Partial<ServedRepo> = {}): ServedRepo {
  const files = {
    ".gitattributes": text("*.pth"),
    "config.json": text(config),
    "checkpoints/model_1.pth": weights.slice(0, 2000),
    "model_final.pth": weights,
    "README.md": text("words"),
  };
  return { id: "models/somebody/small", commit, files, ...changes };
}

/** A server, an empty cache, and options that use both with short waits. */
async function withHub(
  served: ServedRepo[],
  body: (server: HubServer, cache: string, options: ResolveOptions) => Promise<void>,
): Promise<void> {
  await using server = new HubServer(...served);
  await withFolder(async (folder) => {
    const settings = { endpoint: server.endpoint, cache: `${folder}/hub`, offline: false };
    await body(server, settings.cache, { settings, pauseMs: 5, timeoutMs: 5000 });
  });
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();

Deno.test("resolveModel() downloads what a model needs into the standard cache layout", async () => {
  await withHub([repo()], async (server, cache, options) => {
    const found = await resolveModel("somebody/small", options);
    const folder = `${cache}/models--somebody--small`;
    assertEquals(found, {
      name: "somebody/small",
      folder: `${folder}/snapshots/${commit}`,
      source: `somebody/small @ ${commit}`,
    });
    assertEquals(names(folder), ["blobs", "refs", "snapshots"]);
    assertEquals(Deno.readTextFileSync(`${folder}/refs/main`), commit);
    assertEquals(names(found.folder), ["config.json", "model_final.pth"]);
    assertEquals(names(`${folder}/blobs`), [hashOf(weights), hashOf(text(config))].sort());
    assertEquals(Deno.readFileSync(`${found.folder}/model_final.pth`), weights);
    assertEquals(server.sent(/model_final/), weights.length);
    assertEquals(server.sent(/checkpoints|README/), 0);

    // A second time: only the commit is looked up, and whether there is a tokenizer by now.
    const before = server.log.length;
    assertEquals(await resolveModel("somebody/small", options), found);
    const asked = server.log.slice(before).map((entry) => entry.path);
    const tree = `/api/models/somebody/small/tree/${commit}`;
    assertEquals(asked, ["/api/models/somebody/small/revision/main", tree, tree]); // a listing of two pages
    // By commit: nothing at all is asked.
    await resolveModel(`somebody/small@${commit}`, options);
    assertEquals(server.log.length, before + asked.length);
  });
});

Deno.test("what a model can be used without is fetched first, so that a killed run leaves none without its tokenizer", async () => {
  const files = { ...repo().files, "tokenizer.json": text("t"), "tokenizer_config.json": text("c") };
  await withHub([repo({ files })], async (server, cache, options) => {
    const { folder } = await resolveModel("somebody/small", options);
    const fetched = server.requests(/\/resolve\//).map(({ path }) => path.split("/").at(-1));
    const order = ["tokenizer.json", "tokenizer_config.json", "config.json", "model_final.pth"];
    assertEquals(fetched, order);

    // Python fetches tokenizers apart from models: one that is lacking is fetched later, and nothing else.
    await Deno.remove(`${folder}/tokenizer.json`);
    await Deno.remove(`${cache}/models--somebody--small/blobs/${hashOf(files["tokenizer.json"])}`);
    server.log.length = 0;
    await resolveModel("somebody/small", options);
    assertEquals(server.requests(/\/resolve\//).map(({ path }) => path.split("/").at(-1)), [
      "tokenizer.json",
    ]);
    const again = server.log.length;
    await resolveModel("somebody/small", options);
    assertEquals(server.log.length, again + 1); // the commit alone
  });
});

Deno.test("an index without any part is no whole model", async () => {
  const index = text({ weight_map: {} });
  const part = "model-00001-of-00001.safetensors";
  const files = { "config.json": text(config), "model.safetensors.index.json": index, [part]: weights };
  await withHub([repo({ files })], async (server, cache, options) => {
    const snapshot = `${cache}/models--somebody--small/snapshots/${commit}`;
    await Deno.mkdir(snapshot, { recursive: true });
    await Deno.writeFile(`${snapshot}/config.json`, files["config.json"]);
    await Deno.writeFile(`${snapshot}/model.safetensors.index.json`, index);
    await resolveModel("somebody/small", options);
    assertEquals(server.sent(/safetensors$/), weights.length);
    assertEquals(Deno.readFileSync(`${snapshot}/${part}`), weights);
  });
});

Deno.test("resolveModel() finds files that Python's huggingface_hub fetched", async () => {
  await withHub([repo()], async (server, cache, options) => {
    // The layout without symbolic links (as on Windows), which this test is permitted to make: files stand in
    // the snapshot.
    const folder = `${cache}/models--somebody--small`;
    for (const name of ["refs", `snapshots/${commit}`, "blobs"]) {
      await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    }
    await Deno.writeTextFile(`${folder}/refs/main`, commit);
    await Deno.writeFile(`${folder}/snapshots/${commit}/config.json`, text(config));
    await Deno.writeFile(`${folder}/snapshots/${commit}/model_final.pth`, weights);
    await resolveModel("somebody/small", options);
    assertEquals(server.requests(/resolve/).length, 0);

    // Only one of the two was fetched: the other is, and only that.
    await Deno.remove(`${folder}/snapshots/${commit}/model_final.pth`);
    await resolveModel("somebody/small", options);
    assertEquals(server.sent(/config/), 0);
    assertEquals(server.sent(/model_final/), weights.length);
  });
});

Deno.test("resolveModel() fetches of a new commit only what changed", async () => {
  await withHub([repo()], async (server, cache, options) => {
    await resolveModel("somebody/small", options);
    const next = "b2".repeat(20);
    const changed = text({ ...config, eps: 1e-6 });
    server.repos.set(
      "models/somebody/small",
      repo({ commit: next, files: { ...repo().files, "config.json": changed } }),
    );
    const found = await resolveModel("somebody/small", options);
    assertEquals(found.source, `somebody/small @ ${next}`);
    assertEquals(Deno.readFileSync(`${found.folder}/config.json`), changed);
    assertEquals(Deno.readFileSync(`${found.folder}/model_final.pth`), weights);
    assertEquals(server.sent(/model_final/), weights.length);
    assertEquals(Deno.readTextFileSync(`${cache}/models--somebody--small/refs/main`), next);
    assertEquals(names(`${cache}/models--somebody--small/snapshots`), [commit, next]);
  });
});

Deno.test("a download that breaks is continued where it broke", async () => {
  await withHub([repo()], async (server, _cache, options) => {
    server.faults.push({ breakAfter: 40_960 }, { breakAfter: 20_480 }, { endAfter: 8192 }, { status: 503 });
    const { folder } = await resolveModel("somebody/small", options);
    assertEquals(Deno.readFileSync(`${folder}/model_final.pth`), weights);
    const ranges = server.requests(/model_final/).filter((entry) => entry.server === "cdn").map((entry) =>
      entry.range
    );
    assertEquals(ranges[0], null);
    for (const range of ranges.slice(1)) assertMatch(range!, /^bytes=\d+-$/);
    // What had been written when the connection broke may be one piece less than what was sent.
    const sent = server.sent(/model_final/);
    assert(
      sent >= weights.length && sent <= weights.length + 3 * 8192,
      `${sent} bytes sent for ${weights.length}`,
    );
  });
});

Deno.test("a download that was cancelled is continued by the next call", async () => {
  await withHub([repo()], async (server, cache, options) => {
    const cancel = new AbortController();
    server.faults.push({ stallAfter: 40_960 });
    const onProgress = (progress: DownloadProgress) => {
      if (progress.file === "model_final.pth") cancel.abort(new Error("enough"));
    };
    await assertRejects(
      () => resolveModel("somebody/small", { ...options, onProgress, signal: cancel.signal }),
      Error,
      "enough",
    );
    const incomplete = names(`${cache}/models--somebody--small/blobs`).filter((name) =>
      name.endsWith(".incomplete")
    );
    assertEquals(incomplete, [`${hashOf(weights)}.incomplete`]);
    const kept = Deno.statSync(`${cache}/models--somebody--small/blobs/${incomplete[0]}`).size;
    assertGreater(kept, 0);

    await resolveModel("somebody/small", options);
    const last = server.requests(/model_final/).at(-1)!;
    assertEquals([last.range, last.sent], [`bytes=${kept}-`, weights.length - kept]);
    assertEquals(
      names(`${cache}/models--somebody--small/blobs`).some((name) => name.endsWith(".incomplete")),
      false,
    );
  });
});

Deno.test("a server that ignores ranges, or has lost them, costs a new start and no wrong byte", async () => {
  await withHub([repo()], async (server, cache, options) => {
    server.faults.push({ breakAfter: 40_960 }, "ignore range");
    const { folder } = await resolveModel("somebody/small", options);
    assertEquals(Deno.readFileSync(`${folder}/model_final.pth`), weights);
    // An .incomplete file that is too long, and one with other bytes.
    for (
      const left of [new Uint8Array(200_000), new Uint8Array(5000).fill(9), new Uint8Array(weights.length)]
    ) {
      await Deno.remove(cache, { recursive: true });
      await Deno.mkdir(`${cache}/models--somebody--small/blobs`, { recursive: true });
      await Deno.writeFile(`${cache}/models--somebody--small/blobs/${hashOf(weights)}.incomplete`, left);
      await resolveModel("somebody/small", options);
      assertEquals(Deno.readFileSync(`${folder}/model_final.pth`), weights);
    }
  });
});

Deno.test("a download with other bytes is refused by its hash and leaves nothing behind", async () => {
  await withHub([repo()], async (server, cache, options) => {
    server.faults.push("other bytes");
    await assertRejects(
      () => resolveModel("somebody/small", options),
      Error,
      `${hashOf(weights)} was expected`,
    );
    assertEquals(names(`${cache}/models--somebody--small/blobs`), [hashOf(text(config))]);
    // Small files are checked too, by git's hash.
    await Deno.remove(cache, { recursive: true });
    server.smallFaults.push("other bytes");
    await assertRejects(
      () => resolveModel("somebody/small", options),
      Error,
      `${hashOf(text(config))} was expected`,
    );
    assertEquals(names(`${cache}/models--somebody--small/blobs`), []);
  });
});

Deno.test("a download that ends early or never gives up after some attempts, and says what is kept", async () => {
  await withHub([repo()], async (server, _cache, options) => {
    server.faults.push({ breakAfter: 40_960 }, ...new Array(10).fill({ breakAfter: 0 }));
    const error = await assertRejects(() => resolveModel("somebody/small", options));
    assertMatch(error.message, /broke off 5 times.*\d+ of 100000 bytes are kept and will be continued/s);
    server.faults.length = 0;
    server.faults.push(...new Array(10).fill({ endAfter: 0 }));
    await assertRejects(() => resolveModel("somebody/small", options), Error, "of 100000 bytes");
  });
});

Deno.test("a download that stalls is given up and continued", async () => {
  await withHub([repo()], async (server, _cache, options) => {
    server.faults.push({ stallAfter: 40_960 });
    const started = performance.now();
    const { folder } = await resolveModel("somebody/small", { ...options, timeoutMs: 400 });
    assertEquals(Deno.readFileSync(`${folder}/model_final.pth`), weights);
    assertLess(performance.now() - started, stallMs - 200);
    assertEquals(server.requests(/model_final/).filter((entry) => entry.server === "cdn").length, 2);
  });
});

Deno.test("passing failures of the Hub are repeated, after the pause that it asks for", async () => {
  await withHub([repo()], async (server, _cache, options) => {
    server.apiFaults.push({ status: 503 }, { status: 429, retryAfter: "0.05" }, { status: 500 });
    const started = performance.now();
    await resolveModel("somebody/small", options);
    assertGreater(performance.now() - started, 50);
    server.apiFaults.push(...new Array(5).fill({ status: 503 }));
    await resolveModel("somebody/small", options); // the cache is warm
    server.apiFaults.push(...new Array(5).fill({ status: 503 }));
    await assertRejects(() => resolveModel("somebody/other", options), Error, "Try again later");
  });
});

Deno.test("progress grows to the full size, with a rate", async () => {
  await withHub([repo()], async (_server, _cache, options) => {
    const seen: DownloadProgress[] = [];
    await resolveModel("somebody/small", { ...options, onProgress: (progress) => seen.push(progress) });
    const large = seen.filter((progress) => progress.file === "model_final.pth");
    for (let i = 1; i < large.length; i++) assert(large[i].loaded >= large[i - 1].loaded);
    assertEquals([large.at(-1)!.loaded, large.at(-1)!.total], [weights.length, weights.length]);
    assertGreater(large.at(-1)!.bytesPerSecond, 0);
  });
  assertEquals(
    describeDownload({
      file: "model_final.pth",
      loaded: 120_300_000,
      total: 250_200_000,
      bytesPerSecond: 8_100_000,
    }),
    "model_final.pth 120.3 of 250.2 MB, 8.1 MB/s, 17 s left",
  );
});

function spawn(
  name: string,
  endpoint: string,
  cache: string,
  permissions = ["--allow-all"],
): Deno.ChildProcess {
  const denoJson = new URL("../../../deno.json", import.meta.url).pathname;
  const script = new URL("./hub_process.ts", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...permissions,
      "--no-prompt",
      "--frozen",
      "--cached-only",
      "--config",
      denoJson,
      script,
      name,
    ],
    env: { HF_ENDPOINT: endpoint, HF_HUB_CACHE: cache, HF_TOKEN: "", HF_HUB_OFFLINE: "" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function result(process: Deno.ChildProcess) {
  const { stdout, stderr, success } = await process.output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("two processes at once download each file once, and link it as Python does", async () => {
  await withHub([repo()], async (server, cache) => {
    server.faults.push({ delay: 1000 }); // whoever comes first holds the lock while the other arrives
    const processes = [0, 1].map(() => spawn("somebody/small", server.endpoint, cache));
    const [one, two] = await Promise.all(processes.map(result));
    assertEquals(one.folder, two.folder);
    assertEquals(server.requests(/revision/).length, 2);
    assertEquals(server.sent(/model_final/), weights.length);
    assertEquals(server.sent(/config/), text(config).length);
    assertEquals(Deno.readFileSync(`${one.folder}/model_final.pth`), weights);
    assertEquals(one.target, `../../blobs/${hashOf(text(config))}`);
  });
});

Deno.test("a process that is killed while it downloads leaves a lock that is free and a part that is continued", async () => {
  await withHub([repo()], async (server, cache, options) => {
    server.faults.push({ stallAfter: 40_960 });
    const process = spawn("somebody/small", server.endpoint, cache);
    const part = `${cache}/models--somebody--small/blobs/${hashOf(weights)}.incomplete`;
    const size = () => {
      try {
        return Deno.statSync(part).size;
      } catch {
        return 0;
      }
    };
    while (size() < 40_960) await new Promise((resolve) => setTimeout(resolve, 10));
    process.kill("SIGKILL");
    await process.output();
    const { folder } = await resolveModel("somebody/small", options);
    assertEquals(Deno.readFileSync(`${folder}/model_final.pth`), weights);
    assertEquals(server.requests(/model_final/).at(-1)!.range, "bytes=40960-");
  });
});

Deno.test("offline with a warm cache works; with a cold one the message says what to do", async () => {
  await withFolder(async (folder) => {
    const cache = `${folder}/hub`;
    const server = new HubServer(repo());
    const settings = { endpoint: server.endpoint, cache, offline: false };
    const options = { settings, pauseMs: 5, timeoutMs: 500 };
    const online = await resolveModel("somebody/small", options);
    await server.close();
    assertEquals(await resolveModel("somebody/small", options), online);
    assertEquals(await resolveModel("somebody/small", { settings: { ...settings, offline: true } }), online);

    const error = await assertRejects(() => resolveModel("gelu-4l", options));
    for (
      const part of [
        `${settings.endpoint} cannot be reached`,
        `${settings.endpoint}/NeelNanda/GELU_4L512W_C4_Code/resolve/main/config.json`,
        "whose name ends in final.pth",
        `${settings.endpoint}/NeelNanda/gpt-neox-tokenizer-digits/resolve/main/tokenizer.json`,
        "data/models/gelu-4l",
        cache,
      ]
    ) assertStringIncludes(error.message, part);
    await assertRejects(
      () => resolveModel("somebody/small@dev", { settings: { ...settings, offline: true } }),
      Error,
      "HF_HUB_OFFLINE is set",
    );
  });
});

Deno.test("without the permission to use the network, a warm cache works and a cold one says what is missing", async () => {
  await withHub([repo()], async (server, cache, options) => {
    const permissions = ["--allow-read", "--allow-env"];
    const { stderr, success } = await spawn("somebody/small", server.endpoint, cache, permissions).output();
    assertEquals(success, false);
    assertStringIncludes(new TextDecoder().decode(stderr), "--allow-net");
    const online = await resolveModel("somebody/small", options);
    const found = await result(spawn("somebody/small", server.endpoint, cache, permissions));
    assertEquals(found.folder, online.folder);
  });
});

Deno.test("the token goes to the Hub and to no other host", async () => {
  await withHub([repo({ access: "private" })], async (server, _cache, options) => {
    const error = await assertRejects(() => resolveModel("somebody/small", options));
    assertStringIncludes(error.message, "somebody/small");
    assertStringIncludes(error.message, "set HF_TOKEN");
    server.log.length = 0;
    await resolveModel("somebody/small", {
      ...options,
      settings: { ...options.settings!, token: "hf_secret" },
    });
    for (const { server: host, authorization } of server.log) {
      assertEquals(authorization, host === "hub" ? "Bearer hf_secret" : null);
    }
    assertGreater(server.log.filter((entry) => entry.server === "cdn").length, 0);
  });
});

Deno.test("refusals of the Hub are said in words", async () => {
  await withHub(
    [repo({ access: "gated" }), repo({ id: "models/somebody/empty", files: {} })],
    async (_server, _cache, options) => {
      await assertRejects(
        () => resolveModel("somebody/small", options),
        Error,
        "Accept the conditions of somebody/small",
      );
      await assertRejects(() => resolveModel("somebody/empty", options), Error, "has no config.json");
      await assertRejects(() => resolveModel("somebody/empty@v2", options), Error, "no such revision");
      const token = { ...options, settings: { ...options.settings!, token: "hf_x" } };
      await assertRejects(
        () => resolveModel("nobody/nothing", token),
        Error,
        "the token in HF_TOKEN may not read it",
      );
    },
  );
});

Deno.test("a listing with a path that would leave the cache is refused", async () => {
  const files = { ...repo().files, "..\\..\\evil": weights };
  await withHub([repo({ files })], async (_server, _cache, options) => {
    await assertRejects(() => resolveModel("somebody/small", options), Error, "lists a file that cannot be");
  });
});
