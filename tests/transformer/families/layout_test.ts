/** Which family a config.json is of, what is read from it, and what is refused and how. */
import { assertEquals, assertThrows } from "@std/assert";
import { families, layoutOf } from "../../../lib/transformer/families/families.ts";
import { smallConfigJson } from "../../checkpoints/small_model.ts";
import { configOf, type Json, recordedNames } from "./recorded.ts";

Deno.test("layoutOf() tells the family by model_type, by architectures alone, and the toy models by their keys", () => {
  const names = Object.fromEntries(
    recordedNames.map((name) => [name, layoutOf(configOf(name)).family.modelType]),
  );
  assertEquals(names["pythia"], "gpt_neox");
  assertEquals(names["gpt2-hub"], "gpt2");
  assertEquals(names["smollm"], "llama");
  assertEquals(new Set(Object.values(names)), new Set(families.map((f) => f.modelType)));
  for (const name of recordedNames) {
    const { model_type: _type, ...byName } = configOf(name);
    const { architectures: _name, ...byType } = configOf(name);
    assertEquals(layoutOf(byName).family, layoutOf(byType).family);
    // That a file holds a base model, only "architectures" says.
    if (!name.endsWith("base")) assertEquals(layoutOf(byName).layout.config, layoutOf(byType).layout.config);
  }
  assertEquals(layoutOf(smallConfigJson).family.name, "TransformerLens toy models");
});

Deno.test("layoutOf() reads what the forward pass needs", () => {
  const of = (name: string, changes: Json = {}) => layoutOf(configOf(name, changes)).layout.config;
  const gpt2 = of("gpt2");
  assertEquals([gpt2.d_head, gpt2.d_mlp, gpt2.n_ctx, gpt2.d_vocab], [8, 128, 32, 97]);
  assertEquals([gpt2.act_fn, gpt2.normalization, gpt2.default_prepend_bos], ["gelu_new", "LN", true]);
  assertEquals(of("gpt2", { scale_attn_weights: false }).attn_scale, 1);
  const pythia = of("pythia");
  assertEquals([pythia.rotary_dim, pythia.rotary_base, pythia.parallel_attn_mlp], [4, 10000, true]);
  assertEquals(of("neox-sequential").parallel_attn_mlp, false);
  assertEquals(of("neox-sequential").rotary_dim, 4);
  const llama = of("llama");
  assertEquals([llama.n_key_value_heads, llama.rotary_base, llama.gated_mlp], [2, 500000, true]);
  assertEquals([llama.normalization, llama.eps], ["RMS", 1e-6]);
  assertEquals(of("llama", { num_key_value_heads: null }).n_key_value_heads, 4);
  assertEquals([of("llama-biases").d_head, of("llama-biases").rotary_scaling?.rope_type], [12, "llama3"]);
  assertEquals(of("llama-linear").rotary_scaling, { rope_type: "linear", factor: 4 });
  assertEquals([of("mistral").attn_types, of("mistral").window_size], [["local", "local"], 4]);
  assertEquals(of("mistral", { sliding_window: null }).attn_types, undefined);
  assertEquals(of("mistral", { sliding_window: 32 }).attn_types, undefined); // reaches over the whole context
  assertEquals(of("qwen2-window").attn_types, ["global", "local"]);
  assertEquals(of("qwen2", { use_sliding_window: false, sliding_window: 4 }).attn_types, undefined);
  assertEquals(of("qwen2").default_prepend_bos, false);
  assertEquals(of("llama-dynamic").rotary_scaling, undefined);
  assertEquals(of("llama-yarn").rotary_scaling?.attention_factor, 0.1 * Math.log(4) + 1);
  assertEquals([of("phi3-longrope").n_ctx, of("phi3-longrope").rotary_scaling?.rope_type], [16, "longrope"]);
  assertEquals(
    of("phi3-longrope").rotary_scaling?.attention_factor,
    Math.sqrt(1 + Math.log(4) / Math.log(16)),
  );
  assertEquals(of("gemma3-old").rotary_local, { rotary_base: 100 });
  assertEquals(of("gemma3-old").attn_types, ["local", "global", "local"]);
  assertEquals([of("gemma2").attn_scores_soft_cap, of("gemma2").output_logits_soft_cap], [2, 3]);
  // A null is none; a key that is not there has the family's default.
  assertEquals(of("gemma2", { attn_logit_softcapping: null }).attn_scores_soft_cap, undefined);
  assertEquals(of("gemma2", { attn_logit_softcapping: undefined }).attn_scores_soft_cap, 50);
  assertEquals(of("smollm3-window").rotary_layers, [true, true, true, false]);
  const bloom = { n_head: undefined, num_attention_heads: 4, hidden_size: undefined, n_embed: 16 };
  assertEquals(of("bloom", bloom), of("bloom")); // as in bloom-560m's file
  assertEquals([of("llama-base").d_vocab_out, of("llama-tied-base").d_vocab_out], [0, undefined]);
  assertEquals([of("qwen3", { head_dim: undefined }).d_head, of("gemma", { head_dim: undefined }).d_head], [
    128,
    256,
  ]);
  assertEquals([of("gpt-neo").attn_scale, of("gpt-neo").attn_types], [1, ["global", "local"]]);
  const { attention_layers: _, ...older } = configOf("gpt-neo");
  assertEquals(layoutOf(older).layout.config.attn_types, ["global", "local"]);
});

