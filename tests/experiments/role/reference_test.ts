// role() of the embedded model beside tests/reference/role.py: the same definitions, in PyTorch, NumPy and
// float64.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { role } from "../../../lib/experiments/role/role.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { embeddedPrompts } from "../../transformer/models.ts";
import reference from "../../reference/data/role.json" with { type: "json" };

const model = await loadModel();
const prompts = await embeddedPrompts(reference.count, reference.length);
const result = await role(model, prompts, {
  most: reference.most,
  bins: reference.bins,
  rotations: reference.draws,
  edgePrompts: reference.edgePrompts,
});

/** float32 here, processed in float32, against float64 there. */
const close = (got: number, want: number, what: string, absolute = 2e-5) =>
  assertAlmostEquals(got, want, absolute + 2e-4 * Math.abs(want), what);

Deno.test("role(): the vocabulary's ends and their mean DLA are PyTorch's", () => {
  assertEquals(
    result.vocabulary.map(({ id, rank }) => [id, rank]),
    reference.vocabulary.map((r) => [r.id, r.rank]),
  );
  result.vocabulary.forEach(({ token, dla }, i) => close(dla.value, reference.vocabulary[i].dla, token));
});

Deno.test("role(): attention by bins is PyTorch's, and its parts add up to 1", () => {
  assertEquals(result.attention.length, reference.attention.length);
  result.attention.forEach(({ from, to, target, weight }, i) => {
    const want = reference.attention[i];
    assertEquals([from, to, target], [want.from, want.to, want.target]);
    close(weight.value, want.weight, `${from} ${target}`);
  });
  for (let i = 0; i < result.attention.length; i += 4) {
    const four = result.attention.slice(i, i + 4);
    assertAlmostEquals(four.reduce((sum, { weight }) => sum + weight.value, 0), 1, 1e-6);
    assertAlmostEquals(four.reduce((sum, { uniform }) => sum + uniform, 0), 1, 1e-9);
  }
});

Deno.test("role(): shares of variance are those of the normal equations", () => {
  assertEquals(result.variance.map(({ factor }) => factor), reference.variance.map(({ factor }) => factor));
  result.variance.forEach(({ factor, alone, last }, i) => {
    close(alone.value, reference.variance[i].alone, `${factor} alone`, 2e-4);
    close(last.value, reference.variance[i].last, `${factor} last`, 2e-4);
  });
});

Deno.test("role(): losses without the output, by position and class, are PyTorch's", () => {
  assertEquals(result.without.length, reference.without.length);
  for (const { by, group, run, loss, n } of result.without) {
    const want = reference.without.find((r) => r.by === by && r.group === group && r.run === run)!;
    assertEquals(n, want.n, group);
    close(loss.value, want.loss, `${group} ${run}`, 5e-5);
  }
});

Deno.test("role(): every edge's effect on loss and pattern is PyTorch's, and the control's", () => {
  assertEquals(result.edges.length, reference.edges.length);
  for (const { reader, input, loss, control, pattern, patternControl } of result.edges) {
    const want = reference.edges.find((r) => r.reader === reader && r.input === input)!;
    const what = `${input} of ${reader}`;
    close(loss.value, want.loss, what);
    close(control.value, want.control, `${what}, rotated`);
    assertEquals(pattern === undefined, want.pattern === undefined, what);
    if (!pattern) continue;
    close(pattern.value, want.pattern!, `${what}: pattern`, 1e-4);
    close(patternControl!.value, want.patternControl!, `${what}: pattern, rotated`, 1e-4);
  }
});
