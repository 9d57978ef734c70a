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
    assertEquals(layoutOf(byName).layout.config, layoutOf(byType).layout.config);
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
  assertEquals([of("gpt-neo").attn_scale, of("gpt-neo").attn_types], [1, ["global", "local"]]);
  const { attention_layers: _, ...older } = configOf("gpt-neo");
  assertEquals(layoutOf(older).layout.config.attn_types, ["global", "local"]);
});

const refusals: [name: string, changes: Json, message: string][] = [
  [
    "gpt2",
    { model_type: "gemma2", architectures: ["Gemma2ForCausalLM"] },
    '"model_type" "gemma2" is not supported. Supported are GPT-2 (gpt2); ',
  ],
  [
    "gpt2",
    { model_type: undefined, architectures: ["OPTForCausalLM"] },
    '"architectures" "OPTForCausalLM" is not supported. Supported are',
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
    { rope_parameters: { rope_type: "yarn", rope_theta: 1e4, factor: 2 } },
    '"rope_type" is "yarn"; supported are default, linear, llama3',
  ],
  ["llama-linear", { rope_scaling: { type: "dynamic", factor: 2 } }, '"rope_scaling": "type" is "dynamic"'],
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
