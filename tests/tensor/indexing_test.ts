import { concat, iota, stack, type Tensor } from "../../lib/tensor/tensor.ts";
import { type At, World } from "./world.ts";

for (let seed = 0; seed < 6; seed++) {
  Deno.test(`select() and slice() of parameters, inputs and computed values (seed ${seed})`, async () => {
    const world = new World(600 + seed);
    const x = world.input(...world.some(["pos", "a", "b"], 3));
    const w = world.param(...world.some(["a", "b", "c"], 3));
    const sources: [string, Tensor, At][] = [
      ["input", x.t, x.at],
      ["parameter", w.t, w.at],
      ["computed", x.t.mul(2), (i) => 2 * x.at(i)],
      ["computed parameter", w.t.exp(), (i) => Math.exp(w.at(i))],
      [
        "part of a part",
        w.t.slice(w.t.names[0], 1, w.t.dims[0].size as number),
        (i) => w.at({ ...i, [w.t.names[0]]: i[w.t.names[0]] + 1 }),
      ],
      ["broadcast", x.t.expand("d", world.sizes.d), x.at],
    ];
    for (const [label, t, at] of sources) {
      for (const { name, size } of t.dims) {
        if (typeof size !== "number") continue;
        const index = world.int(size);
        world.expect(
          t.select(name, index),
          (i) => at({ ...i, [name]: index }),
          `${label} at ${name} ${index}`,
        );
        const start = world.int(size), end = start + 1 + world.int(size - start);
        world.expect(
          t.slice(name, start, end),
          (i) => at({ ...i, [name]: start + i[name] }),
          `${label}, ${name} ${start} … ${end}`,
        );
      }
    }
    world.expect(x.t.select("pos", 1), (i) => x.at({ ...i, pos: 1 }), "a position");
    world.expect(x.t.slice("pos", 1, 2), (i) => x.at({ ...i, pos: 1 }), "a slice of positions");
    await world.check({ batchSize: 1 + world.int(world.sizes.batch) });
  });
}

Deno.test("prefix() takes as many rows as a symbol says, of a parameter in any order and of a computed table", async () => {
  const world = new World(21, { pos: 3, row: 7 });
  const x = world.input("pos");
  for (const order of [["row", "a"], ["a", "row"]]) {
    const table = world.param(...order);
    const at: At = (i) => table.at({ ...i, row: i.pos });
    const rows = (t: Tensor) => t.prefix("row", "pos").rename({ row: "pos" });
    world.expect(rows(table.t), at, `${order}`);
    world.expect(rows(table.t.neg()), (i) => -at(i), `${order}, computed`);
    world.expect(x.t.expand("a").mul(rows(table.t)), (i) => x.at(i) * at(i), `${order}, used`);
    world.expect(
      rows(table.t).expand("batch", "batch").order("batch", "pos", "a"),
      at,
      `${order}, for each prompt`,
    );
  }
  await world.check({ batchSize: 2 });
});

for (let seed = 0; seed < 6; seed++) {
  Deno.test(`stack() and concat() of tensors with their dims in any order (seed ${seed})`, async () => {
    const world = new World(700 + seed);
    const names = world.some(["batch", "a", "b"], 1);
    const parts = Array.from(
      { length: 1 + world.int(4) },
      () => world.tensor(world.some(names, names.length)),
    );
    world.expect(stack(parts.map((p) => p.t), "part"), (i) => parts[i.part].at(i), "stack");
    const wide = parts.map((p) => ({ t: p.t.expand("c", world.sizes.c), at: p.at }));
    const one = world.tensor([...names, "c"]);
    world.expect(
      stack([...wide, one].map((p) => p.t), "part"),
      (i) => [...wide, one][i.part].at(i),
      "stack with broadcast dims",
    );
    const over = "d";
    const long = Array.from(
      { length: 1 + world.int(3) },
      () => world.tensor(world.some([...names, over], names.length + 1)),
    );
    const { d } = world.sizes;
    world.expect(
      concat(long.map((p) => p.t), over),
      (i) => long[Math.floor(i.d / d)].at({ ...i, d: i.d % d }),
      "concat",
    );
    const cut = long.map((p) => p.t.slice(over, 1, d));
    world.expect(
      concat([...cut, parts[0].t.expand(over, 1)], over),
      (i) =>
        i.d === cut.length * (d - 1)
          ? parts[0].at(i)
          : long[Math.floor(i.d / (d - 1))].at({ ...i, d: 1 + i.d % (d - 1) }),
      "concat of different lengths, one broadcast",
    );
    await world.check({ batchSize: 1 + world.int(world.sizes.batch) });
  });
}

