/** The exercises of a notebook: a stub cell, a checker cell, and a solution that is folded into a text. */
import { assert } from "@std/assert";
import type { CodeCell, Notebook } from "../lib/jupyter/notebook.ts";

const isCode = (cell: Notebook["cells"][number]): cell is CodeCell => cell.cell_type === "code";

/** Numbers of the exercises, in the order of the notebook. */
export function exercisesOf({ cells }: Pick<Notebook, "cells">): string[] {
  return cells.filter(isCode).flatMap(({ id }) => /^answer-(\w+)$/.exec(id)?.[1] ?? []);
}

/** The TypeScript block of the folded solution of exercise `k`. */
function solution({ cells }: Notebook, k: string): string {
  const source = cells.find((cell) => cell.id === `solution-${k}`)?.source ?? "";
  const block = /<details><summary>Solution<\/summary>\s*```ts\n(.*?)```/s.exec(source)?.[1];
  assert(block, `exercise ${k} has no folded solution`);
  return block;
}

/**
 * The notebook in which every checker cell, which judged the stub, is followed by the solution and the
 * checker once more: what somebody does who solves each exercise as it comes.
 */
export function solvedToo(notebook: Notebook): Notebook {
  const answers = new Map(notebook.cells.map((cell) => [cell.id, cell]));
  const cells = notebook.cells.flatMap((cell) => {
    const k = /^check-(\w+)$/.exec(cell.id)?.[1];
    const answer = k === undefined ? undefined : answers.get(`answer-${k}`);
    if (k === undefined || !answer) return [cell];
    return [
      cell,
      { ...answer, id: `solved-${k}`, source: solution(notebook, k) },
      { ...cell, id: `judged-${k}` },
    ];
  });
  return { ...notebook, cells };
}

/** What the cell `id` showed. */
export function shownBy({ cells }: Notebook, id: string): string {
  const cell = cells.find((cell) => cell.id === id);
  assert(cell && isCode(cell), `there is no code cell ${id}`);
  return cell.outputs.map((output) => "data" in output ? String(output.data["text/plain"]) : "").join("");
}
