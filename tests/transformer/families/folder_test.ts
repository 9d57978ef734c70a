/**
 * Folders of the families: weights that contradict config.json, tied weights, which token is BOS, which file
 * is read.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCheckpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { RawTensor } from "../../../lib/checkpoints/dtypes.ts";
import { SafetensorsFile } from "../../../lib/checkpoints/safetensors.ts";
import { writeSafetensors } from "../../../lib/checkpoints/safetensors_write.ts";
import { topTwoDirection } from "../../../lib/metrics/attribution.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { withFolder } from "../../checkpoints/small_model.ts";
import { configOf, folderOf, type Json, load, recorded } from "./recorded.ts";

/** A copy of a recorded folder, with its config and tensors changed. */
async function withChanged(
  name: string,
  { config = {}, tensors = () => {}, files = {} }: {
    config?: Json;
    tensors?: (all: Record<string, RawTensor>) => void;
    files?: Record<string, unknown>;
  },
  body: (folder: string) => Promise<unknown>,
) {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(configOf(name, config)));
    const file = await SafetensorsFile.open(`${folderOf(name)}/model.safetensors`);
    const all: Record<string, RawTensor> = {};
    for (const tensor of file.tensors.keys()) all[tensor] = await file.read(tensor);
    file.close();
    tensors(all);
    await writeSafetensors(`${folder}/model.safetensors`, all);
    for (const [path, json] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${path}`, JSON.stringify(json));
    }
    await body(folder);
  });
}

const damages: [
  what: string,
  name: string,
  tensors: (all: Record<string, RawTensor>) => void,
  message: string,
][] = [
  [
    "without its unembedding",
    "mistral",
    (all) => delete all["lm_head.weight"],
    'lacks "lm_head.weight" [97, 32]',
  ],
  [
    "without a key bias",
    "qwen2",
    (all) => delete all["model.layers.1.self_attn.k_proj.bias"],
    'lacks "model.layers.1.self_attn.k_proj.bias" [16]',
  ],
  ["with biases that config.json denies", "mistral", (all) => {
    all["model.layers.0.self_attn.q_proj.bias"] = { dims: [32], dtype: "F32", data: new Float32Array(32) };
  }, 'does not account for, such as "model.layers.0.self_attn.q_proj.bias"'],
  ["with a transposed matrix", "gpt2", (all) => {
    all["transformer.h.0.mlp.c_fc.weight"].dims.reverse();
  }, '"transformer.h.0.mlp.c_fc.weight" is [128, 32], config.json calls for [32, 128]'],
  [
    "without a norm of keys",
    "qwen3",
    (all) => delete all["model.layers.0.self_attn.k_norm.weight"],
    "k_norm.weight",
  ],
  [
    "with a joined matrix that is too short",
    "phi3",
    (all) => {
      all["model.layers.0.self_attn.qkv_proj.weight"] = {
        dims: [16, 16],
        dtype: "F32",
        data: new Float32Array(256),
      };
    },
    '"model.layers.0.self_attn.qkv_proj.weight" is [16, 16], config.json calls for [32, 16]',
  ],
  ["with norms of the query", "smollm", (all) => {
    all["model.layers.0.self_attn.q_norm.weight"] = { dims: [8], dtype: "F32", data: new Float32Array(8) };
  }, "q_norm.weight"],
];
for (const [what, name, tensors, message] of damages) {
  Deno.test(`loadModel() refuses ${name} ${what}`, () =>
    withChanged(name, { tensors }, (folder) => assertRejects(() => loadModel(folder), Error, message)));
}

Deno.test("loadModel() says which key contradicts the weights", () =>
  withChanged(
    "mistral",
    { config: { num_key_value_heads: 4 } },
    (folder) =>
      assertRejects(
        () => loadModel(folder),
        Error,
        '"model.layers.0.self_attn.k_proj.weight" is [16, 32], config.json calls for [32, 32]',
      ),
  ));

const otherHead = () => Float32Array.from({ length: 97 * 32 }, (_, i) => Math.sin(i));

for (
  const [name, head] of [["smollm", "lm_head.weight"], ["gpt2", "lm_head.weight"], [
    "gpt-neo",
    "lm_head.weight",
  ]]
) {
  // As transformers 5.x: "both are present in the checkpoints with different values, so we will NOT tie
  // them".
  Deno.test(`loadModel() of ${name} believes the file's own head where config.json ties it, and says so`, () =>
    withChanged(name, {
      tensors: (all) => all[head] = { dims: [97, 32], dtype: "F32", data: otherHead() },
    }, async (folder) => {
      const notes: string[] = [];
      const { weights } = await loadModel(folder, { processing: false, onNote: (note) => notes.push(note) });
      assertEquals(weights.get("unembed.W_U")!.data, otherHead());
      assertEquals(notes.length, 1);
      assert(notes[0].includes(`but the file holds ${head} with other values`), notes[0]);
    }));
}

