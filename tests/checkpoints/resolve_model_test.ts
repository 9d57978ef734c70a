import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { resolve } from "node:path";
import { dataPath } from "../../lib/checkpoints/data_folder.ts";
import { hubSettings } from "../../lib/checkpoints/hub/settings.ts";
import { openModel, resolveModel } from "../../lib/checkpoints/resolve_model.ts";
import { encodeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { HubServer } from "./hub/hub_server.ts";
import { smallModel, withFolder, writeModelFolder } from "./small_model.ts";
import { encodeTorch, type TorchEntry } from "./write_torch.ts";

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
/** The shape of gelu-4l (4 layers of 8 heads), everything else small. */
const likeGelu4l = { n_layers: 4, n_heads: 8, d_model: 8, d_head: 2, d_mlp: 12, n_ctx: 16, d_vocab: 4096 };

Deno.test("openModel() gives the embedded model without touching network or environment", async () => {
  const model = await openModel("tiny-gelu-4l");
  const { writer } = JSON.parse(await Deno.readTextFile(dataPath("models/tiny-gelu-4l/cleanup.json")));
  assertEquals([model.name, model.source, model.cleanup?.writer], ["tiny-gelu-4l", "tiny-gelu-4l", writer]);
  model.checkpoint.close();
});

Deno.test("openModel() opens a folder by its path", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(31);
    await writeModelFolder(`${folder}/mine`, model);
    const opened = await openModel(`${folder}/mine/`);
    assertEquals(opened.source, `${folder}/mine`);
    assertEquals(opened.config, model.config);
    opened.checkpoint.close();
  });
});

Deno.test('openModel("gelu-4l") joins checkpoint, tokenizer and cleanup data from three places', async () => {
  const model = smallModel(32, { ...likeGelu4l, tokenizer_name: "NeelNanda/gpt-neox-tokenizer-digits" });
  const entries: Record<string, TorchEntry> = { ...model.tensors };
  delete entries["unembed.b_U"];
  entries["blocks.0.attn.mask"] = { dtype: "BOOL", dims: [16, 16], data: new Uint8Array(256) };
  await using server = new HubServer(
    {
      id: "models/NeelNanda/GELU_4L512W_C4_Code",
      commit: "c3".repeat(20),
      files: {
        "config.json": json(model.json),
        "model_12345_final.pth": encodeTorch(entries),
        "checkpoints/model_1.pth": new Uint8Array(5000),
        "optimizer.pth": new Uint8Array(3000),
      },
    },
    {
      id: "models/NeelNanda/gpt-neox-tokenizer-digits",
      commit: "d4".repeat(20),
      files: {
        "tokenizer.json": await Deno.readFile(dataPath("models/tiny-gelu-4l/tokenizer.json")),
        "vocab.json": json({}),
      },
    },
  );
  await withFolder(async (cache) => {
    const options = { settings: { endpoint: server.endpoint, cache, offline: false }, pauseMs: 5 };
    const opened = await openModel("gelu-4l", options);
    assertEquals(opened.source, `NeelNanda/GELU_4L512W_C4_Code @ ${"c3".repeat(20)}`);
    assertEquals(opened.config, model.config);
    assertEquals(opened.cleanup?.cleaners, ["L2H2", "L2H3", "L2H4", "L2H5", "L2H6", "L2H7"]);
    assertEquals(opened.tokenizer?.size, 4096);
    for (const [name, { data }] of Object.entries(model.tensors)) {
      if (name !== "unembed.b_U") assertEquals(await opened.checkpoint.read(name), data, name);
    }
    opened.checkpoint.close();
    assertEquals(server.sent(/optimizer|checkpoints|vocab/), 0);

    const offline = await resolveModel("gelu-4l", { settings: { ...options.settings, offline: true } });
    assert(offline.tokenizerFile?.endsWith("/tokenizer.json"));
  });
});

