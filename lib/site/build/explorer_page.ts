/** The page of the explorer: choices, one code cell, what it shows. */
import type { State } from "../explorer/state.ts";
import { DESCRIBED } from "../explorer/views.ts";
import { escapeHtml, scriptJson } from "./escape.ts";
import { DEVICE_CHOICE, type PageLink, shell } from "./html.ts";
import type { Scripts } from "./notebook_page.ts";

export const EXPLORER: PageLink = { href: "explorer.html", title: "Explorer: your own prompt" };

const TOOLBAR = `<div class="tools" role="toolbar" aria-label="This view">
<button type="button" id="link">Copy link</button>
<button type="button" id="stop" disabled>Stop</button>
${DEVICE_CHOICE}
<button type="button" id="theme" aria-label="Light or dark">◐</button>
</div>
<p class="status"><span id="status" role="status"></span> <progress id="progress" aria-label="How far" hidden></progress></p>`;

/** Names of the nodes of a model of that shape, in the order of the forward pass. */
export function nodeNames({ n_layers, n_heads }: { n_layers: number; n_heads: number }): string[] {
  const layers = Array.from({ length: n_layers }, (_, layer) => [
    ...Array.from({ length: n_heads }, (_, head) => `L${layer}H${head}`),
    `MLP${layer}`,
  ]);
  return ["embed", "pos_embed", ...layers.flat()];
}

function select(name: string, names: readonly string[]): string {
  return `<select name="${name}">${names.map((each) => `<option>${each}</option>`).join("")}</select>`;
}

export function explorerPage(
  config: { n_layers: number; n_heads: number },
  writer: string,
  pages: readonly PageLink[],
  scripts: Scripts,
): string {
  const nodes = nodeNames(config);
  const heads = nodes.filter((name) => name.startsWith("L"));
  const defaults: State = { view: "attribution", prompt: "The people of the United", writer, head: writer };
  const views = Object.entries(DESCRIBED).map(([view, { title }]) =>
    `<li><a href="#view=${view}" data-view="${view}">${escapeHtml(title)}</a></li>`
  );
  return shell({
    title: "Explorer",
    script: scripts.script,
    preload: scripts.preload,
    style: scripts.style,
    pages,
    here: EXPLORER.href,
    toolbar: TOOLBAR,
    body: `<section class="text"><h1>Explorer</h1>
<p>Type a prompt and look inside the model. Below each view stands the code that makes it; change it, or take it to a
notebook. The address of this page always leads back to what you see.</p></section>
<form id="choices" class="choices" autocomplete="off">
<label class="prompt">Prompt <textarea name="prompt" rows="2" spellcheck="false"></textarea></label>
<label data-uses="writer">Writer ${select("writer", nodes)}</label>
<label data-uses="head">Head ${select("head", heads)}</label>
<label data-uses="position">Position <input name="position" type="number" min="0" placeholder="last"></label>
<fieldset data-uses="answers"><legend>Two answers, each one token (a word within a text begins with a space)</legend>
<label>First <input name="first" placeholder="most probable"></label> <label>Second <input name="second" placeholder="the next"></label></fieldset>
</form>
<nav id="views" class="views" aria-label="Views"><ul>${views.join("\n")}</ul></nav>
<section class="text"><h2 id="view-title"></h2><p id="view-about"></p></section>
<section class="cell view" id="cell-view" data-cell="view" aria-label="The code of this view">
<div class="outputs" role="region" aria-label="The view" hidden></div>
<details class="code"><summary>The code that makes this view</summary>
<div class="editor"></div>
<div class="cell-tools"></div></details>
</section>
<script type="application/json" id="page-data">${
      scriptJson({ worker: scripts.worker, nodes, defaults })
    }</script>`,
  });
}
