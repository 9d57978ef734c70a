import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openCheckpoint, openCheckpointFile } from "../../lib/checkpoints/checkpoint.ts";
import { dataPath } from "../../lib/checkpoints/data_folder.ts";
import { openModelFolder } from "../../lib/checkpoints/model_folder.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { smallModel, withFolder, writeModelFolder } from "./small_model.ts";
import { writeTorch } from "./write_torch.ts";

Deno.test("openModelFolder() opens the embedded model with tokenizer and cleanup", async () => {
  const { config, checkpoint, tokenizer, cleanup } = await openModelFolder(dataPath("models/tiny-gelu-4l"));
  assertEquals([config.n_layers, config.n_heads, config.d_model, config.d_vocab], [4, 8, 128, 4096]);
  let parameters = 0;
  for (const name of checkpoint.names()) parameters += (await checkpoint.read(name)).length;
  // Embedding and unembedding, positions, b_U and ln_final; in each layer two LayerNorms, Q K V O with
  // biases, and the MLP.
  const layer = 4 * 128 + (4 * 8 * 128 * 16 + 3 * 8 * 16 + 128) + (2 * 128 * 512 + 512 + 128);
  assertEquals(parameters, 2 * 4096 * 128 + 256 * 128 + 4096 + 2 * 128 + 4 * layer);
  assertEquals(tokenizer?.size, config.d_vocab);
  assert(cleanup && cleanup.cleaners.length > 0);
  checkpoint.close();
});

Deno.test("openModelFolder() gives the weights that were written", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(1);
    await writeModelFolder(folder, model);
    const { config, checkpoint, tokenizer, cleanup } = await openModelFolder(folder);
    assertEquals(config, model.config);
    assertEquals(checkpoint.names().sort(), Object.keys(model.tensors).sort());
    for (const [name, { dims, data }] of Object.entries(model.tensors)) {
      assertEquals(checkpoint.shape(name), dims);
      assertEquals(checkpoint.dtype(name), "F32");
      assertEquals(await checkpoint.read(name), data);
    }
    assertEquals([tokenizer, cleanup], [undefined, undefined]);
    checkpoint.close();
  });
});

Deno.test("openCheckpoint() reads weights that are split over files", async () => {
  await withFolder(async (folder) => {
    const { tensors } = smallModel(2);
    const names = Object.keys(tensors);
    const weight_map: Record<string, string> = {};
    for (const [file, part] of [["one", names.slice(0, 5)], ["two", names.slice(5)]] as const) {
      const some = Object.fromEntries(part.map((name) => [name, tensors[name]]));
      await writeSafetensors(`${folder}/${file}.safetensors`, some);
      for (const name of part) weight_map[name] = `${file}.safetensors`;
    }
    const index = `${folder}/model.safetensors.index.json`;
    await Deno.writeTextFile(index, JSON.stringify({ metadata: {}, weight_map }));
    const checkpoint = await openCheckpoint(folder);
    assertEquals(checkpoint.names(), names);
    for (const name of names) assertEquals(await checkpoint.read(name), tensors[name].data);
    checkpoint.close();

    const wrong = async (map: Record<string, unknown>, message: string) => {
      await Deno.writeTextFile(index, JSON.stringify({ weight_map: map }));
      await assertRejects(() => openCheckpoint(folder), Error, message);
    };
    await wrong({ ...weight_map, [names[0]]: "../one.safetensors" }, "beside it");
    await wrong({ ...weight_map, [names[0]]: "three.safetensors" }, "no such file");
    await wrong({}, "names 0 files");
    await wrong(
      { ...weight_map, [names[0]]: "two.safetensors" },
      `it says that "${names[0]}" is in "two.safetensors", and "one.safetensors" holds it.`,
    );
    // As in transformers: what a file holds is read, named or not; a name that no file holds is none.
    const { [names[0]]: _left, ...rest } = weight_map;
    await Deno.writeTextFile(index, JSON.stringify({ weight_map: { ...rest, extra: "one.safetensors" } }));
    const lenient = await openCheckpoint(folder);
    assertEquals(await lenient.read(names[0]), tensors[names[0]].data);
    assertEquals(lenient.has("extra"), false);
    lenient.close();
    // Twice, and the index does not say which: nobody can know.
    const two = Object.fromEntries([names[0], ...names.slice(5)].map((name) => [name, tensors[name]]));
    await writeSafetensors(`${folder}/two.safetensors`, two);
    await wrong(rest, `two files hold "${names[0]}"`);
  });
});

