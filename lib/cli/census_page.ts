/**
 * report.html of a census: a table of the models, how they compare over their depth, then each model in
 * words, plots and tables.
 */
import type { CensusResult } from "../experiments/census/census.ts";
import type { Repair } from "../experiments/census/rows.ts";
import { censusInWords, modelsInWords } from "../experiments/census/words.ts";
import type { Estimate } from "../experiments/rows.ts";
import { foundWriters } from "../experiments/scan/scan.ts";
import { estimate, number, percent } from "../experiments/numbers_in_words.ts";
import {
  contractionPlot,
  cosinePlot,
  earlyPlot,
  modelsPlot,
  selfRepairPlot,
} from "../figures/census_plots.ts";
import type { PlotElement } from "../figures/theme.ts";
import { shown } from "../checkpoints/quoted.ts";
import { escapeHtml } from "./index_page.ts";
import { type Cell, htmlTable, page, picture } from "./page.ts";

/** The last part of a path or name: what stands in a table. */
export const shortName = ({ model: { name } }: CensusResult): string =>
  name.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "") || name;

const beside = (own: Estimate | undefined, control: Estimate | undefined) =>
  own && control ? `${percent(own.value)} (${percent(control.value)})` : "–";

/** Of a model's rows: what the table of models says. One heading, one cell. */
export function modelColumns(result: CensusResult): [heading: string, cell: string][] {
  const { model, cosines, contraction, writers, screened, early, selfRepair } = result;
  const found = foundWriters(result);
  const largest = found.reduce<typeof found[number] | undefined>(
    (a, b) => !a || b.specific.value > a.specific.value ? b : a,
    undefined,
  );
  const heads = contraction.filter(({ kind, wide }) => kind === "head" && !wide);
  const left = (at: number) => {
    const row = heads[Math.min(heads.length - 1, Math.floor(at * heads.length))];
    return row ? number(row.random.value) : "–";
  };
  const against = cosines.filter(({ cosine }) => cosine.interval[1] < 0).length;
  const all = early.find(({ node }) => node === "all"),
    repair = selfRepair.find(({ node }) => node === "all");
  return [
    ["model", shown(shortName(result))],
    ["layers × heads", `${model.layers} × ${model.heads}`],
    ["random left: first, middle layer", `${left(0)}, ${left(0.5)}`],
    ["sublayers against the stream", `${against} of ${cosines.length}`],
    ["writers (examined, nodes)", `${found.length} (${writers.length}, ${screened.length})`],
    ["most erased", largest ? `${largest.writer} ${estimate(largest.specific)}` : "–"],
    ["early DLA taken back (control)", beside(all?.takenBack, all?.control)],
    ["self-repair (control)", beside(repair?.share.total, repair?.control)],
  ];
}

const interval = ({ interval: [low, high] }: Estimate) => `${number(low)} … ${number(high)}`;
const both = (value: Estimate): Cell[] => [value.value, interval(value)];
const parts = ({ heads, mlps, norm }: Repair): Cell[] => [heads, mlps, norm];

function details(summary: string, headings: string[], rows: Cell[][], note = ""): string {
  if (rows.length === 0) return "";
  const more = note ? `<p class="quiet">${escapeHtml(note)}</p>` : "";
  return `<details><summary>${escapeHtml(summary)}</summary>\n${htmlTable(headings, rows)}${more}</details>`;
}

