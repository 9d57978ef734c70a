/**
 * The figures of the account of what was found: what is left of each node's output beside what is left of the
 * same rotated, and each claim's number beside its control.
 */
import * as Plot from "@observablehq/plot";
import type { Claim } from "../experiments/findings/claim.ts";
import type { Findings, NodeFinding } from "../experiments/findings/rows.ts";
import type { Estimate } from "../experiments/rows.ts";
import { compose } from "./compose.ts";
import { distinct, sentences } from "./drawable.ts";
import { intervalPlot, intervalPoint } from "./interval_plot.ts";
import {
  figureWidth,
  fontSize,
  ink,
  plot,
  type PlotElement,
  type Style,
  styles,
  xTitle,
  yTitle,
} from "./theme.ts";

/** A model in the figure. */
export interface ErasurePanel {
  /** What stands above its panel. */
  label: string;
  /** Its numbers. */
  findings: Pick<Findings, "nodes" | "count" | "writers" | "threshold">;
}

/** Outside of this nodes are counted in the caption and not drawn. */
const SHOWN: [number, number] = [-0.5, 1.9];
const HEIGHT = 330, GAP = 14, MARGIN_LEFT = 40;
const KINDS: { kind: NodeFinding["kind"]; label: string; style: Style }[] = [
  { kind: "head", label: "heads", style: { color: "#8c8c8c", symbol: "circle" } },
  { kind: "mlp", label: "MLPs", style: { color: "#8c8c8c", symbol: "square" } },
  { kind: "embed", label: "embeddings", style: { color: "#8c8c8c", symbol: "triangle" } },
];
const FOUND = styles.clean, NOT_FOUND = styles.patched;

const inside = ({ left, control }: { left: number; control: number }) =>
  [left, control].every((x) => x >= SHOWN[0] && x <= SHOWN[1]);

/**
 * For each model: what is left of a node's output (up) over what is left of the same rotated (right). On the
 * diagonal nothing is specific; below the dashed line the erasing is by the threshold or more.
 *
 * @example
 * ```ts
 * import { knownFindings } from "../experiments/findings/known.ts";
 * const smol = await knownFindings();
 * console.log(erasurePlot([{ label: "SmolLM2-135M", findings: smol }]).tagName);
 * ```
 */
export function erasurePlot(panels: readonly ErasurePanel[]): PlotElement {
  const width = Math.floor((figureWidth - GAP * (panels.length - 1)) / Math.max(2, panels.length));
  const notes = panels.map(({ label, findings: { nodes, count } }) => {
    const drawn = nodes.filter(inside).length;
    return drawn === count ? "" : `${label}: ${drawn} of ${count} nodes drawn.`;
  });
  const left = notes.some((note) => note !== "");
  return compose({
    title: "Is more erased of a node’s output than of any such vector?",
    subtitle: "What is left at the end of the stream (1: all, 0: nothing), beside the same output rotated.",
    legend: [
      ...KINDS.map(({ label, style }) => ({ label, style, kind: "small-dot" as const })),
      { label: "examined, found", style: FOUND, kind: "dot" },
      { label: "examined, not found", style: NOT_FOUND, kind: "dot" },
    ],
    panels: panels.map(({ label, findings }) => ({ title: label, plot: scatter(findings, width) })),
    columns: panels.length,
    caption: sentences(
      "Solid line: as much is left of both. Dashed line: the threshold below it. Small marks: first pass, medians,",
      "the control is the layer’s. Large marks: examined on other prompts, 95 % intervals of both numbers.",
      ...notes,
      left ? "Of the others the absence changes more elsewhere than they write, or they lie outside." : "",
    ),
  });
}

