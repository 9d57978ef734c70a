import { assertEquals, assertThrows } from "@std/assert";
import { parseModelConfig } from "../../lib/checkpoints/config.ts";
import { smallConfigJson } from "./small_model.ts";

Deno.test("parseModelConfig() reads the keys of the TransformerLens toy models", () => {
  assertEquals(parseModelConfig({ ...smallConfigJson, lr: 0.001, seed: 10, shortformer_pos: false }), {
    n_layers: 2,
    n_heads: 3,
    d_model: 10,
    d_head: 4,
    d_mlp: 14,
    n_ctx: 9,
    d_vocab: 17,
    act_fn: "gelu",
    attn_only: false,
    normalization: "LN",
    eps: 1e-5,
    default_prepend_bos: true,
    tokenizer_name: "somebody/tokenizer",
  });
});

Deno.test("parseModelConfig() takes normalization_type, the default eps, and attention-only models", () => {
  const { normalization: _n, eps: _e, d_mlp: _m, act_fn: _a, ...rest } = smallConfigJson;
  const config = parseModelConfig({
    ...rest,
    normalization_type: "LNPre",
    attn_only: true,
    default_prepend_bos: false,
  });
  assertEquals(config.normalization, "LNPre");
  assertEquals(config.eps, 1e-5);
  assertEquals(config.d_mlp, 0);
  assertEquals(config.default_prepend_bos, false);
});

Deno.test("parseModelConfig() reads an output vocabulary of its own, and models without norms", () => {
  assertEquals(parseModelConfig({ ...smallConfigJson, d_vocab_out: 3 }).d_vocab_out, 3);
  for (const same of [17, -1, null, undefined]) { // -1: TransformerLens' "as d_vocab"
    assertEquals(parseModelConfig({ ...smallConfigJson, d_vocab_out: same }).d_vocab_out, undefined);
  }
  const none = { ...smallConfigJson, normalization: undefined, normalization_type: null };
  assertEquals(parseModelConfig(none).normalization, "none");
});

const refusals: [changes: Record<string, unknown>, message: string][] = [
  [{ d_model: undefined }, '"d_model" is missing'],
  [{ n_layers: 0 }, '"n_layers" is 0'],
  [{ n_heads: 2.5 }, '"n_heads" is 2.5'],
  [{ d_vocab: "4096" }, '"d_vocab" is "4096"'],
  [{ n_ctx: 1e9 }, '"n_ctx"'],
  [{ act_fn: "solu_ln" }, "supported are gelu, gelu_new, relu, silu"],
  [{ act_fn: null }, '"act_fn" is null'],
  [{ normalization: "BatchNorm" }, "supported are LN, LNPre, RMS, RMSPre"],
  [{ normalization: undefined }, '"normalization"'],
  [
    { normalization: undefined, normalization_type: "Batch" },
    '"normalization_type" is "Batch"; supported are',
  ],
  [{ d_vocab_out: 2.5 }, '"d_vocab_out" is 2.5'],
  [{ normalization_type: "LNPre" }, '"normalization" is "LN", "normalization_type" "LNPre"'],
  [{ shortformer_pos: true }, '"shortformer_pos": true is not supported'],
  [{ positional_embedding_type: "rotary" }, '"rotary" is not supported, only "standard"'],
  [{ eps: -1 }, '"eps" is -1'],
  [{ attn_only: "no" }, '"attn_only" is "no"'],
  [{ tokenizer_name: 3 }, '"tokenizer_name"'],
];
for (const [changes, message] of refusals) {
  Deno.test(`parseModelConfig() refuses ${JSON.stringify(changes)}`, () => {
    assertThrows(() => parseModelConfig({ ...smallConfigJson, ...changes }, "a/config.json"), Error, message);
  });
}