function tables(result: CensusResult): string {
  const kinds = { head: "heads", mlp: "MLP", embed: "embedding" };
  return [
    details(
      "Contraction, by layer",
      ["layer", "kind", "random left", "95 %", "own left", "95 %", "can be read"],
      result.contraction.map((row) => [
        row.layer,
        row.kind === "embed" ? row.node : kinds[row.kind],
        ...both(row.random),
        ...both(row.own),
        row.wide ? "no" : "yes",
      ]),
    ),
    details(
      "Cosines with the stream, by sublayer",
      [
        "layer",
        "sublayer",
        "cosine",
        "95 %",
        "on another text",
        "95 %",
        "below −0.1",
        "of the stream",
        "position 0",
      ],
      result.cosines.map((row) => [
        row.layer,
        row.sublayer,
        ...both(row.cosine),
        ...both(row.control),
        percent(row.opposed),
        percent(row.share),
        row.first,
      ]),
    ),
    details(
      "Examined writers",
      [
        "node",
        "of the stream",
        "left",
        "control",
        "specific erasure",
        "95 %",
        "erased by, or why it does not count",
      ],
      result.writers.map((w) => [
        w.writer,
        percent(w.share),
        w.left.value,
        w.control.value,
        ...both(w.specific),
        w.notFound ?? (w.cleaners.map(({ node }) => node).join(", ") || "many, a little each"),
      ]),
    ),
    details(
      "Early heads’ DLA",
      ["head", "DLA, logits", "taken back", "95 %", "control", "95 %", "beyond", "95 %", "effect"],
      result.early.map((row) => [
        row.node,
        row.dla,
        ...both(row.takenBack),
        ...both(row.control),
        ...both(row.beyond),
        row.effect.value,
      ]),
      "Shares of the DLA, slopes over tokens. Effect: what the model loses without the head.",
    ),
    details(
      "Self-repair, by node",
      [
        "node",
        "direct effect, logits",
        "made up for",
        "95 %",
        "heads",
        "MLPs",
        "norm",
        "control",
        "95 %",
        "beyond",
        "95 %",
      ],
      result.selfRepair.map((row) => [
        row.node,
        row.directEffect,
        ...both(row.share.total),
        ...parts(row.share),
        ...both(row.control),
        ...both(row.beyond),
      ]),
      "Shares of the exchanged direct effect, slopes over tokens. Heads, MLPs and norm add up to what is made up for.",
    ),
    details(
      "Self-repair on the 2 % of tokens with the largest direct effect, in logits",
      ["node", "tokens", "direct effect", "exchanged", "made up for", "95 %", "heads", "MLPs", "norm"],
      result.selfRepair.flatMap(({ node, top }) =>
        top
          ? [[
            node,
            top.tokens,
            top.directEffect,
            top.exchanged,
            ...both(top.repaired.total),
            ...parts(top.repaired),
          ]]
          : []
      ),
      "As in Rushing and Nanda, arXiv 2402.15390. Tokens were chosen for their direct effect, so part of it is chance; there is no control here.",
    ),
    details(
      "Published, to hold against",
      ["measure", "said", "value", "source"],
      result.published.map(({ measure, said, value, source }) => [measure, said, value, source]),
    ),
    `<details><summary>What was assumed</summary>\n${
      htmlTable(["", ""], Object.entries(result.assumptions))
    }</details>`,
  ].join("\n");
}

function section(result: CensusResult, id: string): string {
  const figures = ([
    ["contraction", contractionPlot(result.contraction)],
    ["cosines", cosinePlot(result.cosines)],
    ["early", earlyPlot(result)],
    ["repair", selfRepairPlot(result)],
  ] as [string, PlotElement | undefined][]).flatMap(([name, figure]) =>
    figure ? [picture({ name: `${id}-${name}`, figure })] : []
  );
  const { layers, heads, d_model, parameters } = result.model, { prompts } = result;
  return `<h2 id="${id}">${escapeHtml(shown(shortName(result)))}</h2>
<p class="quiet">${layers} layers of ${heads} heads, width ${d_model}, ${
    parameters.toLocaleString("en")
  } weights ·
${prompts.screened} + ${prompts.examined} prompts of ${prompts.length} tokens · ${
    escapeHtml(shown(prompts.source))
  }</p>
${censusInWords(result).map((text) => `<p>${escapeHtml(text)}</p>`).join("\n")}
${figures.join("\n")}
${tables(result)}`;
}

/** The page. */
export function renderCensus(results: readonly CensusResult[]): string {
  const title = `Census of ${
    results.length === 1 ? shown(shortName(results[0])) : `${results.length} models`
  }`;
  const rows = results.map((result) => modelColumns(result));
  const side = modelsPlot(results, (result) => shown(shortName(result)));
  return page(
    title,
    `<h1>${escapeHtml(title)}</h1>
<p class="found">${escapeHtml(modelsInWords(results))}</p>
${htmlTable(rows[0].map(([heading]) => heading), rows.map((row) => row.map(([, cell]) => cell)))}
<p class="quiet"><b>Random left</b>: of what heads of that layer write, rotated, so much is still in the stream at its end. <b>Against the stream</b>:
sublayers whose output has a cosine surely below 0 with the stream. <b>Writers</b>: nodes of whose output surely less is left than of the same rotated.
<b>Early DLA taken back</b>: share of the direct logit attribution of early heads; <b>self-repair</b>: share of nodes’ direct effect that is made up for
when they write what they write on another text. <b>Control</b>: the same of what is taken out, rotated. All at positions from 1 on.</p>
${side ? picture({ name: "models", figure: side }) : ""}
${results.map((result, i) => section(result, `model${i}`)).join("\n")}`,
  );
}
