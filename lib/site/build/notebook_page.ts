/**
 * A notebook → its page: texts as HTML, code in a frame that the page's script turns into an editor, no
 * results.
 */
import type { Notebook } from "../../jupyter/notebook.ts";
import { escapeHtml, scriptJson } from "./escape.ts";
import { DEVICE_CHOICE, type PageLink, shell } from "./html.ts";
import { markdown } from "./markdown.ts";

export interface Scripts {
  script: string;
  worker: string;
  preload: string[];
  style: string;
}

/** The first heading, as plain text. */
export function titleOf(notebook: Notebook, name: string): string {
  const heading = notebook.cells.map(({ source }) => /^# +(.+)$/m.exec(source)?.[1]).find((found) => found);
  return (heading ?? name).replace(/[`*_]/g, "");
}

export const TOOLBAR = `<div class="tools" role="toolbar" aria-label="Run this page">
<button type="button" id="run-all" class="primary" disabled>Run all</button>
<button type="button" id="stop" disabled>Stop</button>
<button type="button" id="reset" disabled>Reset edits</button>
<button type="button" id="download" disabled>Download .ipynb</button>
${DEVICE_CHOICE}
<button type="button" id="theme" aria-label="Light or dark">◐</button>
</div>
<p class="status"><span id="status" role="status"></span> <progress id="progress" hidden></progress></p>`;

function codeCell(cell: Notebook["cells"][number], number: number): string {
  const isExercise = Array.isArray(cell.metadata.tags) && cell.metadata.tags.includes("exercise");
  const label = `Code cell ${number}${isExercise ? ": your answer" : ""}`;
  return `<section class="cell${
    isExercise ? " exercise" : ""
  }" id="cell-${cell.id}" data-cell="${cell.id}" aria-label="${label}">
<div class="editor"><pre class="code"><code>${escapeHtml(cell.source)}</code></pre></div>
<div class="cell-tools"></div>
<div class="outputs" role="region" aria-label="Output of cell ${number}" hidden></div>
</section>`;
}

/** @param name the notebook's, without ".ipynb" */
export function notebookPage(
  name: string,
  notebook: Notebook,
  pages: readonly PageLink[],
  scripts: Scripts,
): string {
  const names = pages.map(({ href }) => href.replace(/\.html$/, ""));
  let number = 0;
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === "code"
      ? codeCell(cell, ++number)
      : cell.cell_type === "markdown"
      ? `<section class="text">${markdown(cell.source, names)}</section>`
      : ""
  );
  const empty = notebook.cells.map((cell) =>
    cell.cell_type === "code" ? { ...cell, outputs: [], execution_count: null } : cell
  );
  const data = { name, worker: scripts.worker, notebook: { ...notebook, cells: empty } };
  return shell({
    title: titleOf(notebook, name),
    script: scripts.script,
    preload: scripts.preload,
    style: scripts.style,
    pages,
    here: `${name}.html`,
    toolbar: TOOLBAR,
    body: `${cells.join("\n")}
<script type="application/json" id="page-data">${scriptJson(data)}</script>`,
  });
}