Deno.test("A tied model whose file holds the same head once more keeps one array of it, and says nothing", () =>
  withChanged("smollm", {
    tensors: (all) => all["lm_head.weight"] = { ...all["model.embed_tokens.weight"] },
  }, async (folder) => {
    const notes: string[] = [];
    const { weights } = await loadModel(folder, { processing: false, onNote: (note) => notes.push(note) });
    assert(weights.get("unembed.W_U")!.data === weights.get("embed.W_E")!.data);
    assertEquals(notes, []);
  }));

Deno.test("The value head of a reward model is passed over", () =>
  withChanged("gpt2", {
    tensors: (all) =>
      all["v_head.summary.weight"] = { dims: [1, 32], dtype: "F32", data: new Float32Array(32) },
  }, async (folder) => assert((await loadModel(folder)).weights.size > 0)));

Deno.test("A base model has everything but logits, and says so", async () => {
  const model = await load("llama-base");
  const { cache, logits } = await model.runWithCache((await recorded("llama-base")).prompts, [
    "ln_final.hook_scale",
  ]);
  assertEquals([...logits.shape], [2, 8, 0]);
  assert(cache["ln_final.hook_scale"].data.every((x) => x > 0));
  assertThrows(() => model.forward().logits, Error, "the model has no unembedding");
  assertThrows(() => topTwoDirection(model.forward()), Error, "no direct logit attribution");
  assertThrows(() => model.forward().weight("unembed.W_U"), Error, "unembed.W_U");
});

Deno.test("Tied weights lie in memory once until processing changes them", async () => {
  const plain = (await load("gpt2", false)).weights;
  assert(plain.get("unembed.W_U")!.data === plain.get("embed.W_E")!.data);
  const before = plain.get("embed.W_E")!.data.slice();
  const processed = (await load("gpt2")).weights;
  assert(processed.get("unembed.W_U")!.data !== processed.get("embed.W_E")!.data);
  assertEquals(plain.get("embed.W_E")!.data, before);
});

