/**
 * report.html of a scan: one self-contained page. Its first screen is a table of the writers with a sentence
 * each; then what is true of the model as a whole; then the plots; then what was assumed, what was passed
 * over and why. Plots are SVG inside the page; nothing is loaded from elsewhere and no script runs.
 */
import { ranked } from "../experiments/retention/cleaners.ts";
import type { ExaminedWriter } from "../experiments/scan/examine.ts";
import { estimate, number, percent } from "../experiments/numbers_in_words.ts";
import { foundWriters, type ScanResult } from "../experiments/scan/scan.ts";
import { type ScanSettings, SETTINGS } from "../experiments/scan/settings.ts";
import { describeWriter, modelInWords, oneSentence, overview, ROUTE } from "../experiments/scan/words.ts";
import { layersPlot, scanHeatMap, writerFigures, writersPlot } from "../figures/report.ts";
import { shown } from "../checkpoints/quoted.ts";
import type { PlotElement } from "../figures/theme.ts";
import { escapeHtml } from "./index_page.ts";
import { type Cell, htmlTable, page, picture } from "./page.ts";

const interval = ({ interval: [low, high] }: ExaminedWriter["left"]) => `${number(low)} … ${number(high)}`;

/** The route that carries most of the specific erasure, where one does. */
function mainRoute({ routes, specific }: ExaminedWriter): string {
  if (!routes) return "–";
  const [name, part] = Object.entries(routes).reduce((a, b) => b[1] > a[1] ? b : a);
  return part >= ROUTE * specific.value ? name : "mixed";
}

/** The three that take back most; the section on the writer has them all. */
function erasers({ cleaners, specificRatio }: ExaminedWriter): string {
  const { all, sum } = ranked(cleaners);
  if (all.length === 0) return "many, a little each";
  const names = all.slice(0, 3).map((c) => c.node).join(", ") +
    (all.length > 3 ? ` + ${all.length - 3}` : "");
  return specificRatio > 0 && sum < specificRatio ? `${names} (${percent(sum / specificRatio)})` : names;
}

/** One line for each writer found, with a sentence: the first thing that is read. */
function findings(writers: readonly ExaminedWriter[]): string {
  const sentences = writers.map((w) =>
    `<li><a href="#${escapeHtml(w.writer)}">${escapeHtml(w.writer)}</a>: ${escapeHtml(oneSentence(w))}</li>`
  );
  return figuresOf(writers) + `<ul class="found">${sentences.join("\n")}</ul>`;
}

function figuresOf(writers: readonly ExaminedWriter[]): string {
  return htmlTable(
    [
      "writer",
      "of the stream",
      "left",
      "control",
      "its layer",
      "specific erasure, 95 %",
      "erased by (of all)",
      "route",
      "growth",
      "DLA",
      "taken back (control)",
    ],
    writers.map((w) => [
      w.writer,
      `${number(100 * w.share, 1)} %`,
      number(w.left.value),
      number(w.control.value),
      w.peers && number(w.peers[1]),
      estimate(w.specific),
      erasers(w),
      mainRoute(w),
      `× ${number(w.growth, 1)}`,
      w.attribution && number(w.attribution.meanAbsolute),
      w.attribution &&
      `${percent(w.attribution.takenBack.value)} (${percent(w.attribution.controlTakenBack.value)})`,
    ]),
  );
}

function writerSection(result: ScanResult, writer: ExaminedWriter): string {
  const { writer: name, cleaners, routes, attribution } = writer;
  const parts = [
    `<h2 id="${escapeHtml(name)}">${escapeHtml(name)}</h2>`,
    `<p>${escapeHtml(describeWriter(writer))}</p>`,
    ...writerFigures(result, writer).map(picture),
  ];
  if (cleaners.length > 0) {
    const rows = cleaners.map((c): Cell[] => [c.node, c.response, c.specific.value, interval(c.specific)]);
    parts.push(
      `<details><summary>All ${cleaners.length} cleaners</summary>\n${
        htmlTable(["cleaner", "response", "beyond the control", "95 %"], rows)
      }<p class="quiet">Response: Σ (c − c̃)·δ / Σ ‖δ‖², what the node writes back of the output, over all tokens.</p></details>`,
    );
  }
  if (routes) {
    const rows: Cell[][] = [
      ["values and MLP inputs", routes.values],
      ["the normalisations’ scales", routes.scales],
      ["attention patterns", routes.attention],
    ];
    parts.push(
      `<details><summary>By which route</summary>\n${
        htmlTable(["route", "part of the output"], rows)
      }</details>`,
    );
  }
  if (attribution) {
    const rows: Cell[][] = [
      ["mean |DLA| at a token, logits", number(attribution.meanAbsolute, 3)],
      ["taken back by later nodes", estimate(attribution.takenBack)],
      ["… of the rotated output’s", estimate(attribution.controlTakenBack)],
      ["… more than of that", estimate(attribution.beyond)],
      ["logits lost without it, for each logit of DLA", estimate(attribution.effect)],
    ];
    parts.push(
      `<details><summary>Direct logit attribution, over ${attribution.prompts} prompts</summary>\n${
        htmlTable(["", ""], rows)
      }</details>`,
    );
  }
  return parts.join("\n");
}

