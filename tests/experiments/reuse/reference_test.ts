// reuse() of the embedded model beside tests/reference/reuse.py: the same definitions, in PyTorch and
// float64.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { reuse } from "../../../lib/experiments/reuse/reuse.ts";
import { locations, modelNodes } from "../../../lib/transformer/nodes.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { embeddedPrompts } from "../../transformer/models.ts";
import reference from "../../reference/data/reuse.json" with { type: "json" };

const model = await loadModel();
const prompts = await embeddedPrompts(reference.prompts, reference.length);
const result = await reuse(model, prompts, { other: reference.other, rotations: reference.draws });

type Shares = Record<string, Record<string, number>>;
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
/** float32 here, processed in float32, against float64 there. */
const close = (got: number, want: number, what: string) =>
  assertAlmostEquals(got, want, 2e-5 + 2e-4 * Math.abs(want), what);

/** The recorded share, of random spans the mean over the draws. */
function recorded(span: string, what: "standing" | "written" | "read", content: string, key: string): number {
  const found = reference.shares.filter((one) => one.span === span);
  return mean(found.map((one) => (one[what] as Shares)[content][key]));
}

Deno.test("reuse(): the span's directions and energy are PyTorch's", () => {
  const [own, beside] = result.spans;
  assertEquals([own.k, beside.k], [reference.k, reference.k]);
  close(own.energy, reference.energy, "writer");
  close(beside.energy, reference.otherEnergy, "other");
});

Deno.test("reuse(): what stands in the spans, is written into them and read from them is what PyTorch says", () => {
  let compared = 0;
  for (const row of result.occupancy) {
    for (const content of ["all", "own", "rest"] as const) {
      const want = recorded(row.span, "standing", content, row.location);
      close(row[content].value, want, `${row.span} ${row.location} ${content}`);
      compared++;
    }
  }
  for (const row of result.written) {
    for (const content of ["all", "rest"] as const) {
      const want = recorded(row.span, "written", content, row.node);
      close(row[content].value, want, `${row.span} ${row.node} ${content}`);
      compared++;
    }
  }
  for (const row of result.read.filter(({ reader }) => !reader.startsWith("layer"))) {
    for (const content of ["all", "own", "rest"] as const) {
      const want = recorded(row.span, "read", content, `${row.reader} ${row.input}`);
      close(row[content].value, want, `${row.span} ${row.reader} ${row.input} ${content}`);
      compared++;
    }
  }
  const { length: places } = locations(model.config), { length: nodes } = modelNodes(model.config);
  assertEquals(compared, 3 * (3 * places + 2 * nodes + 3 * (3 * 32 + 4 + 1)));
});

Deno.test("reuse(): the losses with what was erased put back, and with the span exchanged, are PyTorch's", () => {
  const back = reference.putBack as Record<string, { loss: number; MLP3: number }>;
  for (const { run, lambda, loss } of result.putBack) {
    const want = run === "writer"
      ? back[`writer ${lambda}`].loss
      : mean([0, 1].map((i) => back[`control ${i} ${lambda}`].loss));
    close(loss.value, want, `${run} ${lambda}`);
  }
  for (const { run, lambda, node, change } of result.changed) {
    const want = run === "writer"
      ? back[`writer ${lambda}`].MLP3
      : mean([0, 1].map((i) => back[`control ${i} ${lambda}`].MLP3));
    assertEquals(node, "MLP3");
    close(change.value, want, `${run} ${lambda}: change`);
  }
  for (const { span, loss, divergence } of result.needed) {
    const found = reference.needed.filter((one) => one.span === span);
    close(loss.value, mean(found.map((one) => one.loss)), `${span}: loss`);
    close(divergence.value, mean(found.map((one) => one.divergence)), `${span}: KL`);
  }
});
