import { run } from "../../lib/tensor/run.ts";
import { constant } from "../../lib/tensor/tensor.ts";
import { assertAlmostEquals } from "@std/assert";
import { sumOver, World } from "./world.ts";

/**
 * Distributes `names` over: both and kept, left only, right only, both and summed. Each group may be empty
 * but the last.
 */
function roles(world: World, names: readonly string[]): { left: string[]; right: string[]; over: string[] } {
  const [left, right, over]: string[][] = [[], [], []];
  names.forEach((name, i) => {
    // those two are never summed here
    const role = name === "batch" || name === "pos" ? world.int(3) : world.int(4);
    const summed = i === names.length - 1 || role === 3;
    if (summed || role !== 1) left.push(name);
    if (summed || role !== 0) right.push(name);
    if (summed) over.push(name);
  });
  return { left: world.some(left, left.length), right: world.some(right, right.length), over };
}

for (let seed = 0; seed < 25; seed++) {
  Deno.test(`Tensor.dot(): any mix of kept, own and summed dims, in any order (seed ${seed})`, async () => {
    const world = new World(300 + seed);
    for (let k = 0; k < 4; k++) {
      const { left, right, over } = roles(world, ["batch", "pos", ...world.some(["a", "b", "c", "d"], 1)]);
      const prompt = (names: string[]) => names.includes("pos") && !names.includes("batch") ? ["batch"] : [];
      const [x, y] = [world.tensor([...left, ...prompt(left)]), world.tensor([...right, ...prompt(right)])];
      const order = world.some(over, over.length);
      const expected = sumOver(world.sizes, over, (i) => x.at(i) * y.at(i));
      world.expect(x.t.dot(y.t, ...order), expected, `[${x.t.names}] dot [${y.t.names}] over ${order}`);
      world.expect(y.t.dot(x.t, ...order), expected, `[${y.t.names}] dot [${x.t.names}] over ${order}`);
    }
    await world.check({ batchSize: 1 + world.int(world.sizes.batch) });
  });
}

Deno.test("Tensor.dot(): weights in every memory order, with and without bias, product also used alone", async () => {
  const orders = [["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"], ["b", "c", "a"], ["c", "a", "b"], [
    "c",
    "b",
    "a",
  ]];
  for (const [k, order] of orders.entries()) {
    const world = new World(400 + k);
    const x = world.input("pos", "a");
    const xb = world.input("pos", "b", "a");
    const w = world.param(...order);
    const wd = world.param(...order);
    const [bias, turned, one] = [world.param("b", "c"), world.param("c", "b"), world.param("c")];
    const product = sumOver(world.sizes, ["a"], (i) => x.at(i) * w.at(i));
    world.expect(x.t.dot(w.t, "a"), product, `${order}`);
    for (const b of [bias, turned, one]) {
      world.expect(
        x.t.dot(wd.t, "a").add(b.t),
        sumOver(world.sizes, ["a"], (i) => x.at(i) * wd.at(i) + b.at(i) / world.sizes.a),
        `${order} + bias [${b.t.names}]`,
      );
    }
    // The product is used alone above: here it must not be swallowed by the product with bias.
    world.expect(x.t.dot(w.t, "a").add(bias.t), (i) => product(i) + bias.at(i), `${order}, used twice`);
    world.expect(bias.t.add(x.t.dot(w.t, "a")), (i) => product(i) + bias.at(i), "bias first");
    world.expect(x.t.dot(w.t, "a").add(x.t.dot(w.t, "a")), (i) => 2 * product(i), "the product with itself");
    const two = sumOver(world.sizes, ["a", "b"], (i) => xb.at(i) * w.at(i));
    world.expect(xb.t.dot(w.t, "a", "b"), two, `${order}, two summed`);
    world.expect(
      xb.t.dot(w.t, "b", "a").add(one.t),
      (i) => two(i) + one.at(i),
      `${order}, two summed + bias`,
    );
    const kept = sumOver(world.sizes, ["a"], (i) => xb.at(i) * w.at(i));
    world.expect(xb.t.dot(w.t, "a").add(bias.t), (i) => kept(i) + bias.at(i), `${order}, b kept + bias`);
    await world.check({ batchSize: 2 });
  }
});

Deno.test("Tensor.dot(): GEMM with bias alone in a graph, each order of the weights", async () => {
  // In its own graph each, so that no other use of the product keeps it from taking the bias.
  for (const [k, order] of [["a", "b"], ["b", "a"]].entries()) {
    for (const negative of [false, true]) {
      const world = new World(420 + k);
      const [x, w, bias] = [world.input("pos", "a"), world.param(...order), world.param("b")];
      const sign = negative ? -1 : 1;
      const product = x.t.dot(w.t, "a");
      world.expect(
        negative ? product.sub(bias.t) : product.add(bias.t),
        sumOver(world.sizes, ["a"], (i) => x.at(i) * w.at(i) + sign * bias.at(i) / world.sizes.a),
        `${order} ${negative}`,
      );
      await world.check();
    }
  }
});

