/**
 * Weights that stay in their file (families/placed.ts), in every family: values, hooks and logits are those
 * of the same checkpoint read into memory, which reference_test.ts compares with transformers. Both compute
 * in float32 and in another order: 1e-6 to 4e-6 of a value's scale.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openCheckpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { RawTensor } from "../../../lib/checkpoints/dtypes.ts";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import { SafetensorsFile } from "../../../lib/checkpoints/safetensors.ts";
import { writeSafetensors } from "../../../lib/checkpoints/safetensors_write.ts";
import { run } from "../../../lib/tensor/run.ts";
import { hookPoints } from "../../../lib/transformer/hook_points.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import type { Model } from "../../../lib/transformer/model.ts";
import { whereWeightsLive } from "../../../lib/transformer/where_weights_live.ts";
import { writeTorch } from "../../checkpoints/write_torch.ts";
import { folderOf, off, recorded, recordedNames } from "./recorded.ts";

/** As in reference_test.ts. */
const TOLERANCE = 5e-6;

async function bothWays(name: string, processing: false | undefined): Promise<[file: Model, memory: Model]> {
  const load = (weights: "file" | "memory") =>
    loadModel(folderOf(name), { processing, weights, onNote: () => {} });
  return [await load("file"), await load("memory")];
}

for (const name of recordedNames) {
  Deno.test(`${name}: weights in the file, processed or not, compute what weights in memory do`, async () => {
    const { prompts } = await recorded(name);
    for (const processing of [false, undefined] as const) {
      const [file, memory] = await bothWays(name, processing);
      const kind = processing === false ? "as they are" : "processed";
      assert(!file.inMemory && memory.inMemory);
      assertEquals(file.params.names(), [...memory.weights.keys()]);
      // Either keeps its own order of dims; the values meet by name.
      const ordered = [...memory.weights].map(([weight, { dims }]) =>
        [weight, file.params.get(weight).order(...dims.map((d) => d.name))] as const
      );
      const values = await run(Object.fromEntries(ordered), {});
      for (const [weight, { data }] of memory.weights) {
        assertClose(values[weight].data, data, `${weight}, ${kind}`);
      }
      const hooks = processing === false ? ["hook_embed"] : [...hookPoints(file.config).keys()];
      const got = await file.runWithCache(prompts, hooks),
        expected = await memory.runWithCache(prompts, hooks);
      if (expected.logits.data.length > 0) {
        assertClose(got.logits.data, expected.logits.data, `logits, ${kind}`);
      }
      for (const hook of hooks) {
        assertEquals(got.cache[hook].shape, expected.cache[hook].shape, hook);
        // An error of the scores is a relative error of the pattern.
        const scores = expected.cache[hook.replace("pattern", "attn_scores")].data.filter(Number.isFinite);
        const tolerance = hook.endsWith("pattern")
          ? TOLERANCE * Math.max(1, ...scores.map(Math.abs))
          : TOLERANCE;
        assertClose(got.cache[hook].data, expected.cache[hook].data, `${hook}, ${kind}`, tolerance);
      }
    }
  });
}

function assertClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = TOLERANCE,
): void {
  const finite = Array.from(expected, (x) => Number.isFinite(x)); // scores of hidden keys
  for (let i = 0; i < got.length; i++) if (!finite[i]) assertEquals(got[i], expected[i], what);
  const [a, b] = [got, expected].map((values) => Array.from(values).filter((_, i) => finite[i]));
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (largest === 0) assert(a.every((x) => x === 0), `${what}: not 0`);
  else assert(off(a, b) <= tolerance, `${what} is off by ${off(a, b)} of its scale`);
}

