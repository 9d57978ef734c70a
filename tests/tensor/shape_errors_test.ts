import { assertStringIncludes, assertThrows } from "@std/assert";
import { attention, layerNorm, rmsNorm } from "../../lib/tensor/layers.ts";
import { concat, constant, input, iota, param, stack, type Tensor, where } from "../../lib/tensor/tensor.ts";

const dims = (sizes: Record<string, number | string>) =>
  Object.entries(sizes).map(([name, size]) => ({ name, size }));
const fixed = (sizes: Record<string, number>): Tensor =>
  param("w", new Float32Array(Object.values(sizes).reduce((a, b) => a * b, 1)), dims(sizes));
const x = input("x", dims({ batch: "batch", pos: "pos", head: 8, d_model: 16 }), { dtype: "float32" });
const ids = input("ids", dims({ batch: "batch", pos: "pos" }));
const w = fixed({ d_model: 16, d_mlp: 5 });
const X = "[batch, pos, head 8, d_model 16]";

/** What is done, and every part that the error must name: the operation, the dims, what was expected. */
const cases: [string, () => unknown, string[]][] = [
  ["binary: neither holds the other's dims", () => x.add(w), ["add", X, "[d_model 16, d_mlp 5]", "expand"]],
  ["binary: two sizes of one name", () => x.mul(fixed({ head: 7 })), [
    "mul",
    X,
    "[head 7]",
    '"head"',
    "8 and 7",
  ]],
  ["binary: a symbol and a number", () => x.sub(fixed({ pos: 3 })), ["sub", X, "[pos 3]", "pos and 3"]],
  ["binary: ids and values", () => ids.add(iota("pos", "pos")), ["add", "int32", "float32", "one type"]],
  ["binary: ids and a fraction", () => ids.add(0.5), ["add", "0.5", "[batch, pos]", "whole number"]],
  ["dot: a dim that one lacks", () => x.dot(w, "d_mlp"), ["dot", X, '"d_mlp"']],
  ["dot: two sizes", () => x.dot(fixed({ d_model: 15 }), "d_model"), ["dot over d_model", X, "16 and 15"]],
  ["dot: a kept dim of two sizes", () => x.dot(fixed({ d_model: 16, head: 4 }), "d_model"), [
    "dot",
    "8 and 4",
  ]],
  ["dot over nothing", () => x.dot(w), ["dot over []", "one dimension or several"]],
  ["dot over one dim twice", () => x.dot(w, "d_model", "d_model"), ["dot over [d_model, d_model]", "once"]],
  ["dot over batch", () => x.dot(x, "batch"), ["dot", '"batch"', "batches"]],
  ["dot of ids", () => ids.dot(ids, "pos"), ["dot over pos", "int32", "float32"]],
  [
    "dot over two broadcast dims without size",
    () => fixed({ a: 2 }).expand("b").dot(constant(1).expand("b"), "b"),
    ["dot over b", "b *", "known size"],
  ],
  ["sum over an unknown dim", () => x.sum("d_head"), ["ReduceSum", X, '"d_head"']],
  ["sum over nothing", () => x.sum(), ["ReduceSum over []", X, "one dimension or several"]],
  ["sum over one dim twice", () => x.sum("head", "head"), ["ReduceSum over [head, head]", "once"]],
  ["mean over batch", () => x.mean("pos", "batch"), ["ReduceMean", '"batch"', "results"]],
  ["max over batch", () => x.max("batch"), ["ReduceMax", '"batch"']],
  ["sumSquares of a broadcast dim without size", () => x.expand("k").sumSquares("k"), ["k *", "known size"]],
  ["softmax over an unknown dim", () => x.softmax("key"), ["softmax", X, '"key"']],
  ["softmax over batch", () => x.softmax("batch"), ["softmax", '"batch"']],
  ["rename of an unknown dim", () => x.rename({ key: "query" }), ["rename", X, '"key"']],
  ["rename to a name in use", () => x.rename({ pos: "head" }), ["rename", X, "different names"]],
  ["rename of batch", () => x.rename({ batch: "other" }), ["rename", '"batch"']],
  ["expand by a name in use", () => x.expand("head"), ["expand", X, '"head"']],
  ["order with other names", () => x.order("batch", "pos"), ["order", X, "[batch, pos]"]],
  ["order with a name twice", () => ids.order("pos", "pos"), ["order", "[batch, pos]", "[pos, pos]"]],
  ["select of an unknown dim", () => x.select("layer", 0), ["select", X, '"layer"']],
  ["select beyond the end", () => x.select("head", 8), ["select head at 8", X, "0 … 8 - 1"]],
  ["select before the start", () => x.select("pos", -1), ["select pos at -1", X]],
  ["select of half", () => x.select("head", 0.5), ["select head at 0.5"]],
  ["select of a prompt", () => x.select("batch", 0), ["select", '"batch"']],
  ["slice beyond the end", () => x.slice("head", 2, 9), ["slice head at 8", X]],
  ["an empty slice", () => x.slice("head", 2, 2), ["slice head 2 … 2", X, "after the start"]],
  ["a slice that ends before it starts", () => x.slice("head", 5, 2), ["slice head 5 … 2", X]],
  ["slice without an end", () => (x.slice as (...args: unknown[]) => unknown)("head", 1), [
    "slice head from 1",
    "an end: (dim, start, end)",
  ]],
  ["slice of prompts", () => x.slice("batch", 0, 1), ["slice", '"batch"']],
  ["topK beyond the size", () => x.topK("head", 9), ["topK 9", X, "1 … 8"]],
  ["topK of none", () => x.topK("head", 0), ["topK 0", X]],
  ["topK over batch", () => x.topK("batch", 1), ["topK", '"batch"']],
  ["gather along an unknown dim", () => w.gather("pos", ids), ["gather", "[d_model 16, d_mlp 5]", '"pos"']],
  ["gather with a shared dim", () => fixed({ row: 3, pos: 2 }).gather("row", ids), [
    "gather",
    '"pos" is in both',
  ]],
  ["gather with a shared broadcast dim", () => fixed({ row: 3 }).expand("pos", "pos").gather("row", ids), [
    "gather",
    '"pos" is in both',
  ]],
  ["gather by values", () => w.gather("d_model", fixed({ k: 2 })), ["gather", "[k 2]", "float32", "int32"]],
  ["pick with foreign dims", () => fixed({ row: 3 }).pick("row", ids), [
    "pick",
    "[row 3]",
    "[batch, pos]",
    'without "row"',
  ]],
  ["pick by values", () => x.pick("head", x.select("head", 0)), ["pick", "float32", "int32"]],
  [
    "pick with another size",
    () => x.rename({ pos: "k" }).pick("head", input("k", dims({ batch: "batch", k: 3 }))),
    ["pick", '"k"', "pos and 3"],
  ],
  ["prefix of an unknown dim", () => w.prefix("pos", "pos"), ["prefix", "[d_model 16, d_mlp 5]", '"pos"']],
  ["stack of nothing", () => stack([], "part"), ['stack along "part"', "at least one"]],
  ["stack of different dims", () => stack([x, w], "part"), ['stack along "part"', X, "same dims"]],
  ["stack of two sizes", () => stack([fixed({ a: 2 }), fixed({ a: 3 })], "part"), ["stack", "2 and 3"]],
  ["stack along a dim in use", () => stack([x], "head"), ["stack", X, '"head"']],
  ["stack of two types", () => stack([ids, x.select("head", 0).select("d_model", 0)], "part"), [
    "stack",
    "one type",
  ]],
  ["concat of nothing", () => concat([], "head"), ['concat along "head"', "at least one"]],
  ["concat along an unknown dim", () => concat([w], "head"), ["concat", '"head"']],
  ["concat along a symbol", () => concat([x, x], "pos"), ["concat", X, "known size", '"pos"']],
  ["concat of different dims", () => concat([w, fixed({ d_model: 16 })], "d_model"), [
    "concat",
    "[d_model 16]",
    "same",
  ]],
  ["concat of two sizes", () => concat([w, fixed({ d_model: 16, d_mlp: 6 })], "d_model"), [
    "concat",
    "5 and 6",
  ]],
  ["where: two sizes", () => where(x, "Less", fixed({ head: 2 }), 0, 1), ["where", "8 and 2"]],
  ["where: ids and values compared", () => where(ids, "Less", x, 0, 1), ["where", "int32", "float32"]],
  ["where: ids and values chosen", () => where(x, "Less", 0, ids, x), ["where", "chosen", "int32"]],
  ["layerNorm over an unknown dim", () => layerNorm(x, "d_head", 1e-5), ["layerNorm", X, '"d_head"']],
  ["layerNorm over a symbol", () => layerNorm(x, "pos", 1e-5), ["layerNorm", X, "known size", '"pos"']],
  ["layerNorm with another weight", () => layerNorm(x, "d_model", 1e-5, { weight: fixed({ head: 8 }) }), [
    "layerNorm",
    "[head 8]",
    "[d_model 16]",
  ]],
  [
    "layerNorm with a weight of another size",
    () => layerNorm(x, "d_model", 1e-5, { bias: fixed({ d_model: 15 }) }),
    ["layerNorm", "15 and 16"],
  ],
  ["rmsNorm with another weight", () => rmsNorm(x, "d_model", 1e-5, w), ["rmsNorm", "[d_model 16]"]],
  ["attention without heads", () => attention(ids, x, x, 1), ["attention: q", "[batch, pos]", "d_head"]],
  ["attention with other keys", () => {
    const q = x.rename({ d_model: "d_head" });
    return attention(q, q.slice("d_head", 0, 4), q, 1);
  }, ["attention", "d_head", "16 and 4"]],
  ["attention with 3 heads of keys for 8", () => {
    const q = x.rename({ d_model: "d_head" });
    return attention(q, q.slice("head", 0, 3), q.slice("head", 0, 3), 1);
  }, ["attention", "head 8", "head 3", "multiple"]],
  ["param with too few values", () => param("W_E", new Float32Array(3), dims({ a: 2, b: 2 })), [
    "param W_E",
    "3 values",
    "[a 2, b 2]",
    "expected 4",
  ]],
  ["param with a symbol", () => param("W", new Float32Array(3), dims({ a: "pos" })), ["param W", "numbers"]],
  ["param with a name twice", () => param("W", new Float32Array(4), [...dims({ a: 2 }), ...dims({ a: 2 })]), [
    "param W",
    "[a 2, a 2]",
    "once",
  ]],
  ["input without batch", () => input("t", dims({ pos: "pos" })), ['input "t"', "[pos]", '"batch"', "first"]],
  ["input with batch second", () => input("t", dims({ pos: "pos", batch: "batch" })), [
    "[pos, batch]",
    "first",
  ]],
  ["input of a fixed number of prompts", () => input("t", dims({ batch: 3 })), ["[batch 3]", 'size "batch"']],
];

for (const [what, fn, parts] of cases) {
  Deno.test(`Shape errors: ${what}`, () => {
    const { message } = assertThrows(fn, Error);
    for (const part of parts) assertStringIncludes(message, part);
    assertStringIncludes(message, "expected");
  });
}