function notFound({ writers, passedOver }: ScanResult): string {
  const examined = writers.filter((w) => w.notFound !== undefined);
  const parts = [`<h2>What was not found, and why</h2>`];
  if (examined.length > 0) {
    const rows = examined.map((
      w,
    ): Cell[] => [w.writer, `${number(100 * w.share, 1)} %`, w.left.value, w.control.value, w.notFound]);
    parts.push(
      `<details><summary>Examined and not found (${examined.length})</summary>\n${
        htmlTable(["node", "of the stream", "left", "control", "why not"], rows)
      }</details>`,
    );
  }
  if (passedOver.length > 0) {
    const rows = passedOver.map((
      c,
    ): Cell[] => [c.name, `${number(100 * c.share, 2)} %`, c.left, c.control, c.passedOver]);
    parts.push(
      `<details><summary>Not examined after the first half of the prompts (${passedOver.length})</summary>\n${
        htmlTable(["node", "of the stream", "left", "layer’s control", "why"], rows)
      }</details>`,
    );
  }
  return parts.join("\n");
}

/** The page. */
export function renderReport(result: ScanResult): string {
  const found = foundWriters(result);
  const settings = Object.entries(SETTINGS).map(([name, { about }]): Cell[] => [
    name,
    result.settings[name as keyof ScanSettings],
    about,
  ]);
  const title = `Clean-up in ${shown(result.model.name)}`; // a name may turn the reading direction
  const { layers, heads, d_model, parameters } = result.model;
  const plots = ([
    ["writers", writersPlot(result)],
    ["layers", layersPlot(result)],
    ["heat_map", scanHeatMap(result)],
  ] as [string, PlotElement | undefined][]).filter(([, figure]) => figure !== undefined);
  const figures = plots.map(([name, figure]) => picture({ name, figure: figure! }));
  const paragraph = (text: string) => `<p>${escapeHtml(text)}</p>`;
  return page(
    title,
    `<h1>${escapeHtml(title)}</h1>
<p class="quiet">${layers} layers of ${heads} heads, width ${d_model}, ${
      parameters.toLocaleString("en")
    } weights ·
${result.prompts.screened} + ${result.prompts.examined} prompts of ${result.prompts.length} tokens</p>
<p class="found">${escapeHtml(overview(result))}</p>
${found.length > 0 ? findings(found) : ""}
<p class="quiet"><b>Of the stream</b>: mean ratio of its output’s length to the stream’s. <b>Left</b>: how much of what the node wrote is still in the residual stream at its end, measured by taking the output away
(1: all; 0: erased). <b>Control</b>: the same of its output rotated at random, which says something else and is as long. <b>Its layer</b>: the median of the
layer’s other heads. <b>Specific
erasure</b>: control − left. <b>Growth</b>: of the stream until its end; what stays as it was is diluted by that. <b>DLA</b>: mean size of its direct logit
attribution (top two tokens) in logits, and the part of it that later nodes take back, a slope over tokens: a vector can stay whole in the stream
while later nodes write against its logits.</p>
${modelInWords(result).map(paragraph).join("\n")}
${figures.join("\n")}
${found.map((writer) => writerSection(result, writer)).join("\n")}
${notFound(result)}
<h2>What was assumed</h2>
${htmlTable(["", ""], Object.entries(result.assumptions))}
<details><summary>Settings</summary>
${htmlTable(["setting", "value", "meaning"], settings)}</details>`,
  );
}
