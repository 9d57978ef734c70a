// Cleaners in detail of the embedded model against PyTorch in 64 bits, with every logit written out and
// torch's own SVD (tests/reference/cleaners.py), with the same rotation.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { cleanersInDetail } from "../../../lib/experiments/cleaners/cleaners.ts";
import { loadModel, promptsFor } from "../../../lib/transformer/load.ts";

interface Recorded {
  node: string;
  sigma?: number[];
  cosine: number[];
  response: number[];
  control: number[];
}

const recorded = JSON.parse(
  await Deno.readTextFile(new URL("../../reference/data/cleaners-tiny-gelu-4l.json", import.meta.url)),
);
const model = await loadModel();
const prompts = await promptsFor(model, { count: recorded.count, length: recorded.length });
const nodes: string[] = [...recorded.heads, ...recorded.mlps].map(({ node }: Recorded) => node);
// Draws of the control are averaged: the writer's own rows are compared, and sums of the control's elsewhere.
const result = await cleanersInDetail(model, prompts, {
  writer: recorded.writer,
  cleaners: nodes,
  most: 1000,
  rotations: 2,
  seed: 1,
});

Deno.test("singular values, cosines and responses by direction are PyTorch's", () => {
  for (const { node, sigma, cosine, response } of recorded.heads as Required<Recorded>[]) {
    const rows = result.directions.filter((row) => row.node === node).sort((a, b) =>
      a.direction - b.direction
    );
    assertEquals(rows.length, sigma.length);
    rows.forEach((row, k) => {
      assertAlmostEquals(row.sigma, sigma[k], 1e-4);
      assertAlmostEquals(row.cosine, cosine[k], 1e-3);
      // two singular values that are nearly alike may share their directions otherwise
      const alone = [k - 1, k + 1].every((i) =>
        sigma[i] === undefined || Math.abs(sigma[i] - sigma[k]) > 1e-3 * sigma[0]
      );
      if (alone) assertAlmostEquals(row.response.value, response[k], 1e-4, `${node} σ${k}`);
    });
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    assertAlmostEquals(sum(rows.map((row) => row.response.value)), sum(response), 1e-4);
  }
});

Deno.test("cosines and responses by neuron are PyTorch's", () => {
  for (const { node, cosine, response } of recorded.mlps as Recorded[]) {
    const rows = result.neurons.filter((row) => row.node === node);
    assertEquals(rows.length, cosine.length);
    for (const row of rows) {
      assertAlmostEquals(row.cosine, cosine[row.neuron], 1e-5);
      assertAlmostEquals(row.response.value, response[row.neuron], 1e-5, `${node} neuron ${row.neuron}`);
    }
  }
});

Deno.test("what is opposed, over all logits, is PyTorch's, also of another text", () => {
  for (const { node, opposed, control } of recorded.suppression) {
    const row = result.suppression.find((row) => row.node === node)!;
    assertAlmostEquals(row.opposed.value, opposed, 1e-4, node);
    assertAlmostEquals(row.control.value, control, 1e-4, node);
  }
});

Deno.test("what is left of what was said, by location, is PyTorch's", () => {
  const own = recorded.lens.filter(({ run }: { run: string }) => run === "writer");
  assert(own.length > 4);
  for (const expected of own) {
    const row = result.lens.find(({ location, run }) => location === expected.location && run === "writer")!;
    for (const field of ["stream", "logits", "size"] as const) {
      assertAlmostEquals(row[field].value, expected[field], 1e-4, `${expected.location} ${field}`);
    }
  }
});
