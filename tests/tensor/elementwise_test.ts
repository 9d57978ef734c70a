import { constant, iota, type Tensor, where } from "../../lib/tensor/tensor.ts";
import { erf } from "../reference/erf.ts";
import { type At, World } from "./world.ts";

const NAMES = ["batch", "pos", "a", "b", "c"];

const unary: [string, (t: Tensor) => Tensor, (x: number) => number][] = [
  ["neg", (t) => t.neg(), (x) => -x],
  ["abs", (t) => t.abs(), Math.abs],
  ["exp", (t) => t.exp(), Math.exp],
  ["log", (t) => t.abs().add(0.1).log(), (x) => Math.log(Math.abs(x) + 0.1)],
  ["sqrt", (t) => t.abs().sqrt(), (x) => Math.sqrt(Math.abs(x))],
  ["reciprocal", (t) => t.abs().add(0.5).reciprocal(), (x) => 1 / (Math.abs(x) + 0.5)],
  ["tanh", (t) => t.tanh(), Math.tanh],
  ["sigmoid", (t) => t.sigmoid(), (x) => 1 / (1 + Math.exp(-x))],
  ["relu", (t) => t.relu(), (x) => Math.max(0, x)],
  ["gelu", (t) => t.gelu(), (x) => x * 0.5 * (1 + erf(x / Math.SQRT2))],
  [
    "gelu tanh",
    (t) => t.gelu("tanh"),
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ],
];

Deno.test("Tensor: operations of one operand, on inputs, parameters and broadcast tensors", async () => {
  const world = new World(1);
  const x = world.input("pos", "a");
  const w = world.param("b", "c");
  for (const [name, lazy, plain] of unary) {
    world.expect(lazy(x.t), (i) => plain(x.at(i)), `${name} of an input`);
    world.expect(lazy(w.t), (i) => plain(w.at(i)), `${name} of a parameter`);
    world.expect(lazy(w.t.expand("a", world.sizes.a)), (i) => plain(w.at(i)), `${name} of a broadcast`);
  }
  await world.check();
});

const binary: [string, (s: Tensor, t: Tensor | number) => Tensor, (x: number, y: number) => number][] = [
  ["add", (s, t) => s.add(t), (x, y) => x + y],
  ["sub", (s, t) => s.sub(t), (x, y) => x - y],
  ["mul", (s, t) => s.mul(t), (x, y) => x * y],
  ["atLeast", (s, t) => s.atLeast(t), Math.max],
  ["atMost", (s, t) => s.atMost(t), Math.min],
];

for (let seed = 0; seed < 12; seed++) {
  Deno.test(`Tensor: binary operations broadcast by name, in any order of the dims (seed ${seed})`, async () => {
    const world = new World(100 + seed);
    for (const [name, lazy, plain] of binary) {
      const wide = world.some(NAMES, 1).filter((n, _, all) => n !== "pos" || all.includes("batch"));
      const narrow = world.some(wide).filter((n, _, all) => n !== "pos" || all.includes("batch"));
      const [x, y] = [world.tensor(wide), world.tensor(narrow)];
      const label = `${name} [${x.t.names}] [${y.t.names}]`;
      world.expect(lazy(x.t, y.t), (i) => plain(x.at(i), y.at(i)), label);
      world.expect(lazy(y.t, x.t), (i) => plain(y.at(i), x.at(i)), `${label}, swapped`);
      world.expect(lazy(x.t, 0.7), (i) => plain(x.at(i), Math.fround(0.7)), `${name} of a number`);
      world.expect(x.t.div(y.t.abs().add(1)), (i) => x.at(i) / (Math.abs(y.at(i)) + 1), `div, ${label}`);
    }
    await world.check({ batchSize: 1 + world.int(world.sizes.batch) });
  });
}

