// What a run is asked for in records and lists comes back in the same places.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { flattened } from "../../lib/tensor/outputs.ts";
import { cost, run, stream } from "../../lib/tensor/run.ts";
import { constant, input } from "../../lib/tensor/tensor.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";

const x = input("x", [{ name: "batch", size: "batch" }], { dtype: "float32" });
const feeds = { x: new NdArray(Float32Array.of(1, 2, 3), ["batch"], [3]) };
const times = (n: number) => x.mul(n);

Deno.test("run() gives records and lists back as they were asked for, empty ones and undefined too", async () => {
  const asked = {
    one: times(1),
    two: { b: [times(2), { c: times(3) }] as const, none: undefined },
    "": {},
    list: [],
  };
  const got = await run(asked, feeds, { batchSize: 2 });
  assertEquals(Object.keys(got), ["one", "two", "", "list"]);
  assertEquals([...got.one.data], [1, 2, 3]);
  assertEquals([...got.two.b[0].data], [2, 4, 6]);
  assertEquals([...got.two.b[1].c.data], [3, 6, 9]);
  assertEquals([got.two.none, got[""], got.list], [undefined, {}, []]);
});

Deno.test("stream() yields the same nest for each batch", async () => {
  const seen: number[] = [];
  for await (const { results } of stream({ some: [times(2)] }, feeds, { batchSize: 2 })) {
    seen.push(...results.some[0].data);
  }
  assertEquals(seen, [2, 4, 6]);
});

Deno.test("cost() of a nest is that of its tensors", () => {
  const sizes = { batch: 3 };
  assertEquals(cost({ a: { b: times(2) } }, sizes), cost({ ab: times(2) }, sizes));
});

Deno.test("an output that is none, and two under one name, are refused by name", async () => {
  await assertRejects(
    () => run({ a: { b: 3 as never } }, feeds),
    Error,
    'run: output "a.b": got a number; expected a lazy tensor, or a record or list of them',
  );
  await assertRejects(() => run({ a: [feeds.x as never] }, feeds), Error, 'output "a.0": got an object');
  await assertRejects(() => run({ a: {} }, feeds), Error, "run: got no outputs");
  const two = { "a.b": constant(1), a: { b: constant(2) } };
  assertThrows(() => flattened(two), Error, 'two outputs are named "a.b"');
});