Deno.test("bfloat16 and float16 in safetensors and in PyTorch's files: as the same numbers in memory", async () => {
  const folder = await Deno.makeTempDir(), { prompts } = await recorded("smollm");
  try {
    await Deno.copyFile(`${folderOf("smollm")}/config.json`, `${folder}/config.json`);
    const file = await SafetensorsFile.open(`${folderOf("smollm")}/model.safetensors`);
    for (const dtype of ["BF16", "F16"] as const) {
      const entries: Record<string, RawTensor> = {};
      for (const name of file.tensors.keys()) {
        const { dims, data } = await file.read(name);
        // The upper half of each float32 as bfloat16; float16 of the same bits are other numbers, just as
        // good.
        const bits = new Uint32Array((data as Float32Array).buffer);
        const halves = Uint16Array.from(bits, (b) => dtype === "BF16" ? b >>> 16 : (b >>> 16) & 0xbfff);
        entries[name] = { dims, dtype, data: halves };
      }
      await writeSafetensors(`${folder}/model.safetensors`, entries);
      const safetensors = await logitsBothWays(folder, prompts);
      await Deno.remove(`${folder}/model.safetensors`);
      await writeTorch(
        `${folder}/pytorch_model.bin`,
        Object.fromEntries(
          Object.entries(entries).map(([name, { dims, data }]) => [name, { dtype, dims, data: () => data }]),
        ),
      );
      const torch = await logitsBothWays(folder, prompts);
      await Deno.remove(`${folder}/pytorch_model.bin`);
      assertEquals(torch, safetensors, dtype);
    }
    file.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("GGUF of float16: rows in another order, where they lie; quantised ones are arrays", async () => {
  const { prompts } = await recorded("smollm");
  const small = { ...prompts, tokens: prompts.tokens.map((token) => token % 32) };
  const path = new URL("../../checkpoints/data/gguf/", import.meta.url).pathname;
  await logitsBothWays(`${path}llama-F16.gguf`, small);
  const quantised = await loadModel(`${path}llama-Q8_0.gguf`, { weights: "file", onNote: () => {} });
  const kinds = new Set(quantised.params.names().map((name) => quantised.params.get(name).node.op.kind));
  assert(kinds.has("param") && quantised.params.get("blocks.0.mlp.W_out").node.op.kind === "param");
  await logitsBothWays(`${path}llama-Q8_0.gguf`, small);
});

/** Those of the weights in the file; they are those of the weights in memory. */
async function logitsBothWays(path: string, prompts: Prompts): Promise<Float32Array> {
  const [a, b] = await Promise.all((["file", "memory"] as const).map(async (weights) => {
    const model = await loadModel(path, { weights, onNote: () => {} });
    assertEquals(model.inMemory, weights === "memory");
    return (await model.runWithCache(prompts, ["hook_embed"])).logits.data as Float32Array;
  }));
  assert(off(a, b) <= TOLERANCE, `logits of ${path} are off by ${off(a, b)} of their scale`);
  return a;
}

Deno.test("weights that are not in memory cannot be taken for arrays: the error says how to read them", async () => {
  const model = await loadModel(folderOf("llama"), { weights: "file" });
  assertThrows(() => model.weights, Error, 'load the model with { weights: "memory" }');
});

Deno.test("the rule: at most 1 GiB as float32 in memory", async () => {
  const checkpoint = await openCheckpoint(folderOf("llama"));
  const largest = { ...checkpoint, names: () => ["a"], shape: () => [2 ** 28] };
  assertEquals(whereWeightsLive(checkpoint), "memory");
  assertEquals(
    whereWeightsLive({ ...largest, place: () => checkpoint.place!(checkpoint.names()[0]) }),
    "memory",
  );
  const larger = { ...largest, shape: () => [2 ** 28 + 1] };
  assertEquals(
    whereWeightsLive({ ...larger, place: () => checkpoint.place!(checkpoint.names()[0]) }),
    "file",
  );
  // Quantised ones have no place: they are arrays, whatever they take.
  assertEquals(whereWeightsLive({ ...larger, place: () => undefined }), "memory");
  assertEquals(whereWeightsLive(checkpoint, "file"), "file");
  // Another device has its own copies, which come from memory.
  assertEquals(whereWeightsLive(larger, undefined, "webgpu"), "memory");
  assertThrows(() => whereWeightsLive(larger, "file", "webgpu"), Error, "Leave one of the two out");
  checkpoint.close();
});
