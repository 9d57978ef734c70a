/**
 * Folders of models of known shapes with random weights in bfloat16: what loading and running them takes can
 * be measured without a download. "llama-7b" is a sparse file: all weights are 0 but the norms'. The time is
 * that of any weights.
 */
import * as fs from "node:fs";
import { randomInt, randomSource } from "../reference/random.ts";

export interface Shape {
  config: Record<string, unknown>;
  tensors: Record<string, number[]>;
  sparse: boolean;
}

function llama(
  [d, layers, heads, kv, mlp, vocab]: number[],
  tied: boolean,
  more: Record<string, unknown>,
  sparse = false,
): Shape {
  const head = d / heads, tensors: Record<string, number[]> = { "model.embed_tokens.weight": [vocab, d] };
  for (let layer = 0; layer < layers; layer++) {
    const put = (name: string, ...dims: number[]) => tensors[`model.layers.${layer}.${name}.weight`] = dims;
    put("input_layernorm", d);
    for (const [x, n] of [["q", heads], ["k", kv], ["v", kv]] as const) {
      put(`self_attn.${x}_proj`, n * head, d);
    }
    put("self_attn.o_proj", d, heads * head);
    put("post_attention_layernorm", d);
    for (const x of ["gate", "up"]) put(`mlp.${x}_proj`, mlp, d);
    put("mlp.down_proj", d, mlp);
  }
  tensors["model.norm.weight"] = [d];
  if (!tied) tensors["lm_head.weight"] = [vocab, d];
  const config = {
    model_type: "llama",
    architectures: ["LlamaForCausalLM"],
    hidden_size: d,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kv,
    head_dim: head,
    intermediate_size: mlp,
    vocab_size: vocab,
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    tie_word_embeddings: tied,
    torch_dtype: "bfloat16",
    ...more,
  };
  return { config, tensors, sparse };
}

function pythia([d, layers, heads, vocab]: number[]): Shape {
  const tensors: Record<string, number[]> = { "gpt_neox.embed_in.weight": [vocab, d] };
  for (let layer = 0; layer < layers; layer++) {
    const at = `gpt_neox.layers.${layer}.`;
    for (const norm of ["input_layernorm", "post_attention_layernorm"]) {
      tensors[`${at}${norm}.weight`] = tensors[`${at}${norm}.bias`] = [d];
    }
    for (
      const [name, out, into] of [["attention.query_key_value", 3 * d, d], ["attention.dense", d, d], [
        "mlp.dense_h_to_4h",
        4 * d,
        d,
      ], ["mlp.dense_4h_to_h", d, 4 * d]] as const
    ) {
      tensors[`${at}${name}.weight`] = [out, into];
      tensors[`${at}${name}.bias`] = [out];
    }
  }
  tensors["gpt_neox.final_layer_norm.weight"] = tensors["gpt_neox.final_layer_norm.bias"] = [d];
  tensors["embed_out.weight"] = [vocab, d];
  const config = {
    model_type: "gpt_neox",
    architectures: ["GPTNeoXForCausalLM"],
    hidden_size: d,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * d,
    vocab_size: vocab,
    max_position_embeddings: 2048,
    hidden_act: "gelu",
    layer_norm_eps: 1e-5,
    rotary_pct: 0.25,
    rotary_emb_base: 10000,
    use_parallel_residual: true,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
  };
  return { config, tensors, sparse: false };
}

