import { assertEquals, assertThrows } from "@std/assert";
import { NdArray } from "../../lib/tensor/nd_array.ts";

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
