/**
 * `out/index.html`: every figure that the executed notebooks in a folder have left there, with its rows and
 * its notebook.
 *
 * The page is made from the folder alone. Each executed notebook carries in its metadata which files it wrote
 * (`metadata.cleanup_lens`), so running one notebook again keeps the others' figures on the page. It opens
 * from disk: no script, no remote font or style, pictures by relative name. Heading and claim come from the
 * notebook's first text cells, alternative texts from the SVG itself.
 */
import { unturned } from "../checkpoints/quoted.ts";
import type { Notebook } from "../jupyter/notebook.ts";

/** What `task figures` notes in the metadata of an executed notebook. */
export interface RunRecord {
  /** Names of the files that the notebook wrote. */
  files: string[];
  seconds: number;
}

export interface NotebookSection {
  /** File name of the executed notebook, such as "fig1_residual_stream.ipynb". */
  file: string;
  heading: string;
  claim: string;
  seconds: number;
  figures: FigureEntry[];
}

export interface FigureEntry {
  /** File name without extension. */
  name: string;
  /** Alternative text. */
  alt: string;
  /** Which of NAME.svg, NAME.png, NAME.json, NAME.csv exist, in this order. */
  formats: string[];
}

const FORMATS = ["svg", "png", "json", "csv"];

/**
 * A text for a page, in an element or an attribute in double quotes. What turns the reading direction is
 * written as \u202e.
 */
export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return unturned(text.replace(/[&<>"]/g, (character) => names[character]));
}

function unescapeXml(text: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name) => names[name])
    .replace(
      /&#(\d+);/g,
      (entity, code) => Number(code) <= 0x10ffff ? String.fromCodePoint(Number(code)) : entity,
    );
}

