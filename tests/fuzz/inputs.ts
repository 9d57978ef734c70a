/** Small good inputs of every kind, from which the damaged ones are made. */
import { encodeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { smallConfigJson } from "../checkpoints/small_model.ts";

const here = (path: string) => new URL(`../${path}`, import.meta.url);
const bytesAt = (path: string) => Deno.readFileSync(here(path)) as Uint8Array<ArrayBuffer>;
// deno-lint-ignore no-explicit-any
const jsonAt = (path: string): any => JSON.parse(Deno.readTextFileSync(here(path)));
const namesIn = (folder: string, ending: string) =>
  [...Deno.readDirSync(here(folder))].map(({ name }) => name).filter((name) => name.endsWith(ending)).sort();

/** Made when it is first asked for: a run of one target does not read the others' inputs. */
function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const entries = lazily(() => {
  const numbers = Float32Array.from({ length: 24 }, (_, i) => i / 8);
  return {
    "a.weight": { dtype: "F32" as const, dims: [4, 6], data: numbers },
    "a.bias": { dtype: "F32" as const, dims: [6, 4], strides: [1, 6], data: numbers },
    half: { dtype: "F16" as const, dims: [3], data: Uint16Array.from([0, 0x3c00, 0x3555]) },
    brain: { dtype: "BF16" as const, dims: [2], data: Uint16Array.from([0x3f80, 0xc000]) },
    ids: { dtype: "I64" as const, dims: [2], data: BigInt64Array.from([1n, -2n]) },
    mask: { dtype: "BOOL" as const, dims: [2, 2], data: new Uint8Array([1, 0, 1, 1]) },
    empty: { dtype: "F32" as const, dims: [0, 3], data: new Float32Array(0) },
  };
});

export const safetensors = lazily(() => {
  const { "a.bias": _strided, ...plain } = entries();
  return encodeSafetensors(plain, { made: "here" });
});

export const tokenizers = lazily(() => {
  const { vocabularies, cases } = jsonAt("reference/data/tokenizers.json");
  const small = { ...vocabularies.chars, model: { ...vocabularies.chars.model } };
  const vocab = Object.entries(small.model.vocab as Record<string, number>).filter(([, id]) => id < 150);
  small.model.vocab = Object.fromEntries(vocab);
  small.model.merges = small.model.merges.filter((m: string[]) => m.join("") in small.model.vocab).slice(
    0,
    40,
  );
  const base = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  const template = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<|endoftext|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  };
  return cases.map(({ parts }: { parts: unknown }) => ({
    ...base,
    ...small,
    post_processor: template,
    ...parts as object,
  }));
});

const files = (folder: string, ending: string) =>
  lazily(() => namesIn(folder, ending).map((name) => bytesAt(`${folder}/${name}`)));
export const parquet = files("checkpoints/data/parquet", ".parquet");
export const gguf = lazily(() =>
  ["blocks", "gpt2-Q4_0", "qwen2-Q4_1"].map((name) => bytesAt(`checkpoints/data/gguf/${name}.gguf`))
);
export const configs = lazily(() => [
  smallConfigJson,
  ...[...Deno.readDirSync(here("reference/families"))].filter((e) => e.isDirectory).map((e) => e.name).sort()
    .map((name) => jsonAt(`reference/families/${name}/config.json`)),
]);

export const CLEANUP = { writer: "L0H1", cleaners: ["L1H0", "MLP1"], patchedLayers: [1], source: "a test" };
export const ADVERSARIAL = {
  prompts: [{ text: "a b", correct: " c", incorrect: " d" }, { text: "e" }],
  source: "a test",
};
export const NOTEBOOK = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: { kernelspec: { name: "deno" }, cleanup_lens: { files: ["a.svg"], seconds: 1 } },
  cells: [
    { cell_type: "markdown", id: "m", metadata: {}, source: ["# A\n", "b"] },
    {
      cell_type: "code",
      id: "c",
      metadata: {},
      source: "1",
      execution_count: 1,
      outputs: [
        { output_type: "stream", name: "stdout", text: ["x\n"] },
        { output_type: "execute_result", execution_count: 1, data: { "text/plain": ["1"] }, metadata: {} },
        { output_type: "error", ename: "E", evalue: "e", traceback: ["t"] },
      ],
    },
  ],
};
const oid = "ab".repeat(20);
export const HUB = [
  { _id: "0", id: "a/b", sha: oid, private: false, downloads: 1, gated: false, likes: 1 },
  [
    { type: "file", path: "config.json", size: 10, oid },
    { type: "directory", path: "onnx", size: 0, oid },
    {
      type: "file",
      path: "model.safetensors",
      size: 10_000,
      oid,
      lfs: { oid: "cd".repeat(32), size: 10_000, pointerSize: 134 },
    },
  ],
];
export const LINES =
  `{"text": "one"}\n\n{"text": null, "id": 3}\n{"text": "naïve — 日本語 🙂\\n"}\n{"text": "${
    "long ".repeat(50)
  }"}\n`;
