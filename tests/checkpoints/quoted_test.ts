// Values of files as they stand in messages.
import { assertEquals, assertThrows } from "@std/assert";
import { quoted, saidBy, shown } from "../../lib/checkpoints/quoted.ts";

Deno.test("quoted() shows a value as the file has it, in one line, cut", () => {
  const cases: [value: unknown, text: string][] = [
    ['a\n"b"', '"a\\n\\"b\\""'],
    [JSON.parse("1e999"), "Infinity"],
    [JSON.parse("[-1e999, 2]"), "[-Infinity,2]"],
    [NaN, "NaN"],
    [JSON.parse("-0"), "-0"],
    [5n, "5"],
    [{ a: 12n ** 12n }, '{"a":8916100448256}'],
    [undefined, "undefined"],
    [null, "null"],
    ["x".repeat(100), `"${"x".repeat(78)}…`],
    [JSON.parse("[".repeat(200_000) + "]".repeat(200_000)), "a deeply nested list"],
  ];
  for (const [value, text] of cases) assertEquals(quoted(value), text);
});

Deno.test("shown() writes out what a terminal would obey, and cuts", () => {
  assertEquals(shown("a\u202eb\x1b[2J\u2028"), "a\\u202eb\\u001b[2J\\u2028");
  assertEquals(shown("abcdef", 4), "abc…");
});

Deno.test("saidBy(): a reader's own words, but none of JavaScript's", () => {
  assertEquals(saidBy(new Error("its footer\u202e is short.")), "its footer\\u202e is short.");
  assertEquals(saidBy(new TypeError("Cannot read properties of undefined")), "it is damaged.");
  const engines: (() => unknown)[] = [
    () => new Array(-1),
    () => new Uint8Array(-1),
    () => new Uint8Array(2).set([1, 2], 1),
    () => new DataView(new ArrayBuffer(2)).getInt32(0),
    () => new DataView(new ArrayBuffer(2), 5),
    () => "a".repeat(2 ** 40),
  ];
  for (const engine of engines) assertEquals(saidBy(assertThrows(engine)), "it is damaged.");
  assertEquals(saidBy(new RangeError("a page claims 5 values")), "a page claims 5 values");
});
