/** A notebook on few prompts: for pages that take long in a browser. */
import type { Notebook } from "../../../lib/jupyter/notebook.ts";

/** More than one batch. */
export const FEW = 20;

const ALL = "promptsFor(model)";

/** The notebook as somebody changes it who has a slow machine. @throws where it does not take all prompts */
export function withFewPrompts(notebook: Notebook): Notebook {
  if (!notebook.cells.some(({ source }) => source.includes(ALL))) throw new Error(`no cell has ${ALL}`);
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === "code"
      ? { ...cell, source: cell.source.replaceAll(ALL, `promptsFor(model, { count: ${FEW} })`) }
      : cell
  );
  return { ...notebook, cells };
}