function gpt2([d, layers, heads, vocab]: number[]): Shape {
  const tensors: Record<string, number[]> = { "wte.weight": [vocab, d], "wpe.weight": [1024, d] };
  const both = (name: string, ...weight: number[]) => {
    tensors[`${name}.weight`] = weight;
    tensors[`${name}.bias`] = [weight.at(-1)!];
  };
  for (let layer = 0; layer < layers; layer++) {
    both(`h.${layer}.ln_1`, d);
    both(`h.${layer}.attn.c_attn`, d, 3 * d);
    both(`h.${layer}.attn.c_proj`, d, d);
    both(`h.${layer}.ln_2`, d);
    both(`h.${layer}.mlp.c_fc`, d, 4 * d);
    both(`h.${layer}.mlp.c_proj`, 4 * d, d);
  }
  both("ln_f", d);
  const config = {
    model_type: "gpt2",
    architectures: ["GPT2LMHeadModel"],
    n_embd: d,
    n_layer: layers,
    n_head: heads,
    n_positions: 1024,
    n_ctx: 1024,
    vocab_size: vocab,
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
    torch_dtype: "bfloat16",
  };
  return { config, tensors, sparse: false };
}

export const SHAPES: Record<string, (layers?: number) => Shape> = {
  "llama-1b": (layers = 16) =>
    llama([2048, layers, 32, 8, 8192, 128256], true, {
      max_position_embeddings: 131072,
      rope_theta: 500000,
      rope_scaling: {
        rope_type: "llama3",
        factor: 32,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 8192,
      },
    }),
  "smollm-135m": (layers = 30) =>
    llama([576, layers, 9, 3, 1536, 49152], true, { max_position_embeddings: 2048, rope_theta: 10000 }),
  "llama-7b": (layers = 32) =>
    llama(
      [4096, layers, 32, 32, 11008, 32000],
      false,
      { max_position_embeddings: 4096, rope_theta: 10000 },
      true,
    ),
  "gpt2-small": (layers = 12) => gpt2([768, layers, 12, 50257]),
  "pythia-1b": (layers = 16) => pythia([2048, layers, 8, 50304]),
};

const ONE = 0x3f80, PIECE = 1 << 22;

/** Writes config.json and model.safetensors: matrices of sd 0.02, norms of about 1. */
export function makeFolder(folder: string, shape: Shape): void {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(`${folder}/config.json`, JSON.stringify(shape.config));
  const entries: Record<string, unknown> = {};
  let end = 0;
  for (const [name, dims] of Object.entries(shape.tensors)) {
    const bytes = 2 * dims.reduce((a, b) => a * b, 1);
    entries[name] = { dtype: "BF16", shape: dims, data_offsets: [end, end += bytes] };
  }
  let header = JSON.stringify(entries);
  header = header.padEnd(Math.ceil(header.length / 8) * 8);
  const file = fs.openSync(`${folder}/model.safetensors`, "w");
  const start = new Uint8Array(8 + header.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(header.length), true);
  start.set(new TextEncoder().encode(header), 8);
  fs.writeSync(file, start, 0, start.length, 0);
  // Random bits of sign and fraction, exponents of 0.0078 to 0.031: a stretch of them, taken from elsewhere
  // each time.
  const random = randomSource(1);
  const values = Uint16Array.from(
    { length: PIECE },
    () => (randomInt(random, 2) << 15) | ((120 + randomInt(random, 2)) << 7) | randomInt(random, 128),
  );
  let at = start.length;
  for (const [name, dims] of Object.entries(shape.tensors)) {
    const count = dims.reduce((a, b) => a * b, 1);
    const norm = /norm|ln_/.test(name) && name.endsWith("weight");
    if (norm) {
      const near1 = Uint16Array.from({ length: count }, () => ONE | randomInt(random, 64));
      fs.writeSync(file, new Uint8Array(near1.buffer), 0, 2 * count, at);
    } else if (!shape.sparse) {
      for (let done = 0; done < count;) {
        const from = randomInt(random, PIECE / 2), length = Math.min(count - done, PIECE / 2);
        fs.writeSync(file, new Uint8Array(values.buffer, 2 * from, 2 * length), 0, 2 * length, at + 2 * done);
        done += length;
      }
    }
    at += 2 * count;
  }
  fs.ftruncateSync(file, start.length + end);
  fs.closeSync(file);
  console.log(`${folder}: ${((start.length + end) / 1e9).toFixed(2)} GB${shape.sparse ? ", sparse" : ""}`);
}
