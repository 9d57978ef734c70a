/**
 * What the pages of reports are made of: style, tables, plots inside the page. Nothing is loaded from
 * elsewhere and no script runs.
 */
import { toSvg } from "../figures/svg.ts";
import { formatNumber, type PlotElement } from "../figures/theme.ts";
import { escapeHtml } from "./index_page.ts";

const STYLE = `
:root { color-scheme: light; --ink: #1d2733; --quiet: #5a6675; --rule: #dde3ea; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
p { max-width: 44rem; margin: 0 0 .9rem; }
.quiet { color: var(--quiet); }
.found { font-size: 1.06rem; }
ul.found { padding-left: 1.1rem; max-width: 50rem; }
ul.found li { margin: .15rem 0; }
figure { margin: .8rem 0 1.2rem; overflow-x: auto; }
figure svg { display: block; overflow: visible; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; margin: 0 0 1rem; }
th, td { text-align: left; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
summary { cursor: pointer; margin: .6rem 0; }
`;

/** One cell of a table. */
export type Cell = string | number | undefined;

/** A table; columns of numbers stand to the right. */
export function htmlTable(headings: string[], rows: Cell[][]): string {
  const short = (cell: Cell) => typeof cell !== "string" || /^[−–\d., %×…()to]+$/.test(cell);
  const numeric = headings.map((_, i) => rows.every((row) => short(row[i])));
  const cell = (tag: string, value: Cell, i: number) => {
    const text = typeof value === "number"
      ? Number.isInteger(value) ? value.toLocaleString("en") : formatNumber(value, 3)
      : value ?? "–";
    return `<${tag}${numeric[i] ? ' class="n"' : ""}>${escapeHtml(text)}</${tag}>`;
  };
  const line = (tag: string, values: Cell[]) => `<tr>${values.map((v, i) => cell(tag, v, i)).join("")}</tr>`;
  return `<div class="scroll"><table><thead>${line("th", headings)}</thead>\n<tbody>${
    rows.map((row) => line("td", row)).join("\n")
  }</tbody></table></div>`;
}

/**
 * The plot inside the page. Ids are made different from those of the other plots; text may be wider than
 * the font it was set in.
 */
export function picture({ name, figure }: { name: string; figure: PlotElement }): string {
  const id = (text: string) => text.replace(/(\bid="|url\(#)(id\d+)/g, `$1${name}-$2`);
  return `<figure id="${escapeHtml(name)}">${id(toSvg(figure))}</figure>`;
}

/** A whole page. `title` and `body`: the first is text, the second HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}
