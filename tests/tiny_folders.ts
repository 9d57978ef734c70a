/**
 * Folders as a user has them: random weights of a Hugging Face family, config.json and tokenizer.json, and
 * nothing of this project. Small enough that every notebook runs in seconds.
 */
import { dataPath, readPrompts } from "../lib/checkpoints/mod.ts";
import type { RawTensor } from "../lib/checkpoints/dtypes.ts";
import { writeSafetensors } from "../lib/checkpoints/safetensors_write.ts";
import { SafetensorsFile } from "../lib/checkpoints/safetensors.ts";
import { randomNormal, randomSource } from "./reference/random.ts";
import { configOf, folderOf } from "./transformer/families/recorded.ts";

/**
 * Tables with a row for each token. The recorded checkpoints have 97; the embedded model's tokenizer has
 * more.
 */
const BY_TOKEN = /(wte|embed_tokens|lm_head)\.weight$/;
const VOCABULARY = 4096;

/** Enough for a scan, fewer than some notebooks ask for. */
const PROMPTS = 40;

/**
 * Writes the recorded checkpoint `name` ("gpt2", "llama") into `folder`, with the embedded model's tokenizer,
 * vocabulary and some prompts. `dtype`: of the weights in the file.
 */
export async function writeTinyFolder(
  folder: string,
  name: string,
  dtype: "F32" | "BF16" = "F32",
): Promise<void> {
  const random = randomSource(1);
  const tensors: Record<string, RawTensor> = {};
  for await (const { name: file } of Deno.readDir(folderOf(name))) {
    if (!/^model.*\.safetensors$/.test(file)) continue;
    const weights = await SafetensorsFile.open(`${folderOf(name)}/${file}`);
    for (const [key, { dims }] of weights.tensors) {
      const { data } = await weights.read(key);
      const wide = BY_TOKEN.test(key) ? [VOCABULARY, dims[1]] : [...dims];
      const values = BY_TOKEN.test(key)
        ? randomNormal(random, VOCABULARY * dims[1], 0.3)
        : data as Float32Array<ArrayBuffer>;
      tensors[key] = { dtype, dims: wide, data: dtype === "F32" ? values : upperHalves(values) };
    }
    weights.close();
  }
  await Deno.mkdir(folder, { recursive: true });
  await writeSafetensors(`${folder}/model.safetensors`, tensors);
  await Deno.writeTextFile(
    `${folder}/config.json`,
    JSON.stringify(configOf(name, { vocab_size: VOCABULARY })),
  );
  const held = await readPrompts("held-out", { count: PROMPTS, length: 32 });
  await writeSafetensors(`${folder}/mine.safetensors`, {
    tokens: { dtype: "I32", dims: [held.count, held.length], data: held.tokens },
  });
  await Deno.writeTextFile(`${folder}/prompts.json`, JSON.stringify({ file: "mine.safetensors" }));
  await Deno.copyFile(dataPath("models/tiny-gelu-4l/tokenizer.json"), `${folder}/tokenizer.json`);
}

/** bfloat16, rounded towards 0. */
const upperHalves = (values: Float32Array): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16);