Deno.test("concat() keeps the place of its dimension", async () => {
  const world = new World(22);
  const x = world.input("a", "b");
  const twice = concat([x.t, x.t], "a");
  world.expect(twice, (i) => x.at({ ...i, a: i.a % world.sizes.a }));
  await world.check();
  if (`${twice.names}` !== "batch,a,b") throw new Error(`got ${twice.names}`);
});

Deno.test("gather() looks rows up, along any dim of parameters and computed tables", async () => {
  const world = new World(23);
  const ids = world.ids(world.sizes.a, "pos");
  for (const order of [["a", "b", "c"], ["b", "a", "c"], ["c", "b", "a"]]) {
    const table = world.param(...order);
    const at: At = (i) => table.at({ ...i, a: ids.at(i) });
    world.expect(table.t.gather("a", ids.t), at, `${order}`);
    world.expect(table.t.exp().gather("a", ids.t), (i) => Math.exp(at(i)), `${order}, computed`);
    world.expect(table.t.expand("d", world.sizes.d).gather("a", ids.t), at, `${order}, with a broadcast dim`);
  }
  const line = world.param("a");
  world.expect(line.t.gather("a", ids.t.expand("b", world.sizes.b)), (i) => line.at({ a: ids.at(i) }));
  world.expect(
    line.t.gather("a", ids.t.order("pos", "batch")),
    (i) => line.at({ a: ids.at(i) }),
    "ids in another order",
  );
  await world.check({ batchSize: 2 });
});

Deno.test("pick() takes one element along a dim for each index", async () => {
  const world = new World(24);
  const x = world.input("pos", "a", "b");
  const w = world.param("a");
  const [full, byPos] = [world.ids(world.sizes.a, "pos", "b"), world.ids(world.sizes.a, "pos")];
  const single = world.ids(world.sizes.pos);
  world.expect(x.t.pick("a", full.t), (i) => x.at({ ...i, a: full.at(i) }), "an index for each");
  world.expect(
    x.t.pick("a", full.t.order("b", "batch", "pos")),
    (i) => x.at({ ...i, a: full.at(i) }),
    "reordered",
  );
  world.expect(x.t.pick("a", byPos.t), (i) => x.at({ ...i, a: byPos.at(i) }), "fewer dims");
  world.expect(x.t.pick("pos", single.t), (i) => x.at({ ...i, pos: single.at(i) }), "one position a prompt");
  world.expect(
    x.t.order("a", "b", "batch", "pos").neg().pick("a", byPos.t),
    (i) => -x.at({ ...i, a: byPos.at(i) }),
    "of a computed value",
  );
  world.expect(
    w.t.expand("batch", "batch").expand("pos", "pos").pick("a", byPos.t),
    (i) => w.at({ a: byPos.at(i) }),
    "from a broadcast table",
  );
  await world.check({ batchSize: 2 });
});

Deno.test("rename() and order(): values keep their names, whatever is done next", async () => {
  const world = new World(25);
  const x = world.input("pos", "a", "b");
  Object.assign(world.sizes, { p: world.sizes.pos, q: world.sizes.b });
  world.expect(x.t.rename({ pos: "p", b: "q" }), (i) => x.at({ ...i, pos: i.p, b: i.q }));
  const square = world.tensor(["batch", "d"]).t.expand("e", world.sizes.d);
  world.expect(square.rename({ d: "e", e: "d" }).sub(square.rename({ d: "e", e: "d" })), () => 0);
  const y = world.input("d");
  world.expect(
    y.t.expand("e", world.sizes.d).rename({ d: "e", e: "d" }).mul(y.t),
    (i) => y.at({ ...i, d: i.e }) * y.at(i),
    "two names exchanged",
  );
  world.expect(x.t.order("batch", "b", "pos", "a"), x.at);
  world.expect(
    x.t.order("b", "a", "pos", "batch").rename({ a: "q" }).order("batch", "b", "q", "pos"),
    (i) => x.at({ ...i, a: i.q }),
  );
  world.expect(x.t.rename({ a: "z" }).add(iota("z", world.sizes.a)), (i) => x.at({ ...i, a: i.z }) + i.z);
  await world.check({ batchSize: 2 });
});
