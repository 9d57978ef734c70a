import { attention, layerNorm, rmsNorm } from "../../lib/tensor/layers.ts";
import { assertEquals } from "@std/assert";
import { Lowering } from "../../lib/tensor/lower.ts";
import { constant, iota, type Tensor, where } from "../../lib/tensor/tensor.ts";
import { along, type At, sumOver, World } from "./world.ts";

const EPS = 1e-3;
const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length;

Deno.test("layerNorm() centres and scales along any dim, with and without weight and bias", async () => {
  for (const over of ["pos", "a", "b"].slice(1)) {
    const world = new World(31);
    const x = world.input("pos", "a", "b");
    const [w, b] = [world.param(over), world.param(over)];
    const line = along(world.sizes, over, x.at);
    const scale: At = (i) => {
      const v = line(i), m = mean(v);
      return Math.sqrt(mean(v.map((y) => (y - m) ** 2)) + EPS);
    };
    const plain: At = (i) => (x.at(i) - mean(line(i))) / scale(i);
    const both = layerNorm(x.t, over, EPS);
    world.expect(both.normalized, plain, `${over}`);
    world.expect(both.scale, scale, `scale over ${over}`);
    const full = layerNorm(x.t, over, EPS, { weight: w.t, bias: b.t });
    world.expect(full.normalized, (i) => plain(i) * w.at(i) + b.at(i), "weight and bias");
    world.expect(full.scale, scale, "scale beside weight and bias");
    world.expect(layerNorm(x.t, over, EPS, { weight: w.t }).normalized, (i) => plain(i) * w.at(i), "weight");
    world.expect(
      layerNorm(x.t, over, EPS, { bias: b.t }).normalized,
      (i) => plain(i) + b.at(i),
      "bias alone",
    );
    world.expect(
      layerNorm(x.t, over, EPS, { weight: w.t.mul(2), bias: constant(1).expand(over) }).normalized,
      (i) => plain(i) * 2 * w.at(i) + 1,
      "computed weight, broadcast bias",
    );
    const wide = layerNorm(x.t.expand("c", world.sizes.c), over, EPS);
    world.expect(wide.normalized, plain, "a broadcast dim");
    world.expect(wide.scale, scale, "its scale");
    world.expect(
      layerNorm(x.t.select(over, 0).expand(over, world.sizes[over]), over, EPS).normalized,
      () => 0,
      "a constant line",
    );
    world.expect(
      layerNorm(x.t.select(over, 0).expand(over, world.sizes[over]), over, EPS).scale,
      () => Math.sqrt(EPS),
      "its scale",
    );
    await world.check({ batchSize: 2 });
  }
});

Deno.test("rmsNorm() scales along any dim, with and without weight", async () => {
  for (const over of ["a", "b"]) {
    const world = new World(32);
    const x = world.input("pos", "a", "b");
    const w = world.param(over);
    const plain: At = (i) =>
      x.at(i) / Math.sqrt(mean(along(world.sizes, over, x.at)(i).map((y) => y * y)) + EPS);
    world.expect(rmsNorm(x.t, over, EPS), plain);
    world.expect(rmsNorm(x.t, over, EPS, w.t), (i) => plain(i) * w.at(i), "weight");
    world.expect(rmsNorm(x.t, over, EPS, w.t.neg()), (i) => -plain(i) * w.at(i), "computed weight");
    world.expect(rmsNorm(x.t.expand("c", world.sizes.c), over, EPS), plain, "a broadcast dim");
    await world.check({ batchSize: 2 });
  }
});

const SCALE = 0.6;

/** softmax(SCALE · q kᵀ, causal) v in plain loops. `kvHead`: which head of k and v a head of q reads. */
function plainAttention(
  sizes: Record<string, number>,
  q: At,
  k: At,
  v: At,
  kvHead = (head: number) => head,
): At {
  return (i) => {
    const scores = Array.from(
      { length: i.pos + 1 },
      (_, key) =>
        SCALE *
        sumOver(sizes, ["d_head"], (j) =>
          q({ ...i, d_head: j.d_head }) * k({ ...i, pos: key, head: kvHead(i.head), d_head: j.d_head }))(i),
    );
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
    return scores.reduce(
      (sum, s, key) => sum + Math.exp(s) / total * v({ ...i, pos: key, head: kvHead(i.head) }),
      0,
    );
  };
}

/** The same, spelt out in tensors: scores, mask, softmax, mixture. */
function speltOut(q: Tensor, k: Tensor, v: Tensor): Tensor {
  const scores = q.rename({ pos: "query" }).dot(k.rename({ pos: "key" }), "d_head").mul(SCALE);
  const masked = where(
    iota("query", "pos").expand("key", "pos"),
    "GreaterOrEqual",
    iota("key", "pos").expand("query", "pos"),
    scores,
    -Infinity,
  );
  return masked.softmax("key").dot(v.rename({ pos: "key" }), "key").rename({ query: "pos" });
}

