import { assertEquals, assertThrows } from "@std/assert";
import { NdArray, repeated } from "../../lib/tensor/nd_array.ts";

const array = new NdArray(Float32Array.from({ length: 24 }, (_, i) => i), ["a", "b", "c"], [2, 3, 4]);

Deno.test("NdArray.at() and select() read by name", () => {
  assertEquals(array.at({ c: 3, a: 1, b: 2 }), 23);
  assertEquals(array.at({ a: 1, b: 0, c: 2 }), 14);
  const middle = array.select({ b: 1 });
  assertEquals([middle.names, middle.shape], [["a", "c"], [2, 4]]);
  assertEquals([...middle.data], [4, 5, 6, 7, 16, 17, 18, 19]);
  assertEquals([...array.select({ c: 1, a: 0 }).data], [1, 5, 9]);
  assertEquals(array.select({}).data, array.data);
  assertEquals(array.size("b"), 3);
});

Deno.test("NdArray.select() copies", () => {
  const part = array.select({ a: 0 });
  part.data[0] = 99;
  assertEquals(array.data[0], 0);
});

Deno.test("NdArray: wrong sizes, unknown names and indices out of range are refused", () => {
  assertThrows(() => new NdArray(new Float32Array(5), ["a", "b"], [2, 3]), Error, "expected 6");
  assertThrows(() => new NdArray(new Float32Array(6), ["a"], [2, 3]), Error, "NdArray");
  assertThrows(() => array.select({ d: 0 }), Error, 'no dimension "d"; the dims are [a, b, c]');
  assertThrows(() => array.select({ b: 3 }), Error, "b 3 is outside 0 … 2");
  assertThrows(() => array.at({ a: 0, b: -1, c: 0 }), Error, "b -1 is outside 0 … 2");
  assertThrows(() => array.at({ a: 0, c: 0 }), Error, "no index for b");
});

Deno.test("repeated() writes values out along the dims that they lack, when they are looked at", () => {
  const values = new NdArray(Float32Array.of(1, 2, 3, 4, 5, 6), ["a", "b"], [2, 3]);
  const of = (...names: string[]) => {
    const sizes: Record<string, number> = { a: 2, b: 3, k: 2, n: 1 };
    return [...repeated(values, names, names.map((name) => sizes[name])).data];
  };
  assertEquals(of("a", "b", "k"), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  assertEquals(of("a", "k", "b"), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
  assertEquals(of("k", "n", "a", "b"), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
  assertEquals(repeated(values, ["a", "b"], [2, 3]), values);
  const wide = repeated(values, ["a", "k", "b"], [2, 2, 3]);
  assertEquals([...wide.select({ k: 1, a: 1 }).data], [4, 5, 6]);
  assertEquals(wide.data, wide.data);
  assertEquals([...repeated(new NdArray(Int32Array.of(7), [], []), ["a"], [3]).data], [7, 7, 7]);
});

Deno.test("NdArray: a function is called once, when the values are looked at", () => {
  let calls = 0;
  const lazy = new NdArray(() => Float32Array.of(++calls, 2), ["a"], [2]);
  assertEquals([calls, lazy.shape, calls], [0, [2], 0]);
  assertEquals([lazy.at({ a: 0 }), lazy.data[0], calls], [1, 1, 1]);
  assertThrows(() => new NdArray(() => new Float32Array(3), ["a"], [2]).data, Error, "expected 2");
});
