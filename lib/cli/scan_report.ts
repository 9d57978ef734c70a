/**
 * report.html of a scan: one self-contained page. First what was found, in words; then the plots; then what was assumed, what was
 * passed over and why. Plots are SVG inside the page; nothing is loaded from elsewhere and no script runs.
 */
import { type ExaminedWriter, foundWriters, type ScanResult } from "../experiments/scan/scan.ts";
import { settingOf, SETTINGS } from "../experiments/scan/settings.ts";
import { inWords } from "../experiments/scan/words.ts";
import { type ReportFigure, scanHeatMap, writerFigures } from "../figures/report.ts";
import { toSvg } from "../figures/svg.ts";
import { formatNumber } from "../figures/theme.ts";
import { escapeHtml } from "./index_page.ts";

const STYLE = `
:root { color-scheme: light; --ink: #1d2733; --quiet: #5a6675; --rule: #dde3ea; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
p { max-width: 44rem; margin: 0 0 .9rem; }
.quiet { color: var(--quiet); }
.found { font-size: 1.06rem; }
figure { margin: .8rem 0 1.2rem; overflow-x: auto; }
figure svg { display: block; overflow: visible; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; margin: 0 0 1rem; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
summary { cursor: pointer; margin: .6rem 0; }
`;

type Cell = string | number | undefined;

/** A table; columns of numbers stand to the right. */
function table(headings: string[], rows: Cell[][]): string {
  const numeric = headings.map((_, i) => rows.every((row) => typeof row[i] !== "string"));
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

/** The plot inside the page. Ids are made different from those of the other plots; text may be wider than the font it was set in. */
function picture({ name, figure }: ReportFigure): string {
  const id = (text: string) => text.replace(/(\bid="|url\(#)(id\d+)/g, `$1${name}-$2`);
  return `<figure id="${escapeHtml(name)}">${id(toSvg(figure))}</figure>`;
}

function writerSection(result: ScanResult, writer: ExaminedWriter): string {
  const { candidate, verdict, causal, consequence } = writer;
  const cleaners = verdict.cleaners.map((c): Cell[] => [
    c.node,
    c.ratio,
    c.median,
    c.below,
    c.nulls.otherPrompt,
    c.nulls.otherPosition,
    c.nulls.random,
    c.q === undefined ? "–" : c.q.toPrecision(2),
    causal?.causalShare[c.node],
  ]);
  const parts = [
    `<h2 id="${candidate.name}">${candidate.name} and its cleaners</h2>`,
    table([
      "cleaner",
      "ratio",
      "median PR",
      "P(PR < 0)",
      "other prompt",
      "other position",
      "random",
      "adjusted p",
      "κ",
    ], cleaners),
    `<p class="quiet">Ratio: Σ a·b / Σ ‖b‖², a the cleaner’s output and b the writer’s. The next columns are the same ratio with
another vector in the writer’s place. κ: part of the ratio that comes from the writer through the values (heads only).</p>`,
    ...writerFigures(result, writer).map(picture),
  ];
  if (consequence) {
    const { meanAbsolute, meanAbsoluteCorrected, prompts } = consequence;
    parts.push(
      `<p>Mean |DLA| of ${candidate.name} over ${prompts} prompts: ${
        formatNumber(meanAbsolute, 3)
      } logits; with the ` +
        `DLA of what the cleaner heads write because of it added, ${
          formatNumber(meanAbsoluteCorrected, 3)
        }.</p>`,
    );
  } else {
    parts.push(
      `<p>No attribution plot: none of its cleaners is a head, or its attribution is the same everywhere.</p>`,
    );
  }
  if (verdict.rejected.length > 0) parts.push(rejected(writer));
  return parts.join("\n");
}

function rejected({ candidate: { name }, verdict }: ExaminedWriter): string {
  const rows = verdict.rejected.map((
    { node, reason },
  ): Cell[] => [node.node, node.ratio, node.below, reason]);
  return `<details><summary>Nodes that write against ${name} but do not count as its cleaners (${rows.length})</summary>\n${
    table(["node", "ratio", "P(PR < 0)", "why not"], rows)
  }</details>`;
}

function notFound({ writers, passedOver }: ScanResult): string {
  const examined = writers.filter((w) => w.verdict.notFound !== undefined);
  const parts = [`<h2>What was not found, and why</h2>`];
  if (examined.length > 0) {
    const rows = examined.map((
      { candidate: c, verdict },
    ): Cell[] => [c.name, c.present, c.drop, verdict.notFound]);
    parts.push(
      `<p>These were examined on the second half of the prompts:</p>`,
      table(["node", "median PR when written", "drop", "why not"], rows),
      ...examined.filter((w) => w.verdict.rejected.length > 0).map(rejected),
    );
  }
  if (passedOver.length > 0) {
    const rows = passedOver.map((c): Cell[] => [c.name, c.present, c.drop, c.relativeNorm, c.rejected]);
    parts.push(
      `<details><summary>Nodes that were passed over after the first half (${rows.length})</summary>\n${
        table(["node", "median PR when written", "drop", "norm ÷ norm of the stream", "why"], rows)
      }</details>`,
    );
  }
  return parts.join("\n");
}

/** The page. */
export function renderReport(result: ScanResult): string {
  const words = inWords(result);
  const found = foundWriters(result);
  const heat = scanHeatMap(result);
  const settings = Object.entries(SETTINGS).map(([name, { about }]): Cell[] => [
    name,
    settingOf(result.settings, name),
    about,
  ]);
  const title = `Clean-up in ${result.model.name}`;
  const { layers, heads, d_model, parameters } = result.model;
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
<h1>${escapeHtml(title)}</h1>
<p class="quiet">${layers} layers of ${heads} heads, width ${d_model}, ${
    parameters.toLocaleString("en")
  } weights ·
${result.prompts.count} prompts of ${result.prompts.length} tokens</p>
${words.map((paragraph) => `<p class="found">${escapeHtml(paragraph)}</p>`).join("\n")}
<p class="quiet">Projection ratio of a onto b: a·b / ‖b‖². 1: b is fully present in a; 0: absent; −1: a is its opposite. A node
<em>writes</em> a vector to the residual stream; a <em>cleaner</em> later writes its opposite. Direct logit attribution (DLA) of the
writer does not know of that.</p>
${heat ? `<h2>All pairs</h2>\n${picture({ name: "heat_map", figure: heat })}` : ""}
${found.map((writer) => writerSection(result, writer)).join("\n")}
${notFound(result)}
<h2>What was assumed</h2>
${table(["", ""], Object.entries(result.assumptions))}
<h3>Settings</h3>
${table(["setting", "value", "meaning"], settings)}
</main>
</body>
</html>
`;
}