Deno.test("openCheckpoint() reads PyTorch weights that are split over files", async () => {
  await withFolder(async (folder) => {
    const { tensors } = smallModel(2);
    const names = Object.keys(tensors);
    const part = (n: number) => `pytorch_model-0000${n}-of-00002.bin`;
    const parts = [names.slice(0, 5), names.slice(5)];
    for (const [i, half] of parts.entries()) {
      await writeTorch(
        `${folder}/${part(i + 1)}`,
        Object.fromEntries(half.map((name) => [name, tensors[name]])),
      );
    }
    const weight_map = Object.fromEntries(
      parts.flatMap((half, i) => half.map((name) => [name, part(i + 1)])),
    );
    await Deno.writeTextFile(`${folder}/pytorch_model.bin.index.json`, JSON.stringify({ weight_map }));
    const checkpoint = await openCheckpoint(folder);
    assertEquals(checkpoint.names(), names);
    for (const name of names) assertEquals(await checkpoint.read(name), tensors[name].data);
    checkpoint.close();
  });
});

for (const prefix of ["_orig_mod.", "module.", "module._orig_mod."]) {
  Deno.test(`Names under ${prefix}, which a wrapper of the module put there, are read without it`, async () => {
    await withFolder(async (folder) => {
      const model = smallModel(7);
      const tensors = Object.fromEntries(
        Object.entries(model.tensors).map(([name, t]) => [prefix + name, t]),
      );
      await writeModelFolder(folder, { ...model, tensors });
      const { checkpoint } = await openModelFolder(folder);
      for (const [name, { data }] of Object.entries(model.tensors)) {
        assertEquals(await checkpoint.read(name), data);
      }
      checkpoint.close();
    });
  });
}

Deno.test("A value head beside the weights is passed over", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(8);
    model.tensors["v_head.summary.weight"] = { dtype: "F32", dims: [1, 10], data: new Float32Array(10) };
    await writeModelFolder(folder, model);
    (await openModelFolder(folder)).checkpoint.close();
  });
});

