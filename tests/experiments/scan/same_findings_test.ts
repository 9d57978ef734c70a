// A finding is the model's, not the prompts': other texts, cut to another length, lead to the same writers
// within their intervals.
import { assert, assertEquals } from "@std/assert";
import { selectPrompts, shorten } from "../../../lib/checkpoints/mod.ts";
import { foundWriters, scan, type ScanResult } from "../../../lib/experiments/scan/scan.ts";
import { loadModel, promptsFor } from "../../../lib/transformer/load.ts";

/** What both scans examined, with the specific erasure that each saw. */
function inBoth(a: ScanResult, b: ScanResult) {
  return a.writers.flatMap((one) => {
    const other = b.writers.find(({ writer }) => writer === one.writer);
    return other ? [{ writer: one.writer, one: one.specific, other: other.specific }] : [];
  });
}

Deno.test("scan(): other prompts and another length give the same writers of the embedded model within intervals", async () => {
  const model = await loadModel("tiny-gelu-4l");
  const all = await promptsFor(model);
  const rows = (from: number) => Array.from({ length: all.count / 2 }, (_, i) => from + i);
  const first = await scan(model, selectPrompts(all, rows(0)));
  const second = await scan(
    model,
    shorten(selectPrompts(all, rows(all.count / 2)), { length: all.length / 2 }),
  );
  const [a, b] = [first, second].map((result) => foundWriters(result).map(({ writer }) => writer));
  assertEquals(
    [a[0], b[0]],
    ["L1H5", "L1H5"],
    "the writer of cleanup.json is the most erased of the stream in both",
  );
  const same = a.filter((writer) => b.includes(writer));
  assert(same.length >= 3, `found in both: ${same}; ${a} and ${b}`);
  const examined = inBoth(first, second);
  // A writer of which one scan is sure that a tenth is erased is at least examined by the other, and no two
  // intervals of one node's specific erasure lie apart.
  const sure = [...first.writers, ...second.writers].filter(({ specific }) => specific.interval[0] >= 0.1);
  assert(sure.length >= 4);
  for (const { writer } of sure) {
    assert(examined.some((e) => e.writer === writer), `${writer} is missing in one`);
  }
  for (const { writer, one, other } of examined) {
    const apart = one.interval[0] > other.interval[1] || other.interval[0] > one.interval[1];
    assert(!apart, `${writer}: ${one.interval} and ${other.interval}`);
  }
});
