/**
 * Lowers fused causal attention to blocks of queries: queries s … e - 1 read keys 0 … e - 1 only (in local
 * attention those of the window), so that of the square of scores little more than the causal half is
 * computed, and one block's scores stay in the processor's caches. With 1024 positions of gelu-4l's heads
 * this takes 0.64 of the time of one Attention node over all, and an eighth of its scratch memory
 * (tests/bench/results.md).
 */
import { product } from "./dims.ts";
import type { Graph, Value } from "./graph.ts";
import { memo } from "./memo.ts";
import { attentionBlock } from "./spelt_out.ts";

/**
 * Queries in one block. 64 and 256 were no faster. A card, which each step costs a start, gets larger ones
 * (not measured).
 */
const BLOCK = 128, SPELT_BLOCK = 512;

/** What ONNX Runtime itself adds to the score of a hidden key. */
const HIDDEN = -3.4028234663852886e38;

/**
 * q, k, v as [batch, pos, head, d_head] → the same dims, with d_head of v. Options as in `attention`
 * (layers.ts).
 */
export function lowerAttention(
  graph: Graph,
  q: Value,
  k: Value,
  v: Value,
  { scale, window = Infinity, softCap = 0 }: { scale: number; window?: number; softCap?: number },
): Value {
  const [batch, pos, heads, dHead] = q.shape;
  const [kvHeads, width] = v.shape.slice(2);
  const [Q, K, V] = [q, k, v].map((t) =>
    graph.reshape(t.name, t.shape, [batch, pos, t.shape[2] * t.shape[3]])
  );
  const rowsOf = (name: string, start: number, end: number, size: number) => {
    if (start === 0 && end === pos) return name;
    const bounds = [[start], [end], [1]].map((bound) => graph.constant(bound));
    return graph.emit("Slice", [name, ...bounds], [4 * batch * (end - start) * size])[0];
  };
  const attend = (start: number, end: number): string => {
    const first = Math.max(0, start - window + 1);
    const inputs = [
      rowsOf(Q, start, end, heads * dHead),
      rowsOf(K, first, end, kvHeads * dHead),
      rowsOf(V, first, end, kvHeads * width),
    ];
    if (!graph.fused) {
      const [q, k, v] = inputs, mask = maskOf(graph, start - first, end - start, window);
      const sizes = { batch, queries: end - start, keys: end - first, heads, kvHeads, dHead, width };
      return attentionBlock(graph, { q, k, v, mask, ...sizes }, { scale, softCap });
    }
    // is_causal counts queries from the first key on: right for the first block alone.
    const causal = start === 0 && end <= window;
    if (!causal) inputs.push(maskOf(graph, start - first, end - start, window));
    const pairs = batch * heads * (end - start) * (end - first);
    return graph.emit(
      "Attention",
      inputs,
      [4 * batch * (end - start) * heads * width],
      {
        is_causal: Number(causal),
        q_num_heads: heads,
        kv_num_heads: kvHeads,
        scale: { float: scale },
        softcap: { float: softCap }, // 0: none
      },
      { flops: 2 * pairs * (dHead + width), scratch: 4 * pairs },
    )[0];
  };

  const blocks: string[] = [];
  const block = graph.fused ? BLOCK : SPELT_BLOCK;
  for (let start = 0; start < pos; start += block) blocks.push(attend(start, Math.min(start + block, pos)));
  const shape = [batch, pos, heads * width];
  const [name] = blocks.length === 1
    ? blocks
    : graph.emit("Concat", blocks, [4 * product(shape)], { axis: 1 });
  const dims = [...q.dims.slice(0, 3), v.dims[3]];
  return {
    ...graph.value("", dims, "float32"),
    name: graph.reshape(name, shape, [batch, pos, heads, width]),
  };
}

/**
 * What is added to the scores [query, key] of a block that has `before` keys before its first query: one mask
 * for all layers and runs.
 */
const maskValues = memo((before: number, queries: number, window: number) => {
  const keys = before + queries;
  const mask = new Float32Array(queries * keys);
  for (let query = 0; query < queries; query++) {
    const row = mask.subarray(query * keys, (query + 1) * keys);
    row.fill(HIDDEN, before + query + 1);
    row.fill(HIDDEN, 0, Math.max(0, before + query + 1 - window));
  }
  return mask;
});

function maskOf(graph: Graph, before: number, queries: number, window: number): string {
  const keys = before + queries;
  const mask = maskValues(before, queries, Math.min(window, keys)); // a window of all keys hides none
  return graph.param(mask, [{ name: "query", size: queries }, { name: "key", size: keys }]).name;
}
