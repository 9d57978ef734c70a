/** Two passes in one run share what the patch does not reach. */
import { assert, assertEquals } from "@std/assert";
import { Lowering } from "../../lib/tensor/lower.ts";
import { cost } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { small } from "./models.ts";
import { ALL_STEPS } from "../../lib/transformer/processing.ts";

const { model } = small(61, { n_layers: 3 }, ALL_STEPS);
const sizes = { batch: 2, pos: 4 };

function count(outputs: Record<string, Tensor>, ...ops: string[]): number {
  return new Lowering(outputs, sizes).graph.finish().nodes.filter((n) => ops.includes(n.op)).length;
}

const clean = model.forward().logits;
const products = ["Gemm", "MatMul", "FusedMatMul"];

Deno.test("Passes built apart are one pass", () => {
  const both = { clean, again: model.forward().logits };
  for (const ops of [["Gather"], ["LayerNormalization"], ["Attention"], ["Gelu"], products]) {
    assertEquals(count(both, ...ops), count({ clean }, ...ops), `${ops}`);
  }
  assertEquals(count({ clean }, "LayerNormalization"), 7);
  assertEquals(count({ clean }, "Attention"), 3);
  assertEquals(count({ clean }, ...products), 3 * 6 + 1);
});

Deno.test("A patched pass repeats only what stands above the patch", () => {
  const at = (name: string) => model.forward({ hooks: { [name]: (v) => v.mul(0.5) } }).logits;
  const more = (patched: Tensor, ...ops: string[]) =>
    count({ clean, patched }, ...ops) - count({ clean }, ...ops);
  const last = at("blocks.2.hook_resid_post");
  assertEquals([more(last, "LayerNormalization"), more(last, "Attention"), more(last, ...products)], [
    1,
    0,
    1,
  ]);
  const mlp = at("blocks.2.mlp.hook_post"); // W_out and W_U again
  assertEquals([more(mlp, "Gelu"), more(mlp, "Attention"), more(mlp, ...products)], [0, 0, 2]);
  const middle = at("blocks.1.hook_resid_post"); // one block and W_U again
  assertEquals([more(middle, "Gather"), more(middle, "Gelu"), more(middle, ...products)], [0, 1, 7]);
});

Deno.test("A V-input patch with frozen scale keeps the layer's Q, K and scores", () => {
  const scale = "blocks.1.ln1.hook_scale";
  const patched = model.forward({
    hooks: {
      "blocks.1.hook_v_input": (v) => v.sub(model.forward().headResult(0, 1).expand("head")),
      [scale]: () => model.forward().hook(scale),
    },
  }).logits;
  const more = (...ops: string[]) => count({ clean, patched }, ...ops) - count({ clean }, ...ops);
  // The head's own result, W_V, W_O, W_in, W_out of layer 1; six of layer 2; W_U. Attention of layer 1 is
  // shared, of layer 2 not.
  assertEquals([more("Attention"), more("Gelu"), more(...products)], [1, 2, 1 + 4 + 6 + 1]);
});

Deno.test("Only what is asked for is computed", () => {
  const early = model.forward().hook("blocks.0.hook_resid_post");
  assertEquals([count({ early }, "Attention"), count({ early }, "Gelu"), count({ early }, ...products)], [
    1,
    1,
    6,
  ]);
  const pattern = model.forward().hook("blocks.0.attn.hook_pattern");
  assertEquals([
    count({ pattern }, "Attention"),
    count({ pattern }, "Softmax"),
    count({ pattern }, ...products),
  ], [0, 1, 3]);
});

Deno.test("cost(): flops of a pass are those of its matrix products, counted by hand", () => {
  const { d_model: D, d_head: K, n_heads: H, d_mlp: M, d_vocab: V, n_layers: L } = model.config;
  const [B, T] = [2, 4];
  const layer = 2 * B * T * (4 * D * H * K + 2 * D * M) + 2 * B * H * T * T * 2 * K;
  assertEquals(cost({ clean }, sizes).flops, L * layer + 2 * B * T * D * V);
});

Deno.test("cost(): a pass's peak is between its largest value with its input and the sum of one block's values", () => {
  const { d_model: D, d_head: K, n_heads: H, d_mlp: M, d_vocab: V } = model.config;
  const [B, T] = [2, 4];
  const { peakBytes } = cost({ clean }, sizes);
  const atLeast = 4 * B * T * Math.max(2 * V, M + D);
  const block = 4 * (B * T * (4 * D + 4 * H * K + 2 * M) + B * H * T * T);
  assert(
    peakBytes >= atLeast && peakBytes <= Math.max(block, 4 * B * T * (2 * V + D)),
    `${peakBytes}, ${atLeast}, ${block}`,
  );
});
