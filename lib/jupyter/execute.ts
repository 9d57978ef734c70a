/**
 * Executes a notebook from top to bottom in a new kernel, without a browser or Jupyter.
 *
 * As Jupyter does: one kernel for all cells, code cells in order, empty ones skipped, execution counts from
 * 1. Unlike Jupyter's "run all", the first cell that fails ends the run, whatever its tags: outputs of a
 * notebook that failed halfway are no result. A promise that was rejected unheard and an exception in a timer
 * are failures of the cell after which they show. Nothing is read from or written to disk here but the
 * kernel's connection file.
 */
import { listenForFaults, takeFaults } from "./faults.ts";
import { Kernel } from "./kernel.ts";
import type { CodeCell, ErrorOutput, Notebook } from "./notebook.ts";
import { isProgress } from "./progress.ts";

/** What the kernel says of itself; written into executed notebooks so that Jupyter offers the same kernel. */
export const DENO_METADATA = {
  kernelspec: { display_name: "Deno", language: "typescript", name: "deno" },
  language_info: {
    codemirror_mode: "typescript",
    file_extension: ".ts",
    mimetype: "text/x.typescript",
    name: "typescript",
    nbconvert_exporter: "script",
    pygments_lexer: "typescript",
  },
};

/** Where in a run a cell stands. */
export interface CellProgress {
  /** Number of the code cell among those that run, from 1. */
  codeCell: number;
  codeCells: number;
  /** Number of the cell in the notebook, from 1, text cells counted. */
  cell: number;
}

export interface ExecuteNotebookOptions {
  /** The notebook's name, for errors. */
  name: string;
  /** Relative imports start here: the notebook's folder. */
  cwd: string;
  /** Where the kernel's connection file lies meanwhile. */
  runtimeDir: string;
  /** Added to the environment of this process. */
  env?: Record<string, string>;
  /** For each cell. Default: no limit. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Called before each cell. */
  onCell?: (progress: CellProgress) => void;
}

/** A cell that failed: which one, its source, and why. `message` says all of it. */
export class CellError extends Error {
  override name = "CellError";

  constructor(
    /** The notebook's name. */
    readonly notebook: string,
    /** Number of the cell in the notebook, from 1, text cells counted. */
    readonly cell: number,
    readonly source: string,
    /** The exception's class and text, as the kernel reported them; or what became of the kernel. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    const quoted = source.trimEnd().split("\n").map((line) => `  | ${line}`).join("\n");
    super(`${notebook}, cell ${cell} failed:\n${quoted}\n${reason}`, options);
  }
}

/**
 * The kernel answers a syntax error and an import that does not resolve with these two words and nothing
 * else.
 */
const UNEXPLAINED = "Execution failed";

function reasonOf(error: ErrorOutput): string {
  // deno-lint-ignore no-control-regex
  const traceback = error.traceback.join("\n").replace(/\x1b\[[\d;]*m/g, "");
  const heading = `${error.ename}: ${error.evalue}`;
  const text = traceback.includes(error.evalue) ? traceback : `${heading}\n${traceback}`;
  if (error.evalue !== UNEXPLAINED) return text;
  return `${heading}. The kernel gives no reason with this one: it is a syntax error, an import that does not resolve or ` +
    `that deno.lock does not list, or an interrupt. \`deno task ok\` checks the cells.`;
}

/**
 * Returns an executed copy of `notebook`; the given one stays as it is.
 * @throws CellError at the first cell that fails, that runs too long, or in which the kernel dies; the
 * signal's reason.
 */
export async function executeNotebook(
  notebook: Notebook,
  options: ExecuteNotebookOptions,
): Promise<Notebook> {
  const { name, timeoutMs, signal, onCell } = options;
  const executed = structuredClone(notebook);
  executed.metadata = { ...executed.metadata, ...DENO_METADATA };
  const runnable: [number, CodeCell][] = [];
  for (const [i, cell] of executed.cells.entries()) {
    if (cell.cell_type !== "code") continue;
    cell.outputs = [];
    cell.execution_count = null;
    if (cell.source.trim() !== "") runnable.push([i + 1, cell]);
  }

  await using kernel = await Kernel.start(options);
  await listenForFaults(kernel);
  for (const [k, [number, cell]] of runnable.entries()) {
    onCell?.({ codeCell: k + 1, codeCells: runnable.length, cell: number });
    let result;
    try {
      result = await kernel.execute(cell.source, { timeoutMs, signal });
    } catch (error) {
      signal?.throwIfAborted(); // Ctrl-C in a terminal also kills the kernel; that is not the cell's fault
      throw new CellError(name, number, cell.source, (error as Error).message, { cause: error });
    }
    cell.outputs = result.outputs;
    cell.execution_count = result.executionCount;
    const failed = result.outputs.find((output) => output.output_type === "error");
    if (failed) throw new CellError(name, number, cell.source, reasonOf(failed));
    const faults = await takeFaults(kernel).catch((error) => {
      signal?.throwIfAborted();
      throw new CellError(name, number, cell.source, (error as Error).message, { cause: error });
    });
    if (faults.length > 0) throw new CellError(name, number, cell.source, faults.join("\n"));
  }
  for (const [, cell] of runnable) cell.outputs = cell.outputs.filter((output) => !isProgress(output));
  return executed;
}
