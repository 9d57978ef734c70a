// One array for each list of arguments, as long as something uses it.
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { memo } from "../../lib/tensor/memo.ts";

Deno.test("memo() makes one array for equal arguments, records and arrays compared by what is in them", () => {
  let count = 0;
  const made = memo((n: number, of: { slopes: readonly number[] }) => {
    count++;
    return Float32Array.of(n, ...of.slopes);
  });
  const first = made(1, { slopes: [2, 3] });
  assertStrictEquals(made(1, { slopes: [2, 3] }), first);
  assertEquals([...first], [1, 2, 3]);
  assert(made(1, { slopes: [2, 4] }) !== first);
  assert(made(12, { slopes: [3] }) !== made(1, { slopes: [23] }), "where a joined string would be the same");
  assertEquals(count, 4);
});

Deno.test("memo() holds nothing that nobody uses: a gigabyte of arrays passes through, 8 MB at a time", async () => {
  let count = 0;
  const made = memo((n: number) => {
    count++;
    return new Float32Array(2 ** 21).fill(n);
  });
  const kept = made(0);
  const before = Deno.memoryUsage().external; // of this file: another runs beside it in the same process
  for (let n = 1; n <= 128; n++) {
    made(n);
    await new Promise((resolve) => setTimeout(resolve, 2)); // a WeakRef holds until the turn ends
  }
  const grown = (Deno.memoryUsage().external - before) / 2 ** 20;
  assert(grown < 700, `${grown.toFixed(0)} MB more`);
  assertStrictEquals(made(0), kept);
  assertEquals(count, 129);
});
