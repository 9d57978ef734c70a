import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import type { RawTensor } from "../../lib/checkpoints/dtypes.ts";
import { toFloat32 } from "../../lib/checkpoints/dtypes.ts";
import { openModelFolder } from "../../lib/checkpoints/model_folder.ts";
import { TorchFile } from "../../lib/checkpoints/torch/torch_file.ts";
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { gelu4lParameters, gelu4lWeights, writeGelu4l } from "./gelu_4l_checkpoint.ts";
import { memorySource } from "./memory_source.ts";
import { smallModel, withFolder } from "./small_model.ts";
import { encodeTorch, type TorchEntry, writeTorch } from "./write_torch.ts";

const fixture = (name: string) => new URL(`./data/${name}`, import.meta.url).pathname;
const range = (length: number, scale = 1) => Float32Array.from({ length }, (_, i) => i * scale);
const open = (bytes: Uint8Array) => TorchFile.from(memorySource(bytes));

/** What data/pytorch-2.15.pth holds: dims, and the values in row-major order. */
const written: Record<string, [string, number[], (number | bigint)[]]> = {
  "embed.W_E": ["F32", [5, 3], [...range(15, 1 / 8)]],
  transposed: ["F32", [6, 4], Array.from({ length: 24 }, (_, i) => (i % 4) * 6 + Math.floor(i / 4))],
  every_second: ["F32", [2, 3], [6, 8, 10, 12, 14, 16]],
  whole: ["F32", [4, 6], [...range(24)]],
  half: ["F16", [3], [0, 0.25, 0.5]],
  bfloat: ["BF16", [2, 2], [-0, -1, -2, -3]],
  ids: ["I64", [3], [1n, -2n, 2n ** 40n]],
  mask: ["BOOL", [3, 3], [1, 0, 0, 1, 1, 0, 1, 1, 1]],
  IGNORE: ["F32", [], [-1e5]],
  double: ["F64", [2], [0.5, -3]],
  empty: ["F32", [0, 3], []],
  expanded: ["F32", [3, 2], [1, 2, 1, 2, 1, 2]],
  parameter: ["F32", [2], [7, 8]],
};

for (const name of ["pytorch-2.15.pth", "pytorch-2.15-protocol-4.pth"]) {
  Deno.test(`TorchFile reads what PyTorch wrote: ${name}`, async () => {
    const file = await TorchFile.open(fixture(name));
    assertEquals([...file.tensors.keys()], Object.keys(written));
    for (const [key, [dtype, dims, values]] of Object.entries(written)) {
      const tensor = await file.read(key);
      assertEquals([tensor.dtype, tensor.dims], [dtype as RawTensor["dtype"], dims], key);
      const isFloat = ["F32", "F16", "BF16", "F64"].includes(dtype);
      assertEquals(Array.from<number | bigint>(isFloat ? toFloat32(tensor, key) : tensor.data), values, key);
    }
    file.close();
  });
}

Deno.test("TorchFile refuses a whole module, naming its class", async () => {
  const error = await assertRejects(() => TorchFile.open(fixture("pytorch-2.15-module.pth")));
  assertStringIncludes(error.message, '"torch.nn.modules.linear.Linear", which is not allowed');
  assertStringIncludes(error.message, "pytorch-2.15-module.pth");
});

Deno.test("TorchFile reads the tests' own checkpoints: shared, strided, 4-dimensional", async () => {
  const entries: Record<string, TorchEntry> = {
    cube: { dtype: "F32", dims: [2, 3, 4], data: range(24) },
    permuted: {
      dtype: "F32",
      dims: [4, 2, 3],
      strides: [1, 12, 4],
      data: new Float32Array(),
      sharedWith: "cube",
    },
    tail: { dtype: "F32", dims: [5], offset: 19, data: new Float32Array(), sharedWith: "cube" },
    overlapping: { dtype: "F32", dims: [3, 3], strides: [1, 1], storageElements: 9, data: range(9, 10) },
    repeated: { dtype: "F32", dims: [2, 2, 2, 2], strides: [0, 1, 0, 2], storageElements: 4, data: range(4) },
  };
  // `sharedWith` takes the storage's size from the entry that it shares with.
  const file = await open(encodeTorch(entries));
  const read = async (name: string) => [...(await file.read(name)).data];
  assertEquals(await read("cube"), [...range(24)]);
  const permuted = [];
  for (let k = 0; k < 4; k++) {
    for (let i = 0; i < 2; i++) for (let j = 0; j < 3; j++) permuted.push(12 * i + 4 * j + k);
  }
  assertEquals(await read("permuted"), permuted);
  assertEquals(await read("tail"), [19, 20, 21, 22, 23]);
  assertEquals(await read("overlapping"), [0, 10, 20, 10, 20, 30, 20, 30, 40]);
  const repeated = [];
  for (let a = 0; a < 2; a++) {
    for (let b = 0; b < 2; b++) {
      for (let c = 0; c < 2; c++) for (let d = 0; d < 2; d++) repeated.push(b + 2 * d);
    }
  }
  assertEquals(await read("repeated"), repeated);
});

