import { assertEquals, assertStringIncludes } from "@std/assert";
import { judge } from "../../lib/jupyter/exercise.ts";

Deno.test("judge() of an untouched stub is no attempt, and computes nothing", async () => {
  let computed = 0;
  const { verdict } = await judge(undefined, () => ++computed);
  assertEquals([verdict, computed], ["not attempted", 0]);
});

Deno.test("judge() takes a right value as a value, a function or a promise", async () => {
  for (const right of [0.5, () => 0.5, () => Promise.resolve(0.5)]) {
    assertEquals(await judge(0.5015, right), { verdict: "right", say: "0.5015" });
  }
});

Deno.test("judge() is absolute for small numbers, relative for large, and as close as it is told to be", async () => {
  assertEquals((await judge(0.0019, 0)).verdict, "right");
  assertEquals((await judge(0.0021, 0)).verdict, "wrong");
  assertEquals((await judge(1001, 1000)).verdict, "right");
  assertEquals((await judge(1001, 1000, { tolerance: 1e-4 })).verdict, "wrong");
});

Deno.test("judge() says how a number is wrong, and not what is right", async () => {
  const say = async (answer: number) => (await judge(answer, -1.25)).say;
  assertStringIncludes(await say(1.25), "the sign is not");
  assertStringIncludes(await say(-1.2), "close, but not it");
  assertEquals(await say(4), "4 is not it.");
  assertEquals(await say(12.34567), "12.35 is not it.");
  assertEquals(await say(-Infinity), "-Infinity is not it.");
  assertStringIncludes(await say(NaN), "NaN");
});

Deno.test("judge() knows the mistakes that it was told of, unless they are right", async () => {
  const mistakes = [{ answer: 3, say: "that is the clean run." }];
  assertEquals((await judge(3, 2, { mistakes })).say, "that is the clean run.");
  assertEquals((await judge(3, 3, { mistakes })).verdict, "right");
});

Deno.test("judge() compares names and lists", async () => {
  assertEquals((await judge(" L2H3 ", "L2H3")).verdict, "right");
  assertEquals((await judge(["a", "b"], ["a", "b"])).verdict, "right");
  assertEquals((await judge([1, 2, 4], [1, 2, 3])).say, "4, at 2 of 0 … 2, is not it.");
  assertEquals((await judge([1, 2], [1, 2, 3])).say, "got 2 values; expected 3.");
});

Deno.test("judge() of an answer of another kind says which was expected", async () => {
  assertEquals((await judge("0.5", 0.5)).say, 'got "0.5"; expected a number.');
  assertEquals((await judge(1, [1, 2])).say, "got 1; expected a list of 2.");
  assertEquals((await judge(NaN, [1, 2])).say, "got NaN; expected a list of 2.");
});

Deno.test("judge() without a value to compare with says so", async () => {
  for (const right of [undefined, NaN, () => undefined]) {
    const { verdict, say } = await judge(2, right);
    assertEquals(verdict, "unknown");
    assertStringIncludes(say, "no value is known for this model");
  }
});

Deno.test("judge() lets a function judge the answer, where many are right", async () => {
  const long = (answer: string) => ({ right: answer.length > 3, say: `${answer.length} letters` });
  assertEquals(await judge("four", long), { verdict: "right", say: "4 letters" });
  assertEquals(await judge("one", (answer: string) => Promise.resolve(long(answer))), {
    verdict: "wrong",
    say: "3 letters.",
  });
});

Deno.test("judge() of a promise says what is missing", async () => {
  const promise = Promise.resolve(1) as unknown as number;
  assertEquals(await judge(promise, 1), {
    verdict: "wrong",
    say: 'the answer is a promise; put "await" before what makes it.',
  });
});
