import { assertEquals, assertRejects } from "@std/assert";
import { atOnce } from "../../lib/cli/at_once.ts";

const ticks = async (count: number) => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

Deno.test("atOnce() does everything, in order of beginning, never more than so many at a time", async () => {
  for (const count of [1, 2, 3, 9]) {
    const begun: number[] = [], done: number[] = [];
    let running = 0, most = 0;
    await atOnce([0, 1, 2, 3, 4, 5], count, async (item) => {
      begun.push(item);
      most = Math.max(most, ++running);
      await ticks(20 - 3 * item);
      running--;
      done.push(item);
    });
    assertEquals(begun, [0, 1, 2, 3, 4, 5]);
    assertEquals(done.toSorted(), begun);
    assertEquals(most, Math.min(count, 6));
  }
});

Deno.test("atOnce(): after a failure nothing begins, what runs ends, and the first failure is thrown", async () => {
  const done: number[] = [];
  const work = async (item: number) => {
    await ticks(item === 1 ? 1 : 30);
    if (item === 1 || item === 2) throw new Error(`number ${item}`);
    done.push(item);
  };
  await assertRejects(() => atOnce([0, 1, 2, 3, 4], 3, work), Error, "number 1");
  assertEquals(done, [0]);
});
