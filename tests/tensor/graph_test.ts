import { assert, assertEquals } from "@std/assert";
import { layerNorm } from "../../lib/tensor/layers.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { cost } from "../../lib/tensor/run.ts";
import { input, iota, param, type Tensor, where } from "../../lib/tensor/tensor.ts";

const sizes = { batch: 2, pos: 3 };
const weights = (label: string, a: string, b: string, seed = 1) =>
  param(label, Float32Array.from({ length: 16 }, (_, i) => Math.cos(i * seed)), [
    { name: a, size: 4 },
    { name: b, size: 4 },
  ]);
const x = () =>
  input("x", [{ name: "batch", size: "batch" }, { name: "pos", size: "pos" }, { name: "a", size: 4 }], {
    dtype: "float32",
  });

/**
 * How often each ONNX operation stands in the lowered graph; reshapes and copies of what is fed to outputs
 * left out.
 */
function operations(outputs: Record<string, Tensor>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { op } of new Lowering(outputs, sizes).graph.finish().nodes) {
    if (op !== "Identity" && op !== "Reshape") counts[op] = (counts[op] ?? 0) + 1;
  }
  return counts;
}

Deno.test("Lowering: equal expressions appear once, whoever built them", () => {
  const w = weights("w", "a", "b");
  const make = () => x().dot(w, "a").gelu().mul(2);
  const once = operations({ one: make() });
  assertEquals(once.Gelu, 1);
  assertEquals(operations({ one: make(), two: make(), three: make() }), once);
  assertEquals(operations({ sum: make().add(make()) }), { ...once, Add: 1 });
});

Deno.test("Lowering: different constants, parameters, dims and attributes stay different", () => {
  const [w, v] = [weights("w", "a", "b"), weights("w", "a", "b", 2)];
  assertEquals(operations({ p: x().dot(w, "a"), q: x().dot(v, "a") }).MatMul, 2);
  assertEquals(operations({ p: x().mul(2), q: x().mul(3) }).Mul, 2);
  assertEquals(operations({ p: x().add(Infinity), q: x().add(-Infinity) }).Add, 2);
  assertEquals(operations({ p: x().gelu(), q: x().gelu("tanh") }).Gelu, 2);
  assertEquals(operations({ p: x().sum("a"), q: x().sum("pos") }).ReduceSum, 2);
  assertEquals(operations({ p: x().sum("a"), q: x().mean("a") }), { ReduceSum: 1, ReduceMean: 1 });
});

Deno.test("Lowering: no values stand in a graph or in its key, however long a run is", () => {
  // 2^26 numbers, written out, are more than a string holds
  const long = { ...sizes, pos: 2 ** 26 };
  const counted = iota("pos", "pos"), first = where(counted, "Less", 1, 0, 1);
  const { graph } = new Lowering(
    { sum: counted.mul(first).sum("pos"), ids: counted.topK("pos", 1).indices },
    long,
    "webgpu",
  );
  const made = graph.finish();
  assert(JSON.stringify(made).length < 5000, `${JSON.stringify(made).length}`);
  const { data } = [...graph.params.values()].find(({ data }) => data instanceof Float32Array)!;
  assertEquals([data.length, data[2], data[2 ** 24], data.at(-1)], [2 ** 26, 2, 2 ** 24, 2 ** 26]);
});

Deno.test("Lowering: one LayerNormalization gives the normalised values and the scale", () => {
  const { normalized, scale } = layerNorm(x(), "a", 1e-5);
  assertEquals(operations({ normalized, scale }).LayerNormalization, 1);
  const top = x().topK("a", 2);
  assertEquals(operations({ values: top.values, indices: top.indices }).TopK, 1);
});

Deno.test("Lowering: only what is asked for is emitted", () => {
  const both = { gelu: x().gelu(), tanh: x().tanh() };
  assertEquals(operations({ gelu: both.gelu }), { Gelu: 1 });
});

Deno.test("Lowering: expand, order, rename and a part of a parameter cost nothing", () => {
  const w = weights("w", "a", "b");
  const t = x().expand("c", 5).order("pos", "a", "c", "batch").rename({ c: "d" });
  assertEquals(operations({ y: t.mean("d").order("batch", "pos", "a") }), {});
  assertEquals(operations({ y: x().dot(w.select("a", 2).rename({ b: "a" }), "a") }), { MatMul: 1 });
  assertEquals(operations({ y: x().dot(w.slice("a", 0, 4), "a") }), { MatMul: 1 });
});

