/**
 * A GGUF file as a model: config.json, weights under their Hugging Face names, and the tokenizer, all from
 * the one file.
 */
import type { RawTensor } from "../dtypes.ts";
import { allocate } from "../dtypes.ts";
import { quoted } from "../quoted.ts";
import type { TensorFile } from "../safetensors.ts";
import { GgufFile } from "./gguf_file.ts";
import { type Architecture, architectureOf } from "./names.ts";
import { ropeScaling } from "./rope_factors.ts";
import { type GgufTokenizer, tokenizerJson } from "./vocabulary.ts";

export interface GgufModel {
  config: Record<string, unknown>;
  file: TensorFile;
  /** undefined where the file has none that can be written as a tokenizer.json. */
  tokenizer?: GgufTokenizer;
}

/**
 * @throws for a file that is no GGUF file, and for an architecture or a tensor that is not read. The caller
 * closes `file`.
 */
export async function openGguf(path: string): Promise<GgufModel> {
  const gguf = await GgufFile.open(path);
  try {
    const { prefix, architecture, values } = architectureOf(gguf.metadata, path);
    const names = hubNames(gguf, architecture);
    const embedding = gguf.tensors.get("token_embd.weight");
    if (!embedding) throw new Error(`${path} holds no "token_embd.weight".`);
    const tied = !gguf.tensors.has("output.weight");
    const config = architecture.config(values, { vocab: embedding.dims[0], tied, prefix });
    const factors = gguf.tensors.has("rope_freqs.weight") ? await gguf.read("rope_freqs.weight") : undefined;
    if (factors) config.rope_scaling = ropeScaling(factors.data as Float32Array, config, path);
    const heads = {
      head_count: config.num_attention_heads,
      head_count_kv: config.num_key_value_heads,
    } as Heads;
    const tokenizer = tokenizerJson(gguf.metadata);
    return { config, file: renamed(gguf, names, architecture, heads), ...(tokenizer ? { tokenizer } : {}) };
  } catch (error) {
    gguf.close();
    throw error;
  }
}

/** Hugging Face's name → GGUF's. */
function hubNames(gguf: GgufFile, { tensor }: Architecture): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of gguf.tensors.keys()) {
    if (name === "rope_freqs.weight") continue;
    const hub = tensor(name);
    if (hub === undefined) {
      throw new Error(`${gguf.path} holds the tensor ${quoted(name)}, which is not known.`);
    }
    names.set(hub, name);
  }
  return names;
}

type Heads = Record<"head_count" | "head_count_kv", number>;

function renamed(
  gguf: GgufFile,
  names: Map<string, string>,
  architecture: Architecture,
  heads: Heads,
): TensorFile {
  const { transposed, paired = [] } = architecture;
  const tensors = new Map([...names].map(([hub, name]) => {
    const { dims, dtype } = gguf.tensors.get(name)!;
    return [hub, { dtype, dims: transposed?.test(hub) ? [...dims].reverse() : dims }];
  }));
  return {
    path: gguf.path,
    tensors,
    close: () => gguf.close(),
    place(hub) {
      const name = names.get(hub);
      if (name === undefined || transposed?.test(hub)) return undefined;
      const place = gguf.place(name);
      const pairs = paired.find(({ tensors }) => tensors.test(hub));
      if (!place || !pairs) return place;
      const each = gguf.tensors.get(name)!.dims[0] / heads[pairs.heads];
      return { ...place, row: (i) => i - i % each + pairedRow(i % each, each / 2) };
    },
    async read(hub) {
      const name = names.get(hub);
      if (name === undefined) throw new Error(`${gguf.path} holds no tensor ${quoted(hub)}.`);
      const tensor = await gguf.read(name);
      if (transposed?.test(hub)) return transpose(tensor);
      const pairs = paired.find(({ tensors }) => tensors.test(hub));
      return pairs ? unpaired(tensor, heads[pairs.heads]) : tensor;
    },
  };
}

function transpose({ dims: [rows, columns], dtype, data }: RawTensor): RawTensor {
  const out = allocate(dtype, data.length) as Float32Array;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = (data as Float32Array)[i * columns + j];
  }
  return { dims: [columns, rows], dtype, data: out as typeof data };
}

/** Which row of a head [pair, 2] is row i of [2, pair]. */
const pairedRow = (i: number, pairs: number) => i < pairs ? 2 * i : 2 * (i - pairs) + 1;

/** Rows [head, pair, 2] → [head, 2, pair]. */
function unpaired({ dims, dtype, data }: RawTensor, heads: number): RawTensor {
  const [rows, width = 1] = dims;
  const pairs = rows / heads / 2;
  if (!Number.isInteger(pairs)) return { dims, dtype, data }; // the dims are refused where they are checked
  const out = allocate(dtype, data.length);
  for (let row = 0; row < rows; row++) {
    const from = (row - row % (2 * pairs) + pairedRow(row % (2 * pairs), pairs)) * width;
    (out as Float32Array).set((data as Float32Array).subarray(from, from + width), row * width);
  }
  return { dims, dtype, data: out };
}