Deno.test("expand() broadcasts through operations and into a run's output, wherever the dim stands", async () => {
  const world = new World(2);
  const { a, b } = world.sizes;
  const [x, w] = [world.input("pos"), world.param("c")];
  const outer: At = (i) => x.at(i) * w.at(i);
  world.expect(x.t.expand("c").mul(w.t), outer, "an outer product");
  world.expect(x.t.expand("c").mul(w.t.expand("pos").expand("batch")), outer, "both expanded");
  world.expect(x.t.expand("a", a), x.at, "a broadcast output");
  world.expect(x.t.expand("a", a).order("batch", "a", "pos"), x.at, "a broadcast output in the middle");
  world.expect(w.t.expand("a", a).order("a", "c").exp(), (i) => Math.exp(w.at(i)), "in front");
  world.expect(w.t.expand("batch", "batch").order("batch", "c"), w.at, "a parameter for each prompt");
  world.expect(constant(3).expand("b", b).expand("batch", "batch").order("batch", "b"), () => 3, "constant");
  world.expect(
    x.t.expand("a", a).add(x.t.expand("a", a)).expand("b", b).mul(2),
    (i) => 4 * x.at(i),
    "two broadcast operands",
  );
  world.expect(
    constant(2).expand("a").mul(world.param("a").t.mul(0)).add(w.t.expand("a")),
    w.at,
    "a size taken from what it meets",
  );
  await world.check({ batchSize: 2 });
});

Deno.test("constant(): infinities and NaN stay what they are", async () => {
  const world = new World(3);
  const x = world.input("a");
  world.expect(x.t.mul(0).add(Infinity), () => Infinity);
  world.expect(x.t.mul(0).add(-Infinity), () => -Infinity);
  world.expect(x.t.atMost(Infinity), x.at);
  world.expect(x.t.atLeast(-Infinity), x.at);
  world.expect(x.t.add(NaN), () => NaN);
  await world.check();
});

Deno.test("iota() counts along one dim, of known or symbolic size", async () => {
  const world = new World(4);
  const x = world.input("pos");
  world.expect(iota("a", 3).mul(2), (i) => 2 * i.a);
  world.expect(x.t.add(iota("pos", "pos")), (i) => x.at(i) + i.pos);
  world.expect(iota("pos", "pos").expand("key", "pos").sub(iota("key", "pos")), (i) => i.pos - i.key);
  await world.check();
});

for (let seed = 0; seed < 6; seed++) {
  Deno.test(`where() chooses element by element, operands broadcast by name (seed ${seed})`, async () => {
    const world = new World(200 + seed);
    const pick = () =>
      world.tensor(world.some(NAMES, 1).filter((n, _, all) => n !== "pos" || all.includes("batch")));
    const [a, b, then, otherwise] = [pick(), pick(), pick(), pick()];
    world.expect(
      where(a.t, "Less", b.t, then.t, otherwise.t),
      (i) => a.at(i) < b.at(i) ? then.at(i) : otherwise.at(i),
    );
    world.expect(
      where(a.t, "GreaterOrEqual", 0.2, then.t, -1),
      (i) => a.at(i) >= Math.fround(0.2) ? then.at(i) : -1,
    );
    world.expect(where(a.t, "Less", 0, 1, otherwise.t), (i) => a.at(i) < 0 ? 1 : otherwise.at(i));
    await world.check({ batchSize: 2 });
  });
}

Deno.test("Whole numbers meet numbers: token ids compared, added and chosen", async () => {
  const world = new World(5);
  const ids = world.ids(4, "pos");
  const x = world.input("pos");
  world.expect(where(ids.t, "Equal", 2, x.t, 0), (i) => ids.at(i) === 2 ? x.at(i) : 0, "a mask by id");
  world.expect(where(ids.t, "Less", 2, 1, 0), (i) => ids.at(i) < 2 ? 1 : 0, "numbers chosen by id");
  world.expect(where(x.t, "Less", 0, ids.t, 3), (i) => x.at(i) < 0 ? ids.at(i) : 3, "ids chosen");
  world.expect(where(x.t, "Less", 0, 3, ids.t), (i) => x.at(i) < 0 ? 3 : ids.at(i), "ids otherwise");
  world.expect(ids.t.add(1), (i) => ids.at(i) + 1, "ids plus 1");
  world.expect(ids.t, ids.at, "ids as they are");
  await world.check({ batchSize: 2 });
});