Deno.test("layoutOf() reads a multimodal file that says of its text part what gemma-3-4b's says", () => {
  // The keys of google/gemma-3-4b-it's config.json; the others are defaults of transformers'
  // Gemma3TextConfig.
  const text_config = {
    hidden_size: 2560,
    intermediate_size: 10240,
    model_type: "gemma3_text",
    num_hidden_layers: 34,
    rope_scaling: { factor: 8.0, rope_type: "linear" },
    sliding_window: 1024,
  };
  const { config } = layoutOf({
    architectures: ["Gemma3ForConditionalGeneration"],
    model_type: "gemma3",
    text_config,
    vision_config: {},
  }).layout;
  assertEquals([config.n_layers, config.n_heads, config.n_key_value_heads, config.d_head], [34, 8, 4, 256]);
  assertEquals([config.d_vocab, config.n_ctx, config.window_size], [262208, 131072, 1024]);
  assertEquals(
    config.attn_types?.map((type, layer) => type === "global" ? layer : -1).filter((l) => l >= 0),
    [
      5,
      11,
      17,
      23,
      29,
    ],
  );
  assertEquals([config.rotary_base, config.rotary_local], [1e6, { rotary_base: 1e4 }]);
  assertEquals(config.rotary_scaling, { rope_type: "linear", factor: 8 });
  assertEquals([config.attn_scale, config.attn_scores_soft_cap, config.act_fn], [16, undefined, "gelu_new"]);
});

