// Candidates and cleaners by their settings, one at a time; the nulls' vectors.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { judge } from "../../../lib/experiments/scan/cleaners.ts";
import type { Evidence, NodeEvidence } from "../../../lib/experiments/scan/confirm.ts";
import { turned } from "../../../lib/experiments/scan/nulls.ts";
import { shiftedPrompts } from "../../../lib/experiments/shifted_prompts.ts";
import { DEFAULT_SETTINGS } from "../../../lib/experiments/scan/settings.ts";
import { NdArray } from "../../../lib/tensor/nd_array.ts";
import { run } from "../../../lib/tensor/run.ts";
import { input } from "../../../lib/tensor/tensor.ts";

function node(name: string, changes: Partial<NodeEvidence> = {}): NodeEvidence {
  return {
    node: name,
    layer: 1,
    kind: "head",
    median: -0.3,
    low: -0.4,
    high: -0.2,
    n: 100,
    below: 0.95,
    ratio: -0.3,
    firstRatio: -0.3,
    nulls: { otherPrompt: 0, otherPosition: 0, random: 0 },
    p: 0.001,
    q: 0.01,
    ...changes,
  };
}

const evidence = (...nodes: NodeEvidence[]): Evidence => ({
  writer: "L0H0",
  dropShare: 0.9,
  locations: [],
  nodes,
});
const verdict = (e: Evidence) => judge(e, DEFAULT_SETTINGS);

Deno.test("judge() takes what passes every setting, sums it up, and gives each other node's reason", () => {
  const { cleaners, rejected, groupRatio, notFound } = verdict(evidence(
    node("weak", { ratio: -0.01 }),
    node("b", { ratio: -0.2 }),
    node("sometimes", { below: 0.79 }),
    node("unsure", { q: 0.06 }),
    node("late", { q: undefined, p: undefined, firstRatio: -0.004 }),
    node("a", { ratio: -0.5 }),
    node("along", { ratio: 0.5 }),
  ));
  assertEquals(cleaners.map((c) => c.node), ["a", "b"]);
  assertEquals(groupRatio, -0.7);
  assertEquals(notFound, undefined);
  assertEquals(rejected.map((r) => r.node.node), ["sometimes", "unsure", "late"]);
  assertStringIncludes(rejected[0].reason, "P(PR < 0) is 0.79, less than 0.8");
  assertStringIncludes(rejected[1].reason, "adjusted p 0.060");
  assertStringIncludes(
    rejected[2].reason,
    "not tested: it erased too little on the first half (ratio -0.004)",
  );
});

Deno.test("judge() says why a writer is not found", () => {
  assertEquals(verdict(evidence(node("up", { ratio: 1 }))).notFound, "no later node erases it");
  assertStringIncludes(
    verdict(evidence(node("a", { ratio: -0.1 }))).notFound!,
    "erase 0.10 of it, less than 0.2",
  );
  const rarely = { ...evidence(node("a")), dropShare: 0.4 };
  assertStringIncludes(verdict(rarely).notFound!, "on 0.40 of tokens, fewer than 0.5");
});

Deno.test("judge(): shared across prompts is the group's ratio to another prompt's output, as a part of its own", () => {
  const nulls = { otherPrompt: -0.15, otherPosition: 0, random: 0 };
  assertEquals(verdict(evidence(node("a", { nulls }), node("b", { nulls }))).sharedAcrossPrompts, 0.5);
  assertEquals(verdict(evidence()).sharedAcrossPrompts, NaN);
});

Deno.test("turned() brings position i + half to i; shiftedPrompts() gives each prompt the next", async () => {
  const dims = [{ name: "batch", size: "batch" }, { name: "pos", size: "pos" }, { name: "d_model", size: 2 }];
  const x = input("x", dims, { dtype: "float32" });
  const fed = (values: number[], length: number) =>
    new NdArray(Float32Array.from(values), ["batch", "pos", "d_model"], [1, length, 2]);
  const even = await run({ y: turned(x, 4) }, { x: fed([0, 0, 1, 10, 2, 20, 3, 30], 4) });
  assertEquals([...even.y.data], [2, 20, 3, 30, 0, 0, 1, 10]);
  const odd = await run({ y: turned(x, 3) }, { x: fed([0, 0, 1, 10, 2, 20], 3) });
  assertEquals([...odd.y.data], [1, 10, 2, 20, 0, 0]);
  const prompts = { tokens: Int32Array.of(1, 2, 3, 4, 5, 6), count: 3, length: 2, source: "x" };
  assertEquals([...shiftedPrompts(prompts).tokens], [3, 4, 5, 6, 1, 2]);
});