Deno.test("resolveModel() prefers safetensors, and fetches every part of split weights", async () => {
  const { tensors, json: config } = smallModel(33);
  const names = Object.keys(tensors);
  const part = (n: number) => `model-0000${n}-of-00002.safetensors`;
  const halves = [names.slice(0, 7), names.slice(7)];
  const files: Record<string, Uint8Array> = {
    "config.json": json(config),
    "old_final.pth": new Uint8Array(2000),
    "model.safetensors.index.json": json({
      weight_map: Object.fromEntries(halves.flatMap((half, i) => half.map((name) => [name, part(i + 1)]))),
    }),
  };
  halves.forEach((half, i) =>
    files[part(i + 1)] = encodeSafetensors(Object.fromEntries(half.map((name) => [name, tensors[name]])))
  );
  await using server = new HubServer({ id: "models/some.one/split-1", commit: "e5".repeat(20), files });
  await withFolder(async (cache) => {
    const options = { settings: { endpoint: server.endpoint, cache, offline: false }, pauseMs: 5 };
    const opened = await openModel("some.one/split-1", options);
    for (const name of names) assertEquals(await opened.checkpoint.read(name), tensors[name].data);
    opened.checkpoint.close();
    assertEquals(server.sent(/final.pth/), 0);
    // A part that was deleted is fetched again, alone.
    await Deno.remove(`${(await resolveModel("some.one/split-1", options)).folder}/${part(2)}`);
    // Its blob too: by its size, since it is linked hard or by name, as permissions allow.
    const blobs = `${cache}/models--some.one--split-1/blobs`;
    for await (const { name } of Deno.readDir(blobs)) {
      const path = `${blobs}/${name}`;
      if ((await Deno.stat(path)).size === files[part(2)].length) await Deno.remove(path);
    }
    server.log.length = 0;
    await resolveModel("some.one/split-1", options);
    assertEquals(server.requests(/resolve\//).map((entry) => entry.path.split("/").at(-1)), [part(2)]);
  });
});

Deno.test("resolveModel() refuses names that it cannot place, with a suggestion", async () => {
  const error = await assertRejects(() => resolveModel("gelu4l"));
  assertStringIncludes(error.message, 'Did you mean "gelu-4l"?');
  assertStringIncludes(error.message, '"owner/name@revision"');
  await assertRejects(
    () => resolveModel("../no-folder"),
    Error,
    `(looked for the folder ${resolve("../no-folder")})`,
  );
  const file = dataPath("models/tiny-gelu-4l/model.safetensors");
  await assertRejects(
    () => resolveModel(file),
    Error,
    "is a file. A model is a folder that holds the weights, a config.json",
  );
  for (const name of ["", "a/b/c", "/no/such/folder", "../a/b", "a/b@../c", "a b/c"]) {
    await assertRejects(() => resolveModel(name), Error, `There is no model "${name}"`);
  }
});

Deno.test("hubSettings() reads the variables that every Hugging Face tool reads", () => {
  const from = (variables: Record<string, string>) => hubSettings((name) => variables[name]);
  assertEquals(from({ HOME: "/home/me" }), {
    endpoint: "https://huggingface.co",
    cache: "/home/me/.cache/huggingface/hub",
    offline: false,
  });
  assertEquals(from({ HOME: "/h", XDG_CACHE_HOME: "/x" }).cache, "/x/huggingface/hub");
  assertEquals(from({ HOME: "/h", XDG_CACHE_HOME: "/x", HF_HOME: "/hf" }).cache, "/hf/hub");
  assertEquals(from({ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }).cache, "/old");
  assertEquals(from({ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c" }).cache, "/c");
  assertEquals(from({ USERPROFILE: "C:\\Users\\me" }).cache, "C:\\Users\\me/.cache/huggingface/hub");
  assertEquals(from({ HOME: "/h", HF_ENDPOINT: "http://mirror:8080/" }).endpoint, "http://mirror:8080");
  assertEquals(from({ HOME: "/h", HF_TOKEN: " hf_abc\n", HF_HUB_OFFLINE: "1" }).token, "hf_abc");
  assertEquals(from({ HOME: "/h", HF_HUB_OFFLINE: "1" }).offline, true);
  assertEquals(from({ HOME: "/h", HF_HUB_OFFLINE: "0", HF_TOKEN: "" }).offline, false);
  assertThrows(() => from({}), Error, "HF_HOME");
  assertThrows(() => from({ HOME: "/h", HF_ENDPOINT: "mirror" }), Error, "HF_ENDPOINT");
  const secret = assertThrows(() => from({ HOME: "/h", HF_ENDPOINT: "https://me:secret@mirror" }), Error);
  assertStringIncludes(secret.message, "HF_ENDPOINT holds a user's name or password");
  assertEquals(secret.message.includes("secret@"), false);
  assertThrows(() => from({ HOME: "/h", HF_TOKEN: "secret" }), Error, "HF_TOKEN");
});