function scatter({ nodes, writers, threshold }: ErasurePanel["findings"], width: number): PlotElement {
  const examined = writers.map(({ writer, left, control, found }) => ({
    writer,
    found,
    left: left.value,
    control: control.value,
    own: left.interval.map(clamped),
    turned: control.interval.map(clamped),
  })).filter(inside);
  const names = new Set(examined.map(({ writer }) => writer));
  const line = (below: number) => [[SHOWN[0] + below, SHOWN[0]], [SHOWN[1], SHOWN[1] - below]];
  const most = examined.toSorted((a, b) => (b.control - b.left) - (a.control - a.left)).slice(0, NAMED);
  return plot({
    width,
    height: HEIGHT,
    marginLeft: MARGIN_LEFT,
    marginTop: 24,
    marginBottom: 34,
    marginRight: 10,
    x: { domain: SHOWN, label: null },
    y: { domain: SHOWN, label: null },
    symbol: { type: "identity" },
    marks: [
      Plot.axisX({ label: null, tickSize: 4, ticks: 5 }),
      Plot.axisY({ label: null, tickSize: 4, ticks: 5 }),
      yTitle("left of the output", MARGIN_LEFT),
      xTitle("left of it rotated"),
      Plot.ruleY([0], { stroke: ink.faint }),
      Plot.ruleX([0], { stroke: ink.faint }),
      Plot.line(line(0), { stroke: ink.text, strokeWidth: 1 }),
      Plot.line(line(threshold), { stroke: ink.text, strokeWidth: 1, strokeDasharray: "4,3" }),
      ...KINDS.map(({ kind, style: { color, symbol } }) =>
        Plot.dot(nodes.filter((one) => one.kind === kind && inside(one) && !names.has(one.node)), {
          x: "control",
          y: "left",
          symbol,
          fill: color,
          fillOpacity: 0.7,
          r: 2.2,
        })
      ),
      ...[{ found: false, style: NOT_FOUND }, { found: true, style: FOUND }].flatMap(({ found, style }) => {
        const own = examined.filter((one) => one.found === found), stroke = style.color;
        return [
          Plot.ruleX(own, { x: "control", y1: (d) => d.own[0], y2: (d) => d.own[1], stroke }),
          Plot.ruleY(own, { y: "left", x1: (d) => d.turned[0], x2: (d) => d.turned[1], stroke }),
          Plot.dot(own, {
            x: "control",
            y: "left",
            symbol: style.symbol,
            fill: stroke,
            stroke: "white",
            r: 4,
          }),
        ];
      }),
      Plot.text(apart(most), {
        x: (d) => d.turned[1],
        y: "at",
        text: "writer",
        dx: 4,
        textAnchor: "start",
        fill: ink.text,
        stroke: "white",
        fontSize: fontSize.note,
      }),
    ],
  });
}

/** Names that stand at marks, and how far apart they must be to be read, in units of the y axis. */
const NAMED = 4, LINE = 0.09;

/** With a place for the name beside each mark, from the lowest up. */
function apart<T extends { left: number }>(marks: readonly T[]): (T & { at: number })[] {
  let below = -Infinity;
  return marks.toSorted((a, b) => a.left - b.left).map((mark) => {
    below = Math.max(mark.left, below + LINE);
    return { ...mark, at: below };
  });
}

const clamped = (x: number) => Math.min(SHOWN[1], Math.max(SHOWN[0], x));

const UNITS: Record<Claim["unit"], { factor: number; label: string }> = {
  share: { factor: 100, label: "%" },
  nats: { factor: 1, label: "nats a token" },
  logits: { factor: 1, label: "logits" },
  retention: { factor: 1, label: "left at the end" },
};

/**
 * Each claim's number beside its control: one panel for what is asked, one place for each model and node.
 *
 * @example
 * ```ts
 * import { claimsOf } from "../experiments/findings/claims.ts";
 * import { knownFindings } from "../experiments/findings/known.ts";
 * const claims = claimsOf(await knownFindings(), "SmolLM2-135M");
 * console.log(claimsPlot(claims).tagName);
 * ```
 */
export function claimsPlot(claims: readonly Claim[]): PlotElement {
  const width = Math.floor((figureWidth - GAP) / 2);
  const nameOf = ({ model, node }: Claim) => node === "all" ? model : `${model} ${node}`;
  return compose({
    title: "Each claim’s number, and its control",
    legend: [
      { label: "the number", style: styles.clean, kind: "interval" },
      { label: "its control", style: styles.patched, kind: "interval" },
    ],
    panels: distinct(claims.map(({ asked }) => asked)).map((asked, i) => {
      const own = claims.filter((one) => one.asked === asked), { factor, label } = UNITS[own[0].unit];
      const points = (which: (one: Claim) => Estimate) =>
        own.map((one) => intervalPoint(nameOf(one), which(one), factor));
      return {
        title: `${"abcdefghijkl"[i]} · ${asked}`,
        subtitle: `control: ${own[0].controlName}`,
        plot: intervalPlot({
          names: own.map(nameOf),
          series: [
            { style: styles.clean, points: points((one) => one.own) },
            { style: styles.patched, points: points((one) => one.control) },
          ],
          yLabel: label,
          width,
        }),
      };
    }),
    columns: 2,
    caption: sentences(
      "95 % intervals over prompts; of controls also over their draws. Of the largest DLA the control is the range",
      "of its rotations, of the variance one shuffle of the labels.",
    ),
  });
}
