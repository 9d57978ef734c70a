import type { Tensor } from "../../lib/tensor/tensor.ts";
import { along, indices, World } from "./world.ts";

const kinds: [string, (t: Tensor, over: string[]) => Tensor, (values: number[]) => number][] = [
  ["sum", (t, over) => t.sum(...over), (v) => v.reduce((a, b) => a + b, 0)],
  ["mean", (t, over) => t.mean(...over), (v) => v.reduce((a, b) => a + b, 0) / v.length],
  ["max", (t, over) => t.max(...over), (v) => Math.max(...v)],
  ["sumSquares", (t, over) => t.sumSquares(...over), (v) => v.reduce((a, b) => a + b * b, 0)],
  ["logSumExp", (t, over) => t.logSumExp(...over), (v) => Math.log(v.reduce((a, b) => a + Math.exp(b), 0))],
];

for (let seed = 0; seed < 10; seed++) {
  Deno.test(`Reductions over any dims but batch, written out or broadcast (seed ${seed})`, async () => {
    const world = new World(500 + seed);
    const x = world.input(...world.some(["pos", "a", "b"], 1));
    const w = world.param(...world.some(["a", "b", "c"], 1));
    const broadcast = world.some(["c", "d"], 1).reduce((t, n) => t.expand(n, world.sizes[n]), x.t);
    for (const [name, lazy, plain] of kinds) {
      for (const [t, at] of [[x.t, x.at], [w.t, w.at], [broadcast, x.at]] as const) {
        const over = world.some(t.names.filter((n) => n !== "batch"), 1);
        const inner = indices({ names: over, shape: over.map((n) => world.sizes[n]) });
        const label = `${name} of [${t.names}] over ${over}`;
        world.expect(lazy(t, over), (i) => plain(inner.map((j) => at({ ...i, ...j }))), label);
      }
    }
    await world.check({ batchSize: 1 + world.int(world.sizes.batch) });
  });
}

Deno.test("logSumExp() and softmax() do not overflow", async () => {
  const world = new World(11);
  const x = world.input("a");
  const big = x.t.mul(300);
  const values = along(world.sizes, "a", (i) => x.at(i) * 300);
  const lse = (v: number[]) => {
    const most = Math.max(...v);
    return most + Math.log(v.reduce((sum, y) => sum + Math.exp(y - most), 0));
  };
  world.expect(big.logSumExp("a"), (i) => lse(values(i)));
  world.expect(big.softmax("a"), (i) => Math.exp(300 * x.at(i) - lse(values(i))), "softmax", 1e-4);
  await world.check();
});

Deno.test("softmax() along any dim, written out or broadcast", async () => {
  const world = new World(12);
  const x = world.input("pos", "a", "b");
  for (const over of ["pos", "a", "b"]) {
    const values = along(world.sizes, over, x.at);
    const total = (i: Record<string, number>) => values(i).reduce((sum, v) => sum + Math.exp(v), 0);
    world.expect(x.t.softmax(over), (i) => Math.exp(x.at(i)) / total(i), over);
    world.expect(x.t.expand("c", world.sizes.c).softmax(over), (i) => Math.exp(x.at(i)) / total(i), over);
  }
  world.expect(x.t.expand("c", world.sizes.c).softmax("c"), () => 1 / world.sizes.c, "a broadcast dim");
  await world.check({ batchSize: 2 });
});

Deno.test("topK() gives the k largest along any dim, in falling order, and their places", async () => {
  const world = new World(13, { k: 2 });
  const x = world.input("pos", "a", "b");
  for (const over of ["pos", "a", "b"]) {
    const { values, indices } = x.t.topK(over, 2);
    const sorted = (i: Record<string, number>) =>
      along(world.sizes, over, x.at)(i).map((v, place) => ({ v, place })).sort((p, q) => q.v - p.v);
    world.expect(values, (i) => sorted(i)[i[over]].v, `values along ${over}`);
    world.expect(indices, (i) => sorted(i)[i[over]].place, `places along ${over}`);
    world.expect(
      x.t.pick(over, indices.select(over, 1)),
      (i) => sorted(i)[1].v,
      `picked again along ${over}`,
    );
  }
  const first = x.t.select("pos", 0);
  const top = first.expand("c", world.sizes.c).topK("a", 1).values.select("a", 0);
  world.expect(
    top,
    (i) => Math.max(...along(world.sizes, "a", x.at)({ ...i, pos: 0 })),
    "with a broadcast dim",
  );
  await world.check({ batchSize: 2 });
});
