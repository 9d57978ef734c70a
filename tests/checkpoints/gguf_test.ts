/**
 * GGUF files by gguf-py: every kind of block against its own dequantisation, whole models against
 * transformers' logits.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { GgufFile } from "../../lib/checkpoints/gguf/gguf_file.ts";
import { openGguf } from "../../lib/checkpoints/gguf/gguf_model.ts";
import { ropeScaling } from "../../lib/checkpoints/gguf/rope_factors.ts";
import { tokenizerJson } from "../../lib/checkpoints/gguf/vocabulary.ts";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { off } from "../transformer/families/recorded.ts";
import { memorySource } from "./memory_source.ts";
import { withFolder } from "./small_model.ts";

const folder = new URL("./data/gguf/", import.meta.url).pathname;

async function recorded(name: string) {
  const file = await SafetensorsFile.open(`${folder}${name}.safetensors`);
  const tensors = new Map<string, { dims: number[]; data: Float32Array }>();
  for (const key of file.tensors.keys()) tensors.set(key, await file.read(key) as never);
  file.close();
  return tensors;
}

Deno.test("Blocks of every kind are dequantised as gguf-py does", async () => {
  const file = await GgufFile.open(`${folder}blocks.gguf`);
  const expected = await recorded("blocks");
  assertEquals([...file.tensors.keys()].sort(), [...expected.keys()].sort());
  for (const [name, { dims, data }] of expected) {
    const tensor = await file.read(name);
    assertEquals(tensor.dims, dims, name);
    if (tensor.dtype === "F32") assert(off(tensor.data as Float32Array, data) < 1e-6, name);
  }
  file.close();
});

for (const name of ["llama-Q8_0", "llama-F16", "qwen2-Q4_1", "gpt2-Q4_0"]) {
  Deno.test(`${name}.gguf: logits are those of transformers, which loaded the same file`, async () => {
    const expected = await recorded(name);
    const { dims: [count, length], data } = expected.get("tokens")!;
    const notes: string[] = [];
    const model = await loadModel(`${folder}${name}.gguf`, {
      processing: false,
      onNote: (note) => notes.push(note),
    });
    const prompts = { tokens: Int32Array.from(data), count, length, source: name };
    const { logits } = await model.runWithCache(prompts, []);
    const error = off(logits.data, expected.get("logits")!.data);
    assert(error < 5e-6, `logits are off by ${error} of their scale`);
    assertEquals(notes, []);
    // The tokenizer of the file: "%" and "&" are merged, BOS is <|endoftext|>, which no tokenizer but GPT-2's
    // habit puts first.
    const first = name.startsWith("gpt2") ? [0] : [];
    assertEquals([...model.prompts(["!%&"]).tokens], [...first, 1, 63]);
  });
}

Deno.test("A folder that holds one GGUF file and no config.json is that model; with two, one must be named", async () => {
  await withFolder(async (temporary) => {
    await Deno.copyFile(`${folder}gpt2-Q4_0.gguf`, `${temporary}/a.gguf`);
    assertEquals((await loadModel(temporary)).config.n_layers, 2);
    await Deno.copyFile(`${folder}gpt2-Q4_0.gguf`, `${temporary}/b.gguf`);
    await assertRejects(() => loadModel(temporary), Error, "holds 2 GGUF files: give the path of the one");
  });
});

Deno.test("A GGUF file of another architecture, or with factors of rotation that are not known, is refused", async () => {
  await assertRejects(
    () => openGguf(`${folder}blocks.gguf`),
    Error,
    '"general.architecture" is "blocks"; of GGUF files these are read: llama',
  );
  const config = { rope_theta: 500000 };
  assertEquals(ropeScaling(new Float32Array(64).fill(1), config, "a.gguf"), null);
  // Llama 3.2's: d_head 64, factor 32; values by transformers' _compute_llama3_parameters, inverse
  // frequencies before ÷ after.
  const llama32 = Float32Array.from(LLAMA_32);
  assertEquals(ropeScaling(llama32, config, "a.gguf"), {
    rope_type: "llama3",
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  });
  llama32[20] = 7;
  try {
    ropeScaling(llama32, config, "a.gguf");
    throw new Error("nothing was thrown");
  } catch (error) {
    assertMatch((error as Error).message, /not those of Llama 3.1 or 3.2/);
  }
});

// 32 factors, recorded with transformers 5.24.
const LLAMA_32 = [
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1,
  1.65133,
  3.29226,
  9.66673,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
  32,
];

Deno.test("A vocabulary that cannot be written as tokenizer.json is none, and never a wrong one", () => {
  const bpe = { "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.merges": [] };
  assertEquals(tokenizerJson({ ...bpe, "tokenizer.ggml.pre": "gpt-2" })?.settings, {});
  assertEquals(tokenizerJson({ ...bpe, "tokenizer.ggml.pre": "of-next-year" }), undefined);
  assertEquals(tokenizerJson({ ...bpe, "tokenizer.ggml.model": "llama" }), undefined);
});

Deno.test("Every truncation of a GGUF file is refused with one error of one line", async () => {
  const bytes = await Deno.readFile(`${folder}gpt2-Q4_0.gguf`);
  const end = bytes.length;
  for (const length of [0, 3, 4, 7, 8, 23, 24, 60, 500, 1500, 2500, 3500, end - 40]) {
    const error = await assertRejects(
      () => GgufFile.from(memorySource(bytes.subarray(0, length))),
      Error,
      "cannot be read as GGUF",
    );
    assertMatch(error.message, /^[^\n]{20,500}$/);
  }
});