const refusals: [name: string, changes: Json, message: string][] = [
  [
    "gpt2",
    { model_type: "xlnet", architectures: ["XLNetLMHeadModel"] },
    '"model_type" "xlnet" is not supported. Supported are GPT-2 (gpt2); ',
  ],
  [
    "gpt2",
    { model_type: undefined, architectures: ["XGLMForCausalLM"] },
    '"architectures" "XGLMForCausalLM" is not supported. Supported are',
  ],
  [
    "gpt2",
    { architectures: ["GPT2ForSequenceClassification"] },
    '"GPT2ForSequenceClassification" is not supported',
  ],
  ["gpt2", { model_type: "llama" }, '"model_type" is "llama", "architectures" "GPT2LMHeadModel"'],
  ["gpt2", { model_type: undefined, architectures: undefined }, 'neither "model_type" nor "architectures"'],
  ["gpt2", { n_embd: 33 }, '"n_embd" 33 is not a multiple of "n_head" 4'],
  ["gpt2", { n_embd: undefined }, '"n_embd" is missing'],
  ["gpt2", { n_layer: 0 }, '"n_layer" is 0'],
  ["gpt2", { n_layer: 1e6 }, '"n_layer" is 1000000; a whole number from 1 to 1000'],
  ["gpt2", { vocab_size: "97" }, '"vocab_size" is "97"'],
  [
    "gpt2",
    { activation_function: "quick_gelu" },
    '"activation_function" is "quick_gelu"; supported are gelu',
  ],
  ["gpt2", { add_cross_attention: true }, '"add_cross_attention": true is not supported'],
  ["gpt2", { layer_norm_epsilon: -1 }, '"layer_norm_epsilon" is -1'],
  ["gpt2", { tie_word_embeddings: "yes" }, '"tie_word_embeddings" is "yes", not true or false'],
  [
    "llama",
    { quantization_config: { bits: 4 } },
    '"quantization_config": quantised weights are not supported',
  ],
  [
    "llama",
    { rope_parameters: { rope_type: "proportional", rope_theta: 1e4 } },
    '"rope_type" is "proportional"; supported are default, linear, dynamic, llama3, yarn, longrope',
  ],
  ["llama-linear", { rope_scaling: { type: "dynamic", factor: 2, alpha: 1000 } }, '"rope_scaling": "alpha"'],
  ["llama", { partial_rotary_factor: 0.5 }, '"partial_rotary_factor": 0.5 is not supported, only 1 is'],
  [
    "phi3-longrope",
    { rope_scaling: { type: "longrope", short_factor: [1] } },
    '"short_factor" is [1]; 2 positive numbers',
  ],
  ["smollm3", { no_rope_layers: [1, 0] }, '"no_rope_layers" is [1,0]; 1 (turned) or 0 for each of 3 layers'],
  ["gemma2", { use_bidirectional_attention: true }, '"use_bidirectional_attention": true is not supported'],
  ["olmo", { clip_qkv: 8 }, '"clip_qkv" is 8; q, k and v that are clipped are not supported'],
  ["olmo", { clip_qkv: "\u202egnp.exe" }, '"clip_qkv" is "\\u202egnp.exe"; q, k and v that are clipped'],
  ["opt", { do_layer_norm_before: false }, '"do_layer_norm_before": false is not supported'],
  ["opt", { word_embed_proj_dim: 8 }, '"word_embed_proj_dim": 8 is not supported, only 16 is'],
  ["phi", { qk_layernorm: true }, '"qk_layernorm": true is not supported'],
  ["stablelm", { qk_layernorm: true }, '"qk_layernorm": true is not supported'],
  ["cohere", { use_qk_norm: true }, '"use_qk_norm": true is not supported'],
  ["bloom", { apply_residual_connection_post_layernorm: true }, "is not supported, only false is"],
  ["gptj", { rotary_dim: 16 }, '"rotary_dim" is 16; a whole number from 1 to 8'],
  ["gptj", { rotary_dim: 3 }, '"rotary_dim" is 3; an even number'],
  ["codegen", { n_head: 2 }, '"n_head" 2 is not a multiple of 4'],
  ["falcon", { alibi: true }, '"alibi" with heads that share keys'],
  ["falcon-new", { parallel_attn: false }, '"new_decoder_architecture" with "parallel_attn" false'],
  ["falcon", { num_ln_in_parallel_attn: 2 }, '"num_ln_in_parallel_attn" 2 needs'],
  ["gemma3-multimodal", { text_config: undefined }, '"text_config" is missing'],
  ["olmo3-grouped", { rope_theta: 1e4 }, '"rope_theta": 10000 is not supported, only 500000 is'],
  [
    "llama",
    { model_type: "mixtral", architectures: ["MixtralForCausalLM"] },
    "is a mixture of experts (MoE)",
  ],
  [
    "llama",
    { model_type: "qwen3_moe", architectures: ["Qwen3MoeForCausalLM"] },
    "is a mixture of experts (MoE)",
  ],
  ["llama", { model_type: undefined, architectures: ["OlmoeForCausalLM"] }, "is a mixture of experts (MoE)"],
  [
    "llama",
    { model_type: "mamba2", architectures: ["Mamba2ForCausalLM"] },
    "has layers without attention heads",
  ],
  [
    "llama",
    { model_type: "qwen3_5", architectures: ["Qwen3_5ForCausalLM"] },
    "has layers without attention heads",
  ],
  [
    "llama",
    { model_type: "qwen3_next", architectures: ["Qwen3NextForCausalLM"] },
    "has layers without attention heads",
  ],
  [
    "llama",
    { model_type: "gpt_oss", architectures: ["GptOssForCausalLM"] },
    "has a sink in each head's softmax",
  ],
  [
    "llama",
    { model_type: "gemma3n", architectures: ["Gemma3nForConditionalGeneration"] },
    "multiplies the whole stream",
  ],
  [
    "llama",
    { model_type: "gemma4", architectures: ["Gemma4ForConditionalGeneration"] },
    "multiplies the whole stream",
  ],
  ["llama-linear", { rope_scaling: { type: "linear" } }, '"rope_scaling": "factor" is missing'],
  ["llama-linear", { rope_scaling: [1] }, '"rope_scaling" is [1], not an object'],
  ["llama", { rope_theta: 10 }, '"rope_theta" is 10, "rope_parameters" has "rope_theta" 500000'],
  [
    "llama",
    { num_key_value_heads: 3 },
    '"num_attention_heads" 4 is not a multiple of "num_key_value_heads" 3',
  ],
  ["llama", { hidden_act: "tanh" }, '"hidden_act" is "tanh"'],
  ["llama", { head_dim: 7 }, "an even number"],
  [
    "mistral",
    { layer_types: ["full_attention"] },
    '"layer_types" is ["full_attention"]; one for each of 2 layers',
  ],
  [
    "mistral",
    { layer_types: ["chunked_attention", "full_attention"] },
    '"layer_types" is "chunked_attention"; supported are',
  ],
  ["qwen2-window", { sliding_window: null }, '"sliding_window" is missing'],
  [
    "pythia",
    { rope_parameters: { rope_type: "default", rope_theta: 1e4, partial_rotary_factor: 0.1 } },
    "an even number",
  ],
  ["pythia", { hidden_size: 31 }, '"hidden_size" 31 is not a multiple of "num_attention_heads" 2'],
  ["gpt-neo", { attention_layers: ["global"] }, '"attention_layers" names 1 layers, "num_layers" is 2'],
  ...[[[["global", "local"], 1e8]], [null], [[["global"], "2"]], [[["global"], 2.5]], [["global", 2]]].map((
    attention_types,
  ): [string, Json, string] => [
    "gpt-neo",
    { attention_layers: undefined, attention_types },
    '[["global", "local"], n] was expected, for at most 2 layers in all',
  ]),
  [
    "gpt-neo",
    { attention_layers: ["global", "dilated"] },
    '"attention_layers" is "dilated"; supported are global, local',
  ],
];
for (const [name, changes, message] of refusals) {
  Deno.test(`layoutOf() refuses ${name} with ${JSON.stringify(changes)}`, () => {
    assertThrows(
      () => layoutOf(configOf(name, changes), "folder/config.json"),
      Error,
      `folder/config.json: `,
    );
    assertThrows(() => layoutOf(configOf(name, changes), "folder/config.json"), Error, message);
  });
}
