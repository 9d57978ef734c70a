// Progress in a cell: what the line says, when it appears, and that no executed notebook keeps it.
import { assert, assertEquals } from "@std/assert";
import { executeNotebook } from "../../lib/jupyter/execute.ts";
import { Kernel } from "../../lib/jupyter/kernel.ts";
import { parseNotebook } from "../../lib/jupyter/notebook.ts";
import { isProgress, progressLine, showProgress } from "../../lib/jupyter/progress.ts";

Deno.test("progressLine() says how far it is, what is left, and at the end how long it took", () => {
  assertEquals(progressLine("loss", { done: 0, total: 8, seconds: 2 }), "loss: 0 %");
  assertEquals(progressLine("loss", { done: 2, total: 8, seconds: 3 }), "loss: 25 %, about 9 s left");
  assertEquals(progressLine("loss", { done: 1, total: 100, seconds: 3 }), "loss: 1 %, about 5 min left");
  assertEquals(progressLine("loss", { done: 8, total: 8, seconds: 12.4 }), "loss: done in 12 s");
});

Deno.test("showProgress() outside a notebook shows nothing", () => {
  showProgress("loss")({ done: 1, total: 2, seconds: 60 }); // would throw, or print
});

const PROGRESS = new URL("../../lib/jupyter/progress.ts", import.meta.url).href;

/** A cell that reports what a run would, with pauses between. */
const cell = (reports: [done: number, seconds: number][]) => `
const { showProgress } = await import(${JSON.stringify(PROGRESS)});
const report = showProgress("loss");
for (const [done, seconds] of ${JSON.stringify(reports)}) {
  report({ done, total: 4, seconds });
  await new Promise((resolve) => setTimeout(resolve, 350));
}
console.log("the result");`;

const LONG: [number, number][] = [[0, 0.1], [1, 0.9], [2, 1.1], [3, 1.5], [4, 2]];

Deno.test("a long cell shows one line, which redraws itself; a short one shows none", async () => {
  const runtimeDir = await Deno.makeTempDir();
  try {
    await using kernel = await Kernel.start({ cwd: runtimeDir, runtimeDir });
    const lines = new Set<string>();
    const { outputs } = await kernel.execute(cell(LONG), {
      onOutput: (outputs) =>
        outputs.filter(isProgress).forEach((o) => "data" in o && lines.add(String(o.data["text/plain"]))),
    });
    assertEquals(outputs.filter(isProgress).length, 1);
    const last = outputs.find(isProgress)!;
    assertEquals("data" in last && last.data["text/plain"], "loss: done in 2 s");
    assertEquals([...lines], [
      "loss: 50 %, about 1 s left",
      "loss: 75 %, about 1 s left",
      "loss: done in 2 s",
    ]);

    const short = await kernel.execute(cell([[0, 0.1], [4, 0.9]]));
    assertEquals(short.outputs.filter(isProgress), []);
    assertEquals(short.outputs.length, 1);
  } finally {
    await Deno.remove(runtimeDir, { recursive: true });
  }
});

Deno.test("an executed notebook holds the result and no progress", async () => {
  const source = cell(LONG);
  const notebook = parseNotebook(
    JSON.stringify({
      nbformat: 4,
      nbformat_minor: 5,
      metadata: {},
      cells: [{ cell_type: "code", id: "a", metadata: {}, execution_count: null, outputs: [], source }],
    }),
    "made up",
  );
  const runtimeDir = await Deno.makeTempDir();
  try {
    const { cells: [done] } = await executeNotebook(notebook, { name: "n", cwd: runtimeDir, runtimeDir });
    assert(done.cell_type === "code");
    assertEquals(done.outputs, [{ output_type: "stream", name: "stdout", text: "the result\n" }]);
  } finally {
    await Deno.remove(runtimeDir, { recursive: true });
  }
});
