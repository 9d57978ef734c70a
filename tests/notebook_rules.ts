/** What a committed notebook must look like, as functions that are tested on made-up notebooks. */
import type { CodeCell, Notebook } from "../lib/jupyter/notebook.ts";

export const MAX_CELL_LINES = 14;
export const MAX_BYTES = 300_000;

export const codeCells = (notebook: Notebook): CodeCell[] =>
  notebook.cells.filter((cell): cell is CodeCell => cell.cell_type === "code");

/**
 * The code of all cells as one module, each cell under a comment with its number (from 1, text cells
 * counted).
 */
export function cellsAsModule(notebook: Notebook): string {
  const cells = notebook.cells.flatMap((cell, i) =>
    cell.cell_type === "code" ? [`// cell ${i + 1}\n${cell.source}\n`] : []
  );
  return `${cells.join("")}export {};\n`;
}

/** `bytes`: size of the file; `hasFigure`: whether the notebook must show a picture. */
export function notebookViolations(notebook: Notebook, bytes: number, hasFigure: boolean): string[] {
  const violations: string[] = [];
  for (const [i, cell] of notebook.cells.entries()) {
    if (cell.cell_type !== "code") continue;
    const lines = cell.source.trimEnd().split("\n").length;
    if (cell.source.trim() === "") violations.push(`cell ${i + 1} is empty`);
    if (lines > MAX_CELL_LINES) {
      violations.push(`cell ${i + 1} has ${lines} lines, more than ${MAX_CELL_LINES}`);
    }
    if (cell.execution_count === null) violations.push(`cell ${i + 1} is not executed`);
    for (const output of cell.outputs) {
      if (output.output_type === "error") violations.push(`cell ${i + 1} shows the error ${output.ename}`);
    }
  }
  const counts = codeCells(notebook).map((cell) => cell.execution_count).filter((count) => count !== null);
  if (counts.some((count, i) => count !== i + 1)) {
    violations.push(`execution counts are ${counts}, not 1, 2, 3 …`);
  }
  const pictures = codeCells(notebook).flatMap((cell) => cell.outputs).filter((output) =>
    "data" in output && typeof output.data["image/png"] === "string"
  );
  if (hasFigure && pictures.length === 0) violations.push("no output holds an image/png");
  if (bytes >= MAX_BYTES) violations.push(`the file has ${bytes} bytes, not under ${MAX_BYTES}`);
  return violations;
}