Deno.test("TorchFile reads a transposed tensor larger than its window, each byte once for its checksum and once for its elements", async () => {
  const [rows, columns] = [700, 900]; // 630,000 elements, the window has 262,144
  const data = range(rows * columns);
  const bytes = encodeTorch({ t: { dtype: "F32", dims: [columns, rows], strides: [1, columns], data } });
  const read = { bytes: 0 };
  const file = await TorchFile.from(memorySource(bytes, read));
  const before = read.bytes;
  const values = (await file.read("t")).data as Float32Array;
  assertEquals(read.bytes - before, 2 * 4 * rows * columns);
  for (let i = 0; i < values.length; i += 997) {
    assertEquals(values[i], (i % rows) * columns + Math.floor(i / rows));
  }
});

Deno.test("openModelFolder() reads a PyTorch checkpoint with buffers, of several the final one", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(6);
    const entries: Record<string, TorchEntry> = { ...model.tensors };
    for (let layer = 0; layer < 2; layer++) {
      entries[`blocks.${layer}.attn.mask`] = { dtype: "BOOL", dims: [9, 9], data: new Uint8Array(81) };
      entries[`blocks.${layer}.attn.IGNORE`] = { dtype: "F32", dims: [], data: new Float32Array([-1e10]) };
    }
    await writeTorch(`${folder}/model_100_final.pth`, entries);
    await Deno.writeTextFile(`${folder}/model_50.pth`, "an earlier checkpoint");
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(model.json));
    const { checkpoint } = await openModelFolder(folder);
    for (const [name, { data }] of Object.entries(model.tensors)) {
      assertEquals(await checkpoint.read(name), data);
    }
    checkpoint.close();
    await Deno.rename(`${folder}/model_100_final.pth`, `${folder}/model_100.pth`);
    await assertRejects(() => openModelFolder(folder), Error, "model_100.pth, model_50.pth");
  });
});

/** Resident memory, in bytes, that a process of its own needs to read every tensor of a file and keep it. */
async function memoryToRead(path: string): Promise<number> {
  const denoJson = new URL("../../deno.json", import.meta.url).pathname;
  const script = new URL("./peak_memory.ts", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--frozen", "--cached-only", "--config", denoJson, script, path],
  }).output();
  assert(stdout.length, new TextDecoder().decode(stderr));
  const { before, peak } = JSON.parse(new TextDecoder().decode(stdout));
  return peak - before;
}

Deno.test("a checkpoint of gelu-4l's own size and names is read whole, in less than 1.3 × its weights of memory", async () => {
  await withFolder(async (folder) => {
    await writeGelu4l(folder, 5);
    const { config, checkpoint } = await openModelFolder(folder);
    let parameters = 0;
    for (const [name, dims] of stateDictShapes(config)) {
      if (!checkpoint.has(name)) continue;
      const values = await checkpoint.read(name);
      parameters += values.length;
      const expected = gelu4lWeights(name, dims, 5);
      assert(values.length === expected.length && values.every((x, i) => x === expected[i]), name);
    }
    checkpoint.close();
    assertEquals(parameters, gelu4lParameters); // the number that is published for the model
    assertLess(await memoryToRead(`${folder}/model_final.pth`), 1.3 * 4 * gelu4lParameters);
  });
});

Deno.test("a transposed tensor is read in less than 1.3 × its size of memory", async () => {
  await withFolder(async (folder) => {
    const side = 5000;
    const data = () => new Float32Array(side * side).fill(1);
    await writeTorch(`${folder}/t.pth`, {
      t: { dtype: "F32", dims: [side, side], strides: [1, side], data },
    });
    assertLess(await memoryToRead(`${folder}/t.pth`), 1.3 * 4 * side * side);
  });
});
