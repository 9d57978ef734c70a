import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CellError, executeNotebook } from "../../lib/jupyter/execute.ts";
import {
  type CodeCell,
  type Notebook,
  parseNotebook,
  serializeNotebook,
} from "../../lib/jupyter/notebook.ts";
import type { Fields } from "../../lib/jupyter/messages.ts";

function notebookOf(...sources: string[]): Notebook {
  const cells = sources.map((source, i) =>
    source.startsWith("#") ? { cell_type: "markdown", id: `m${i}`, metadata: {}, source } : {
      cell_type: "code",
      id: `c${i}`,
      metadata: {},
      source,
      execution_count: 9,
      outputs: [{
        output_type: "stream",
        name: "stdout",
        text: "stale",
      }],
    }
  );
  return parseNotebook(
    JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { title: "T" }, cells }),
    "t",
  );
}

async function inTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    return await use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const execute = (notebook: Notebook, options: Partial<Parameters<typeof executeNotebook>[1]> = {}) =>
  inTempDir((dir) =>
    executeNotebook(notebook, {
      name: "trial",
      cwd: dir,
      runtimeDir: dir,
      env: { NO_COLOR: "1" },
      ...options,
    })
  );

Deno.test("executeNotebook() fills outputs and counts of a copy, cell after cell", async () => {
  const notebook = notebookOf("# Title", "const x = 2;", "  ", "x * 21", "console.log(x)");
  const before = serializeNotebook(notebook);
  const seen: number[][] = [];
  const executed = await execute(notebook, {
    onCell: ({ codeCell, codeCells, cell }) => seen.push([codeCell, codeCells, cell]),
  });
  assertEquals(serializeNotebook(notebook), before); // the given one is untouched
  const code = executed.cells.filter((cell): cell is CodeCell => cell.cell_type === "code");
  // the empty cell is skipped, as Jupyter does
  assertEquals(code.map((cell) => cell.execution_count), [1, null, 2, 3]);
  assertEquals(code.map((cell) => cell.outputs.length), [0, 0, 1, 1]); // and the stale outputs are gone
  assertEquals((code[2].outputs[0] as Fields).data["text/plain"], "42");
  assertEquals((code[3].outputs[0] as Fields).text, "2\n");
  assertEquals(seen, [[1, 3, 2], [2, 3, 4], [3, 3, 5]]);
  assertEquals(executed.metadata.kernelspec.name, "deno");
  assertEquals(executed.metadata.title, "T");
});

Deno.test("executeNotebook() twice gives the same bytes", async () => {
  const notebook = notebookOf("# Title", "const rows = [1, 2];", "rows.length", "console.log('x'); [3]");
  assertEquals(serializeNotebook(await execute(notebook)), serializeNotebook(await execute(notebook)));
});

Deno.test("executeNotebook() stops at the first cell that fails: notebook, number, source and error", async () => {
  await inTempDir(async (dir) => {
    const after = `Deno.writeTextFileSync("${dir}/after", "ran")`;
    const notebook = notebookOf("# Title", "const a = 1;", "// why\nthrow new RangeError('boo')", after);
    const error = await assertRejects(() => execute(notebook, { cwd: dir }), CellError) as CellError;
    assertEquals([error.notebook, error.cell], ["trial", 3]);
    assertEquals(error.source, "// why\nthrow new RangeError('boo')");
    assertStringIncludes(
      error.message,
      "trial, cell 3 failed:\n  | // why\n  | throw new RangeError('boo')\n",
    );
    assertStringIncludes(error.reason, "RangeError: boo");
    assert(!await Deno.stat(`${dir}/after`).then(() => true, () => false), "a later cell ran");
  });
});

Deno.test("executeNotebook(): a syntax error names its cell although the kernel says nothing about it", async () => {
  const error = await assertRejects(() => execute(notebookOf("1", "let = ;")), CellError, "cell 2 failed");
  assertStringIncludes(error.message, "  | let = ;");
  assertStringIncludes(error.message, "a syntax error, an import that does not resolve");
});

Deno.test("executeNotebook(): a kernel that dies and a cell that hangs are CellErrors of their cell", async () => {
  await assertRejects(() => execute(notebookOf("1", "Deno.exit(5)")), CellError, "exit code 5");
  await assertRejects(
    () => execute(notebookOf("1", "while (true) {}"), { timeoutMs: 1000 }),
    CellError,
    "cell 2 failed:\n  | while (true) {}\nThe cell ran longer than 1 s",
  );
});

Deno.test("executeNotebook(): what fails without a trace fails the cell: rejections unheard, timers, microtasks", async () => {
  for (
    const [source, message] of [
      [
        "const run = (x: number) => Promise.reject(new RangeError('bad ' + x));\nconst r = run(3); 0",
        "RangeError: bad 3",
      ],
      [
        "(async () => { await 0; throw new TypeError('later'); })(); 0",
        "Unhandled rejection: TypeError: later",
      ],
      ["setTimeout(() => { throw new Error('in a timer'); }, 0); 0", "Uncaught: Error: in a timer"],
      ["queueMicrotask(() => { throw new Error('micro'); }); 0", "Uncaught: Error: micro"],
    ]
  ) {
    const error = await assertRejects(() => execute(notebookOf("# T", "1", source, "2")), CellError, message);
    assertStringIncludes(error.message, "cell 3 failed");
  }
  // One that is heard is none.
  const executed = await execute(
    notebookOf("const r = Promise.reject(new Error('heard'));\nr.catch(() => {}); 1", "2"),
  );
  assertEquals(executed.cells.map((cell) => (cell as CodeCell).execution_count), [1, 2]);
});

Deno.test("executeNotebook(): an output that the kernel loses or mixes up is an error that says the limit", async () => {
  const show = (size: number) =>
    `await Deno.jupyter.broadcast("display_data", { data: { "text/plain": "x".repeat(${size}) }, metadata: {}, transient: {} });`;
  const { cells } = await execute(notebookOf(show(2e6), "2"));
  assertEquals(((cells[0] as CodeCell).outputs[0] as Fields).data["text/plain"].length, 2e6);
  await assertRejects(() => execute(notebookOf(show(5e7), "2")), CellError, "8 MB");
});

Deno.test("executeNotebook() ends with its signal's reason, not as a failure of the cell", async () => {
  const controller = new AbortController();
  const error = await assertRejects(
    () =>
      execute(notebookOf("1", "while (true) {}"), {
        signal: controller.signal,
        onCell: ({ codeCell }) =>
          codeCell === 2 && setTimeout(() => controller.abort(new Error("enough")), 100),
      }),
    Error,
    "enough",
  );
  assert(!(error instanceof CellError));
});