/** Markdown to plain text: emphasis, code marks and link targets go. */
function withoutMarkup(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\*\*|__|`/g, "")
    .replace(/(^|\W)[*_](\S[^*_]*)[*_](?=\W|$)/g, "$1$2").replace(/\s+/g, " ").trim();
}

/** First heading and first paragraph of a notebook's text cells; the heading falls back to `file`. */
export function headingAndClaim(notebook: Notebook, file: string): { heading: string; claim: string } {
  const text = notebook.cells.filter((cell) => cell.cell_type === "markdown").map((cell) => cell.source);
  const blocks = text.join("\n\n").split(/\n\s*\n|\n(?=#)|(?<=^#.*)\n/m).map((block) => block.trim());
  const heading = blocks.find((block) => block.startsWith("#"))?.replace(/^#+\s*/, "");
  const claim = blocks.find((block) => /^[^#<>|!-]/.test(block));
  return { heading: withoutMarkup(heading ?? file), claim: withoutMarkup(claim ?? "") };
}

/**
 * The accessible name of an SVG: the root's aria-label, else its first title or desc. Empty when it has none.
 */
export function svgLabel(svg: string): string {
  // a nested svg, such as a legend's, has a name of its own
  const root = svg.match(/<svg\b[^>]*>/)?.[0] ?? "";
  const label = root.match(/\saria-label="([^"]+)"/) ?? svg.match(/<title\b[^>]*>([^<]+)<\/title>/) ??
    svg.match(/<desc\b[^>]*>([^<]+)<\/desc>/);
  return unescapeXml(label?.[1].trim() ?? "");
}

/**
 * What a notebook in the output folder says of its run: names of files beside it, and nothing that leads
 * elsewhere.
 */
export function runRecord(notebook: Notebook): RunRecord {
  const { files, seconds } = (notebook.metadata.cleanup_lens ?? {}) as Partial<
    Record<keyof RunRecord, unknown>
  >;
  const isName = (file: unknown): file is string =>
    typeof file === "string" && !/[/\\\0]/.test(file) && !["", ".", ".."].includes(file);
  return {
    files: Array.isArray(files) ? files.filter(isName) : [],
    seconds: typeof seconds === "number" && Number.isFinite(seconds) ? seconds : 0,
  };
}

/** Describes one executed notebook. `readText` reads a file of the same folder. */
export async function describeNotebook(
  file: string,
  notebook: Notebook,
  readText: (name: string) => Promise<string>,
): Promise<NotebookSection> {
  const { heading, claim } = headingAndClaim(notebook, file);
  const run = runRecord(notebook);
  const pictures = run.files.filter((name) => /\.(svg|png)$/.test(name)).map((name) => name.slice(0, -4));
  const figures: FigureEntry[] = [];
  for (const name of [...new Set(pictures)].sort()) {
    const formats = FORMATS.filter((format) => run.files.includes(`${name}.${format}`));
    const label = formats[0] === "svg" ? svgLabel(await readText(`${name}.svg`)) : "";
    figures.push({ name, formats, alt: label || `${heading}: ${name}` });
  }
  return { file, heading, claim, seconds: run.seconds, figures };
}

const STYLE = `
:root { color-scheme: light; --ink: #1d2733; --quiet: #5a6675; --rule: #dde3ea; --link: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 17px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .4rem; }
p { max-width: 44rem; margin: 0 0 1rem; }
.quiet { color: var(--quiet); }
nav ul { list-style: none; margin: 1.5rem 0 0; padding: 0; columns: 20rem; column-gap: 2rem; }
nav li { break-inside: avoid; margin: 0 0 .3rem; }
section { border-top: 1px solid var(--rule); margin-top: 2.5rem; padding-top: 2rem; }
figure { margin: 1.25rem 0 0; }
figure img { display: block; width: auto; max-width: 100%; height: auto; }
figcaption, .links { color: var(--quiet); font-size: .9rem; margin-top: .5rem; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
`;

const LABELS: Record<string, string> = { svg: "SVG", png: "PNG", json: "rows (JSON)", csv: "rows (CSV)" };

/** The address of a file beside the page: a name such as "javascript:x" is no scheme there. */
const beside = (name: string) => `./${encodeURIComponent(name.toWellFormed())}`;

function link(href: string, text: string): string {
  return `<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`;
}

function renderFigure({ name, alt, formats }: FigureEntry): string {
  const links = formats.map((format) => link(beside(`${name}.${format}`), LABELS[format])).join(" · ");
  const file = escapeHtml(beside(formats.includes("png") ? `${name}.png` : `${name}.${formats[0]}`));
  // The PNG, drawn at twice its size: an SVG is set in whatever font the reader has, the PNG in ours.
  const source = file.endsWith(".png") ? `src="${file}" srcset="${file} 2x"` : `src="${file}"`;
  return `<figure>
<img ${source} alt="${escapeHtml(alt)}">
<figcaption>${escapeHtml(name)}: ${links}</figcaption>
</figure>`;
}

/** The page, for sections in the order in which they shall stand. */
export function renderIndex(sections: NotebookSection[]): string {
  const id = (section: NotebookSection) => section.file.replace(/\.ipynb$/, "").replace(/[^\w-]/g, "_");
  const contents = sections.map((section) => `<li>${link(`#${id(section)}`, section.heading)}</li>`);
  const bodies = sections.map((section) =>
    `<section id="${id(section)}" aria-labelledby="${id(section)}-heading">
<h2 id="${id(section)}-heading">${escapeHtml(section.heading)}</h2>
${section.claim ? `<p>${escapeHtml(section.claim)}</p>\n` : ""}${section.figures.map(renderFigure).join("\n")}
<p class="links">Executed notebook: ${link(beside(section.file), section.file)}, ${
      section.seconds.toFixed(1)
    } s</p>
</section>`
  );
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Cleanup Lens: figures</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>Cleanup Lens: figures</h1>
<p class="quiet">Made by <code>deno task figures</code> (with <code>--all</code>: of every notebook), which executed each
notebook in a Deno Jupyter kernel. Beside every figure lie the rows that it draws.</p>
<nav aria-label="Figures"><ul>
${contents.join("\n")}
</ul></nav>
</header>
${bodies.join("\n")}
</main>
</body>
</html>
`;
}
