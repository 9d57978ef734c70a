/** A notebook on few prompts: for pages that take long in a browser. */
import type { Notebook } from "../../../lib/jupyter/notebook.ts";

/** As few as a scan takes, and short ones. Pages that run on all prompts have many batches of long ones. */
export const FEW = 16, SHORT = 64;

const ALL = /promptsFor\(model(, \{ count: \d+ \})?\)/g;

/** The notebook as somebody changes it who has a slow machine. @throws where it does not take all prompts */
export function withFewPrompts(notebook: Notebook): Notebook {
  if (!notebook.cells.some(({ source }) => source.search(ALL) >= 0)) throw new Error(`no cell has ${ALL}`);
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === "code"
      ? {
        ...cell,
        source: cell.source.replaceAll(ALL, `promptsFor(model, { count: ${FEW}, length: ${SHORT} })`),
      }
      : cell
  );
  return { ...notebook, cells };
}