/** A tokenizer of whole words: <s> 0, <|endoftext|> 1, a 2 … */
const tokenizer = {
  version: "1.0",
  added_tokens: ["<s>", "<|endoftext|>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: { type: "Whitespace" },
  post_processor: null,
  decoder: null,
  model: { type: "WordLevel", vocab: { "<s>": 0, "<|endoftext|>": 1, a: 2, b: 3 }, unk_token: "<s>" },
};

const bosCases: [what: string, name: string, config: Json, beside: Json | undefined, tokens: number[]][] = [
  ["what tokenizer_config.json names", "gpt2", { bos_token_id: 0 }, { bos_token: "<|endoftext|>" }, [
    1,
    2,
    3,
  ]],
  ["what an older tokenizer_config.json names", "gpt2", { bos_token_id: 0 }, {
    bos_token: { content: "<|endoftext|>" },
  }, [1, 2, 3]],
  ["config.json's id", "gpt2", { bos_token_id: 1 }, undefined, [1, 2, 3]],
  ["config.json's id beside a null", "gpt2", { bos_token_id: 1 }, { bos_token: null }, [1, 2, 3]],
  ["known names at last", "gpt2", { bos_token_id: null }, undefined, [0, 2, 3]],
  // Class defaults that older programs saved: GPT-2's 50256 in a model of 97 tokens; Llama's 1 where that is
  // a word.
  ["known names in place of an id that is not there", "gpt2", { bos_token_id: 50256 }, {}, [0, 2, 3]],
  ["known names in place of an id that is no special token", "gpt2", { bos_token_id: 3 }, {}, [0, 2, 3]],
  ["not put first in Qwen2, whose tokenizer does not", "qwen2", { bos_token_id: 1 }, { bos_token: null }, [
    2,
    3,
  ]],
  // SmolLM2: "bos_token" is "<|im_start|>", and neither a template nor "add_bos_token" puts it first.
  ["not put first by a Llama tokenizer that puts none", "smollm", {}, { bos_token: "<s>" }, [2, 3]],
  ["put first by add_bos_token", "smollm", {}, { bos_token: "<s>", add_bos_token: true }, [0, 2, 3]],
];
for (const [what, name, config, beside, tokens] of bosCases) {
  Deno.test(`BOS: ${what}`, () =>
    withChanged(name, {
      config,
      files: { "tokenizer.json": tokenizer, ...(beside ? { "tokenizer_config.json": beside } : {}) },
    }, async (folder) => {
      const model = await loadModel(folder);
      assertEquals([...model.prompts(["a b"]).tokens], tokens);
    }));
}

Deno.test("BOS: what the tokenizer's template puts first is first, once, also where the text begins with it", () => {
  const post_processor = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "<|endoftext|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: {},
  };
  return withChanged("smollm", {
    config: { bos_token_id: null },
    files: { "tokenizer.json": { ...tokenizer, post_processor } },
  }, async (folder) => {
    const model = await loadModel(folder);
    assertEquals([...model.prompts(["a b"]).tokens], [1, 2, 3]);
    assertEquals([...model.prompts(["<|endoftext|>a b"]).tokens], [1, 2, 3]);
    assertEquals([...model.prompts(["a b"], { prependBos: false }).tokens], [2, 3]);
  });
});

Deno.test("BOS: a vocabulary without any puts none", () =>
  withChanged("gpt2", {
    config: { bos_token_id: 50256 },
    files: {
      "tokenizer.json": {
        ...tokenizer,
        added_tokens: [],
        model: { type: "WordLevel", vocab: { a: 2, b: 3 } },
      },
    },
  }, async (folder) => {
    assertEquals([...(await loadModel(folder)).prompts(["a b"]).tokens], [2, 3]);
  }));

Deno.test("A BOS token that the vocabulary lacks is refused", () =>
  withChanged(
    "gpt2",
    { files: { "tokenizer.json": tokenizer, "tokenizer_config.json": { bos_token: "<bos>" } } },
    (folder) => assertRejects(() => loadModel(folder), Error, 'its vocabulary lacks the BOS token "<bos>"'),
  ));

Deno.test("A tokenizer with more ids than the model has embeddings loads; the id is refused where it comes", () =>
  withChanged("gpt2", {
    config: { bos_token_id: null },
    files: {
      "tokenizer.json": {
        ...tokenizer,
        model: { ...tokenizer.model, vocab: { ...tokenizer.model.vocab, c: 97 } },
      },
    },
  }, async (folder) => {
    const model = await loadModel(folder);
    assertEquals([...model.prompts(["a b"]).tokens], [0, 2, 3]);
    assertThrows(() => model.prompts(["a c"]), Error, "token id 97 in prompt 0 at position 2");
  }));

Deno.test("pytorch_model.bin is taken by its name, beside other weight files", async () => {
  const checkpoint = await openCheckpoint(folderOf("gpt2-hub")); // reference.safetensors lies there as well
  assert(checkpoint.path.endsWith("/pytorch_model.bin"));
  checkpoint.close();
});