for (let seed = 0; seed < 6; seed++) {
  Deno.test(`attention() fused = spelt out = plain loops (seed ${seed})`, async () => {
    const world = new World(800 + seed, { head: 1 + seed % 4, d_head: 1 + (seed * 3) % 5, pos: 1 + seed });
    const order = () => world.some(["pos", "head", "d_head"], 3);
    const [q, k, v] = [world.input(...order()), world.input(...order()), world.input(...order())];
    const plain = plainAttention(world.sizes, q.at, k.at, v.at);
    world.expect(attention(q.t, k.t, v.t, SCALE), plain, "fused");
    world.expect(speltOut(q.t, k.t, v.t), plain, "spelt out");
    await world.check({ batchSize: 2 });
  });
}

Deno.test("attention() with broadcast dims, with wider values and with shared keys and values", async () => {
  const world = new World(33, { head: 4, d_head: 3, kv: 2, pos: 4 });
  const { head, d_head } = world.sizes;
  const [q, k, v] = [1, 2, 3].map(() => world.input("pos", "head", "d_head"));
  const one = world.input("pos", "d_head");
  world.expect(
    attention(one.t.expand("head", head), k.t, v.t, SCALE),
    plainAttention(world.sizes, one.at, k.at, v.at),
    "q the same for every head",
  );
  world.expect(
    attention(q.t, one.t.expand("head", head), one.t.expand("head", head), SCALE),
    plainAttention(world.sizes, q.at, one.at, one.at),
    "k and v the same for every head",
  );
  world.expect(
    attention(
      q.t,
      k.t,
      constant(2).expand("batch", "batch").expand("pos", "pos").expand("head", head).expand("d_head", d_head),
      SCALE,
    ),
    () => 2,
    "constant values",
  );
  const [k2, v2] = [1, 2].map(() => world.input("pos", "kv", "d_head"));
  world.expect(
    attention(q.t, k2.t.rename({ kv: "head" }), v2.t.rename({ kv: "head" }), SCALE),
    plainAttention(
      world.sizes,
      q.at,
      (i) => k2.at({ ...i, kv: i.head }),
      (i) => v2.at({ ...i, kv: i.head }),
      (h) => Math.floor(h / 2),
    ),
    "2 heads of keys for 4 of queries",
  );
  const wide = world.input("pos", "head", "d");
  world.expect(
    attention(q.t, k.t, wide.t.rename({ d: "d_head" }), SCALE),
    (i) => plainAttention(world.sizes, (j) => q.at(j), k.at, (j) => wide.at({ ...j, d: i.d_head }))(i),
    "values of another width",
  );
  await world.check({ batchSize: 3 });
});

Deno.test("attention() over the same queries and keys shares its scores, whatever the values", async () => {
  const world = new World(34, { head: 2, d_head: 3, d: 5, pos: 4 });
  const [q, k, v, u] = [1, 2, 3, 4].map(() => world.input("pos", "head", "d_head"));
  const wide = world.input("pos", "d", "head");
  const of = (values: Tensor) => attention(q.t, k.t, values, SCALE);
  const first = plainAttention(world.sizes, q.at, k.at, v.at);
  const again = plainAttention(world.sizes, q.at, k.at, first);
  const outputs = {
    v: of(v.t),
    minus: of(v.t.sub(u.t)),
    wide: of(wide.t.rename({ d: "d_head" })),
    twice: of(of(v.t)),
  };
  world.expect(outputs.v, first, "values");
  world.expect(
    outputs.minus,
    plainAttention(world.sizes, q.at, k.at, (i) => v.at(i) - u.at(i)),
    "changed values",
  );
  world.expect(
    outputs.wide,
    (i) => plainAttention(world.sizes, q.at, k.at, (j) => wide.at({ ...j, d: i.d_head }))(i),
    "wider values",
  );
  world.expect(outputs.twice, again, "values that need the first result");
  world.expect(attention(q.t, k.t, v.t, 2 * SCALE).sub(of(v.t)).mul(0), () => 0, "another scale");
  await world.check({ batchSize: 2 });
  const { batch, pos } = world.sizes;
  const attentions = (asked: Record<string, Tensor>) =>
    new Lowering(asked, { batch, pos }).graph.finish().nodes.filter((n) => n.op === "Attention").length;
  assertEquals(attentions({ v: outputs.v, minus: outputs.minus, wide: outputs.wide }), 1);
  assertEquals(attentions({ v: outputs.v, other: attention(q.t, k.t, v.t, 2 * SCALE) }), 2);
  assertEquals(attentions({ v: outputs.v, other: attention(k.t, q.t, v.t, SCALE) }), 2);
});
