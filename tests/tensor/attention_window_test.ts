/** Local attention and soft-capped scores: the fused operation against plain loops. */
import { assertThrows } from "@std/assert";
import { attention } from "../../lib/tensor/layers.ts";
import { type At, type Index, World } from "./world.ts";

const SCALE = 0.7;

/** Σ_j softmax_j(cap · tanh(scale · q(i) · k(j) / cap)) v(j) over i - window < j ≤ i, for each head. */
function plainWindow(sizes: Index, q: At, k: At, v: At, window: number, share = 1, softCap = Infinity): At {
  return (i) => {
    let [total, sum] = [0, 0];
    for (let pos = Math.max(0, i.pos - window + 1); pos <= i.pos; pos++) {
      const head = Math.floor(i.head / share);
      let score = 0;
      for (let d_head = 0; d_head < sizes.d_head; d_head++) {
        score += q({ ...i, d_head }) * k({ ...i, pos, head, d_head });
      }
      const scaled = SCALE * score;
      const weight = Math.exp(softCap === Infinity ? scaled : softCap * Math.tanh(scaled / softCap));
      total += weight;
      sum += weight * v({ ...i, pos, head });
    }
    return sum / total;
  };
}

for (const window of [1, 2, 3, 6, 7, 100]) {
  Deno.test(`attention() with a window of ${window} over 6 positions = plain loops`, async () => {
    const world = new World(900 + window, { pos: 6, head: 2, d_head: 3 });
    const dims = ["batch", "pos", "head", "d_head"];
    const [q, k, v] = [
      world.input(...dims.slice(1)),
      world.input(...dims.slice(1)),
      world.input(...dims.slice(1)),
    ];
    world.expect(
      attention(q.t, k.t, v.t, SCALE, { window }),
      plainWindow(world.sizes, q.at, k.at, v.at, window),
      "fused",
    );
    // Beside one without a window: the two must not be taken for each other, nor share their scores.
    world.expect(attention(q.t, k.t, v.t, SCALE), plainWindow(world.sizes, q.at, k.at, v.at, 6), "global");
    world.expect(
      attention(q.t, k.t, v.t.mul(2), SCALE, { window }),
      plainWindow(world.sizes, q.at, k.at, (i) => 2 * v.at(i), window),
      "other values",
    );
    await world.check({ batchSize: 2 });
  });
}

for (const window of [5, 128, 200, 1000]) {
  Deno.test(`attention() with a window of ${window} over 300 positions = plain loops`, async () => {
    const world = new World(920 + window, { batch: 2, pos: 300, head: 1, d_head: 2 });
    const [q, k, v] = [0, 1, 2].map(() => world.input("pos", "head", "d_head"));
    world.expect(
      attention(q.t, k.t, v.t, SCALE, { window }),
      plainWindow(world.sizes, q.at, k.at, v.at, window),
    );
    await world.check();
  });
}

// Masks must come after the cap: a hidden key's −∞ would become −cap, and be seen. 300 positions are three
// blocks of queries.
for (
  const [softCap, window, pos] of [[0.5, undefined, 6], [2, undefined, 300], [0.5, 5, 300], [
    2,
    200,
    300,
  ]] as const
) {
  Deno.test(`attention() with soft cap ${softCap}, window ${window}, over ${pos} positions = plain loops`, async () => {
    const world = new World(930 + pos + 10 * softCap, { batch: 2, pos, head: 1, d_head: 2 });
    const [q, k, v] = [0, 1, 2].map(() => world.input("pos", "head", "d_head"));
    const plain = (cap: number) => plainWindow(world.sizes, q.at, k.at, v.at, window ?? pos, 1, cap);
    world.expect(attention(q.t, k.t, v.t, SCALE, { window, softCap }), plain(softCap), "capped");
    world.expect(attention(q.t, k.t, v.t, SCALE, { window }), plain(Infinity), "beside it, uncapped");
    await world.check();
  });
}

Deno.test("attention() with a window and shared keys and values = plain loops", async () => {
  const world = new World(907, { pos: 5, head: 4, kv: 2, d_head: 3 });
  const q = world.input("pos", "head", "d_head");
  const [k, v] = [world.input("pos", "kv", "d_head"), world.input("pos", "kv", "d_head")];
  const of = (t: typeof k): At => (i) => t.at({ ...i, kv: i.head });
  world.expect(
    attention(q.t, k.t.rename({ kv: "head" }), v.t.rename({ kv: "head" }), SCALE, { window: 2 }),
    plainWindow(world.sizes, q.at, of(k), of(v), 2, 2),
    "shared",
  );
  await world.check({ batchSize: 1 });
});

Deno.test("attention() refuses a window of no positions", () => {
  const world = new World(908, { pos: 3, head: 1, d_head: 2 });
  const q = world.input("pos", "head", "d_head");
  for (const window of [0, -1, 2.5]) {
    assertThrows(() => attention(q.t, q.t, q.t, SCALE, { window }), Error, `a window of ${window}`);
  }
});