Deno.test("Lowering: product and bias are one GEMM; a product that is used again is not computed twice", () => {
  const w = weights("w", "a", "b");
  const bias = param("b", new Float32Array(4), [{ name: "b", size: 4 }]);
  const product = x().dot(w, "a");
  assertEquals(operations({ y: product.add(bias) }), { Gemm: 1 });
  assertEquals(operations({ y: bias.add(product) }), { Gemm: 1 });
  assertEquals(operations({ y: product.add(bias), z: product }), { MatMul: 1, Add: 1 });
  assertEquals(operations({ y: product.add(bias), z: product.gelu() }), { MatMul: 1, Add: 1, Gelu: 1 });
});

const KB = (values: number) => 4 * values;

Deno.test("cost(): matrix products count 2 for each multiply-add", () => {
  // [2 · 3, 4] · [4, 4]: 2 · 6 · 4 · 4
  assertEquals(cost({ y: x().dot(weights("w", "a", "b"), "a") }, sizes).flops, 192);
  assertEquals(cost({ y: x().gelu() }, sizes).flops, 0);
});

Deno.test("cost(): peakBytes of graphs that can be counted by hand", () => {
  const n = 2 * 3 * 4; // values in x
  // A chain: what an operation reads and what it writes are alive together. What is fed does not count.
  assertEquals(cost({ y: x().gelu() }, sizes).peakBytes, KB(n));
  assertEquals(cost({ y: x().gelu().tanh().exp() }, sizes).peakBytes, KB(2 * n));
  // a = gelu(x) must wait for b = tanh(a) and c = exp(b): a, b, c, then a + c.
  const a = x().gelu();
  assertEquals(cost({ y: a.tanh().exp().add(a) }, sizes).peakBytes, KB(3 * n));
  // Four values made first and then added: all four, and the sums.
  const parts = [x().gelu(), x().tanh(), x().exp(), x().abs()];
  const [p, q, r, s] = parts;
  const all = cost({ y: p.add(q).add(r).add(s) }, sizes).peakBytes;
  assert(all >= KB(3 * n) && all <= KB(5 * n), `${all}`);
  // A sum over everything: the values and one number for each prompt.
  assertEquals(cost({ y: x().gelu().sum("pos", "a") }, sizes).peakBytes, KB(n + 2));
  // Outputs stay to the end.
  assertEquals(cost({ p, q, r, s }, sizes).peakBytes, KB(4 * n));
  assertEquals(cost({ p, y: p.tanh().exp().abs() }, sizes).peakBytes, KB(3 * n));
  // Broadcast values are not written out, neither inside nor as an output.
  assertEquals(cost({ y: x().sum("a").expand("k", 100).mean("k") }, sizes).peakBytes, KB(6));
  assertEquals(cost({ y: x().sum("a").expand("k", 100) }, sizes).peakBytes, KB(6));
});

Deno.test("Lowering: outputs are the arrays that nodes make, and one array is one output", () => {
  const y = x().gelu();
  const { graph, outputs } = new Lowering({ y, again: x().gelu(), wide: y.expand("k", 9) }, sizes);
  const { nodes, outputs: made } = graph.finish();
  assertEquals([nodes.map(({ op }) => op), made.length], [["Gelu"], 1]);
  assertEquals(new Set([...outputs.values()].map(({ from }) => from)).size, 1);
});

Deno.test("Lowering: an array is reshaped once for all who read it, and not back and forth", () => {
  const reshapes = (outputs: Record<string, Tensor>) =>
    new Lowering(outputs, sizes).graph.finish().nodes.filter(({ op }) => op === "Reshape");
  const [v, w] = [weights("v", "a", "b"), weights("w", "a", "b", 2)];
  const product = (matrix: Tensor) => x().gelu().dot(matrix, "a");
  // Rows of [batch, pos, a] for a product, and its rows as [batch, pos, b].
  assertEquals(reshapes({ one: product(w).exp() }).length, 2);
  // Two products read the same rows: one reshape in, two out.
  assertEquals(reshapes({ one: product(w).exp(), two: product(v).exp() }).length, 3);
  // Nobody reads an array by a shape that it already has.
  const made = new Map(
    reshapes({ one: product(w).dot(weights("u", "b", "c"), "b").exp() }).map((node) => [
      node.outputs[0],
      node.inputs[0],
    ]),
  );
  for (const from of made.values()) assert(!made.has(from), `${from} is a reshape of a reshape`);
});

Deno.test("cost(): grows with the batch and counts attention's scores", () => {
  const y = { y: x().dot(weights("w", "a", "b"), "a").gelu() };
  const [one, ten] = [1, 10].map((batch) => cost(y, { batch, pos: 3 }).peakBytes);
  assertEquals(ten, 10 * one);
});