const pointer = (size: number) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize ${size}\n`;
for (const name of ["model.safetensors", "pytorch_model.bin", "tokenizer.json"]) {
  Deno.test(`A Git LFS pointer in place of ${name} is called one`, async () => {
    await withFolder(async (folder) => {
      await writeModelFolder(folder, smallModel(9));
      if (name.endsWith(".bin")) await Deno.remove(`${folder}/model.safetensors`);
      await Deno.writeTextFile(`${folder}/${name}`, pointer(548105171));
      await assertRejects(
        () => openModelFolder(folder),
        Error,
        'this is a Git LFS pointer, not the file itself of 548105171 bytes: fetch it with "git lfs pull"',
      );
    });
  });
}

Deno.test("What a file says stands in a message cut, in quotes, and without what a terminal obeys", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(10);
    const name = `\x1b[2J\u202e${"x".repeat(1e6)}`;
    model.tensors[name] = { dtype: "F32", dims: [1], data: new Float32Array(1) };
    await writeModelFolder(folder, model);
    const error = await assertRejects(() => openModelFolder(folder), Error, "does not account for");
    assert(error.message.length < 500, `${error.message.length} characters`);
    assertMatch(error.message, /such as "\\u001b\[2J\\u202ex+…/);
  });
});

Deno.test("Checkpoint.read() names tensor and index of a weight that is not finite", async () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    await withFolder(async (folder) => {
      const model = smallModel(3);
      model.tensors["blocks.1.attn.W_O"].data[7] = bad;
      await writeModelFolder(folder, model);
      const { checkpoint } = await openModelFolder(folder);
      await assertRejects(() => checkpoint.read("blocks.1.attn.W_O"), Error, `is ${bad} at index 7 of 120`);
      checkpoint.close();
    });
  }
});

Deno.test("Checkpoint suggests the nearest tensor name", async () => {
  const checkpoint = await openCheckpointFile(dataPath("models/tiny-gelu-4l/model.safetensors"));
  await assertRejects(() => checkpoint.read("blocks.0.attn.W_q"), Error, 'Did you mean "blocks.0.attn.W_Q"?');
  checkpoint.close();
});

Deno.test("openModelFolder() ignores buffers and lets unembed.b_U be missing", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(4);
    delete model.tensors["unembed.b_U"];
    model.tensors["blocks.0.attn.mask"] = { dtype: "BOOL", dims: [9, 9], data: new Uint8Array(81) };
    model.tensors["blocks.0.attn.IGNORE"] = { dtype: "F32", dims: [], data: new Float32Array([-Infinity]) };
    await writeModelFolder(folder, model);
    const { checkpoint } = await openModelFolder(folder);
    assertEquals(checkpoint.has("unembed.b_U"), false);
    await assertRejects(() => checkpoint.read("blocks.0.attn.mask"), Error, "BOOL");
    checkpoint.close();
  });
});

type Damage = (folder: string) => Promise<void>;
const damages: [what: string, damage: Damage, message: string][] = [
  ["no config", (folder) => Deno.remove(`${folder}/config.json`), "no such file"],
  ["no weights", (folder) => Deno.remove(`${folder}/model.safetensors`), "holds no weights"],
  [
    "a config that is cut off",
    (folder) => Deno.writeTextFile(`${folder}/config.json`, '{"d_model":'),
    "is not JSON",
  ],
  [
    "a config that is a list",
    (folder) => Deno.writeTextFile(`${folder}/config.json`, "[]"),
    "it holds a list",
  ],
  ["weights that are cut off", (folder) => Deno.truncate(`${folder}/model.safetensors`, 6000), "truncated"],
  [
    "weights of another size",
    (folder) => writeModelFolder(folder, { ...smallModel(5), json: smallModel(5, { d_mlp: 16 }).json }),
    '"blocks.0.mlp.W_in" is [10, 14], config.json calls for [10, 16]',
  ],
  [
    "weights of fewer layers",
    (folder) => writeModelFolder(folder, { ...smallModel(5), json: smallModel(5, { n_layers: 3 }).json }),
    'lacks "blocks.2.ln1.w" [10]',
  ],
  [
    "weights of more layers",
    (folder) => writeModelFolder(folder, { ...smallModel(5), json: smallModel(5, { n_layers: 1 }).json }),
    "does not account for",
  ],
  [
    "a damaged tokenizer",
    (folder) => Deno.writeTextFile(`${folder}/tokenizer.json`, "{}"),
    '"model.vocab" is missing',
  ],
  [
    "cleanup data of another model",
    (folder) => Deno.writeTextFile(`${folder}/cleanup.json`, '{"writer":"L7H0"}'),
    "L7H0",
  ],
];
for (const [what, damage, message] of damages) {
  Deno.test(`openModelFolder() refuses a folder with ${what}`, async () => {
    await withFolder(async (folder) => {
      await writeModelFolder(folder, smallModel(5));
      await damage(folder);
      await assertRejects(() => openModelFolder(folder), Error, message);
    });
  });
}

Deno.test("openCheckpoint() says when a folder does not exist or holds several weight files", async () => {
  await assertRejects(() => openCheckpoint("/no/such/folder"), Error, "no such folder");
  await withFolder(async (folder) => {
    for (const name of ["a", "b"]) await Deno.writeTextFile(`${folder}/${name}.safetensors`, "");
    await assertRejects(() => openCheckpoint(folder), Error, "a.safetensors, b.safetensors");
  });
});
