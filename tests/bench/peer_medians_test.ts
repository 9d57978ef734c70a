import { assertEquals, assertThrows } from "@std/assert";
import { compare } from "./peer_medians.ts";

Deno.test("A peer's medians agree to 1e-3, of their size where that is above 1", () => {
  assertEquals(compare("a peer", { "2": [0.5, 1000] }, { "2": [0.5, 1000.5] }), { count: 2, worst: 0.5 });
  assertEquals(compare("a peer", undefined, undefined), { count: 0, worst: 0 });
});

Deno.test("A median that differs, is missing or is no number ends the benchmark, and so does a figure without any", () => {
  const mine = { "2": [0.5, 1] };
  const others: (Record<string, number[]> | undefined)[] = [
    { "2": [0.5, 1.01] },
    { "2": [0.5] },
    { "2": [0.5, NaN] },
    {},
    undefined,
  ];
  for (const theirs of others) {
    assertThrows(() => compare("a peer", mine, theirs), Error, 'bench:peer: "2"');
  }
});