Deno.test("Tensor.dot(): weights times weights, and a bias of the wider operand", async () => {
  const world = new World(5);
  const [u, v] = [world.param("a", "b"), world.param("b", "c")];
  const [bc, bb] = [world.param("c"), world.param("a")];
  const product = sumOver(world.sizes, ["b"], (i) => u.at(i) * v.at(i));
  world.expect(u.t.dot(v.t, "b"), product);
  world.expect(v.t.dot(u.t, "b").mul(2).add(bc.t), (i) => 2 * product(i) + bc.at(i));
  world.expect(u.t.dot(v.t, "b").add(bb.t), (i) => product(i) + bb.at(i));
  await world.check();
  const square = new World(6, { a: 3, c: 3 }); // where equal sizes could hide a swap
  const [p, q, bias] = [square.param("a", "b"), square.param("b", "c"), square.param("a")];
  square.expect(
    p.t.dot(q.t, "b").add(bias.t),
    sumOver(square.sizes, ["b"], (i) => p.at(i) * q.at(i) + bias.at(i) / square.sizes.b),
  );
  await square.check();
});

Deno.test("Tensor.dot(): broadcast dims, kept and summed", async () => {
  const world = new World(7);
  const { a, b, c } = world.sizes;
  const [x, w, y] = [world.input("pos"), world.param("b"), world.input("a", "b")];
  const xw = sumOver(world.sizes, ["b"], (i) => x.at(i) * w.at(i));
  world.expect(x.t.expand("b").dot(w.t, "b"), xw, "summed dim broadcast on the left");
  world.expect(w.t.dot(x.t.expand("b", b), "b"), xw, "… on the right");
  world.expect(x.t.expand("a", a).dot(x.t.expand("a", a), "a"), (i) => a * x.at(i) ** 2, "… on both");
  world.expect(x.t.expand("a", a).dot(x.t.expand("a"), "a"), (i) => a * x.at(i) ** 2, "… one size known");
  world.expect(x.t.expand("a").dot(x.t.expand("a", a), "a"), (i) => a * x.at(i) ** 2, "… the other");
  world.expect(
    y.t.expand("c", c).dot(w.t, "b"),
    sumOver(world.sizes, ["b"], (i) => y.at(i) * w.at(i)),
    "a kept broadcast dim",
  );
  world.expect(
    y.t.expand("c", c).dot(w.t.expand("c"), "b"),
    sumOver(world.sizes, ["b"], (i) => y.at(i) * w.at(i)),
    "a kept broadcast dim of both",
  );
  world.expect(
    y.t.dot(x.t.expand("b").expand("a"), "b", "a"),
    sumOver(world.sizes, ["a", "b"], (i) => y.at(i) * x.at(i)),
    "two broadcast summed dims, pos kept",
  );
  world.expect(
    y.t.dot(w.t.expand("a", a), "a", "b"),
    sumOver(world.sizes, ["a", "b"], (i) => y.at(i) * w.at(i)),
    "one of two summed dims broadcast",
  );
  world.expect(
    y.t.expand("pos", "pos").dot(constant(2).expand("a", a), "a"),
    sumOver(world.sizes, ["a"], (i) => 2 * y.at(i)),
    "with a constant",
  );
  await world.check({ batchSize: 2 });
});

Deno.test("Tensor.dot(): positions summed, as in attention written out", async () => {
  const world = new World(8);
  const [q, k] = [world.input("pos", "a"), world.input("pos", "a")];
  const scores = q.t.rename({ pos: "query" }).dot(k.t.rename({ pos: "key" }), "a");
  world.sizes.query = world.sizes.key = world.sizes.pos;
  const s = sumOver(world.sizes, ["a"], (i) => q.at({ ...i, pos: i.query }) * k.at({ ...i, pos: i.key }));
  world.expect(scores, s);
  world.expect(
    scores.dot(k.t.rename({ pos: "key" }), "key"),
    sumOver(world.sizes, ["key"], (i) => s(i) * k.at({ ...i, pos: i.key })),
  );
  await world.check({ batchSize: 2 });
});

Deno.test("Tensor.dot(): equal operands (a Gram matrix)", async () => {
  const world = new World(9);
  const x = world.input("pos", "a", "b");
  const gram = x.t.dot(x.t.rename({ a: "c" }), "b");
  world.sizes.c = world.sizes.a;
  world.expect(gram, sumOver(world.sizes, ["b"], (i) => x.at(i) * x.at({ ...i, a: i.c })));
  world.expect(x.t.dot(x.t, "b"), sumOver(world.sizes, ["b"], (i) => x.at(i) ** 2));
  await world.check({ batchSize: 2 });
});

Deno.test("Tensor.dot(): large sums keep float32 precision", async () => {
  const world = new World(10, { a: 2000 });
  const [x, w] = [world.input("a"), world.param("a")];
  const { y } = await run({ y: x.t.dot(w.t, "a") }, world.feeds);
  const exact = sumOver(world.sizes, ["a"], (i) => x.at(i) * w.at(i));
  for (let batch = 0; batch < world.sizes.batch; batch++) {
    assertAlmostEquals(y.data[batch], exact({ batch }), 1e-3);
  }
});
