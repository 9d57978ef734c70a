/**
 * From attribution to effect: a waterfall for each node. It starts with the node's DLA, goes step by step
 * through what later nodes take back or add to what is left at the end of the stream, then through the answer
 * of the final scale to the true effect of removing the node. Below each bar, thin and grey: the same for the
 * node's own output, rotated, scaled to the node's DLA.
 */
import * as Plot from "@observablehq/plot";
import { compose, type Key } from "./compose.ts";
import { checkFigure, distinct, sentences } from "./drawable.ts";
import { textWidth } from "./font.ts";
import { symbolNote, visible } from "./prompt_text.ts";
import { figureWidth, fontSize, formatNumber, ink, plot, type PlotElement, styles } from "./theme.ts";
import { type Bar, type BarKind, waterfallBars, type WaterfallCase } from "./waterfall_bars.ts";

/** How the waterfall is drawn. */
export interface WaterfallOptions {
  /** Later nodes with a bar of their own: those with the largest steps. The others are one bar. Default 7. */
  most?: number;
  /** Panels in a row. Default: 1 for one panel, else 2. */
  columns?: number;
  /** Default "From the attribution of (the node) to its effect". */
  title?: string;
  /** Plain line below the title, such as the text that is asked about. */
  subtitle?: string;
  /** Default 640. */
  width?: number;
}

const OPTIONS: Record<keyof WaterfallOptions, true> = {
  most: true,
  columns: true,
  title: true,
  subtitle: true,
  width: true,
};

const colors: Record<BarKind, string> = {
  dla: styles.clean.color,
  back: styles.cleaner.color,
  added: "#8c8c8c",
  left: "#7fb8da",
  effect: styles.patched.color,
};

const controlColor = "#3d3d3d";

/** A row of the plot, in pixels; the gap between panels that stand side by side. */
const rowHeight = 21, between = 16;

/**
 * From a node's DLA to its effect: one bar a later node that takes some back.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { checkAttribution } from "../experiments/attribution/check_attribution.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const options = { nodes: ["L1H5"], rotations: 4, samples: 0 };
 * const { rows: [row], steps } = await checkAttribution(model, "I like tea and", options);
 * console.log(attributionWaterfall([{ row, steps }]).tagName);
 * ```
 */
export function attributionWaterfall(
  cases: readonly WaterfallCase[],
  options: WaterfallOptions = {},
): PlotElement {
  checkFigure("attributionWaterfall", cases, options, OPTIONS);
  if (cases.length === 0) {
    throw new Error("Drawing the waterfall failed: got no rows. Expected one for each node or prompt.");
  }
  for (const { row } of cases) {
    const values = [row.dla, row.left.logits, row.finalScale.logits, row.effect.logits];
    if (!values.every(Number.isFinite)) {
      throw new Error(
        `Drawing the waterfall failed: ${row.node} has numbers that are not finite (${values}).`,
      );
    }
  }
  const { most = 7, width = figureWidth, columns = cases.length > 1 ? 2 : 1 } = options;
  const panels = cases.map((one) => ({ one, bars: waterfallBars(one, most) }));
  const rowsBeside = (i: number) => {
    const first = i - i % columns;
    return Math.max(...panels.slice(first, first + columns).map(({ bars }) => bars.length));
  };
  const nodes = distinct(cases.map(({ row }) => row.node));
  const has = (test: (bar: Bar) => unknown) => panels.some(({ bars }) => bars.some(test));
  const key = (label: string, kind: BarKind): Key => ({
    label,
    style: { color: colors[kind], symbol: "square" },
    kind: "dot",
  });
  const titles = cases.flatMap(({ title = "", subtitle = "" }) => [title, subtitle]);
  return compose({
    title: options.title ??
      `From the attribution of ${nodes.length > 1 ? `${nodes.length} nodes` : nodes[0]} to ${
        nodes.length > 1 ? "their effects" : "its effect"
      }`,
    ...(options.subtitle && { subtitle: visible(options.subtitle) }),
    legend: [
      key("DLA", "dla"),
      ...(has((bar) => bar.kind === "back") ? [key("taken back by later nodes", "back")] : []),
      ...(has((bar) => bar.kind === "added") ? [key("added", "added")] : []),
      key("left at the end", "left"),
      key("effect on the logit difference", "effect"),
      ...(has((bar) => bar.control)
        ? [{
          label: "control: the same output, rotated",
          style: { color: controlColor, symbol: "square" as const },
          kind: "line" as const,
        }]
        : []),
    ],
    panels: panels.map(({ one, bars }, i) => ({
      title: visible(one.title ?? one.row.node),
      ...(one.subtitle && { subtitle: visible(one.subtitle) }),
      plot: panel(bars, rowsBeside(i), Math.floor(width / columns), i % columns < columns - 1 ? between : 0),
    })),
    columns,
    caption: sentences(
      "In logits. Effect: by how much the logit difference falls when the node’s output is removed" +
        (has((bar) => bar.label === "resampled")
          ? ", or resampled: exchanged for that of other prompts."
          : "."),
      has((bar) => /other/.test(bar.label)) ? "Others: the sum of smaller steps." : "",
      cases.some(({ row }) => row.n > 1)
        ? "Over many positions DLA is its root mean square, and all else a slope on DLA times that."
        : "",
      has((bar) => bar.control)
        ? "Control: the node’s output, rotated at random, scaled to the node’s DLA."
        : "",
      has((bar) => bar.controlInterval)
        ? cases.every(({ row }) => row.n === 1)
          ? "Its whiskers: where 95 % of single draws lie."
          : "Whiskers: 95 %, bootstrap over prompts."
        : "",
      cases.length > 1 ? "Each panel has its own scale." : "",
      symbolNote([options.subtitle ?? "", ...titles].map(visible)),
    ),
    width,
  });
}

/**
 * @param rows of the longest panel beside it: these are equally high @param gap pixels that stay empty at the
 * right
 */
function panel(bars: readonly Bar[], rows: number, width: number, gap: number): PlotElement {
  const hasControl = bars.some((bar) => bar.control);
  const columnWidth = 46;
  const marginLeft = 12 + Math.max(...bars.map((bar) => textWidth(bar.label, fontSize.tick)));
  const marginRight = gap + 8 + columnWidth * (hasControl ? 2 : 1);
  const ends = bars.flatMap((bar) => [
    bar.from,
    bar.to,
    ...(bar.control ?? []),
    ...(bar.interval ?? []),
    ...(bar.controlInterval ?? []),
  ]);
  const low = Math.min(0, ...ends), high = Math.max(0, ...ends), room = 0.03 * (high - low || 1);
  const at = new Map(bars.map((bar, i) => [bar, i]));
  const y = (bar: Bar) => at.get(bar)!;
  const band = (top: number, bottom: number) => ({
    y1: (bar: Bar) => y(bar) + top,
    y2: (bar: Bar) => y(bar) + bottom,
  });
  const [top, bottom] = hasControl ? [-0.36, 0.06] : [-0.26, 0.26];
  const middle = (top + bottom) / 2, below = 0.24;
  const withControl = bars.filter((bar) => bar.control);
  const isTotal = (bar: Bar) => bar.kind !== "back" && bar.kind !== "added";
  const weights = [[bars.filter(isTotal), 600], [bars.filter((bar) => !isTotal(bar)), 400]] as const;
  const joints = bars.slice(1).flatMap((bar, i) => {
    const before = bars[i];
    return bar.label === "resampled" ? [] : [{ x: before.to, y1: i + bottom, y2: i + 1 + top }];
  });
  const number = (dx: number, text: (bar: Bar) => string, fill: string) =>
    weights.map(([part, fontWeight]) =>
      Plot.text(part, {
        y,
        text,
        frameAnchor: "right",
        textAnchor: "end",
        dx,
        fontSize: fontSize.note,
        fontVariant: "tabular-nums",
        fill,
        fontWeight,
      })
    );
  const heading = (text: string, dx: number) =>
    Plot.text([text], {
      text: (d) => d,
      frameAnchor: "top-right",
      textAnchor: "end",
      dx,
      dy: -14,
      fontSize: fontSize.note,
      fill: ink.muted,
    });
  return plot({
    width,
    height: rows * rowHeight + 54,
    marginLeft,
    marginRight,
    marginTop: 20,
    marginBottom: 34,
    x: { domain: [low - room, high + room], label: null },
    y: { type: "linear", domain: [rows - 0.4, -0.6], axis: null },
    marks: [
      Plot.axisX({
        label: "logits",
        labelAnchor: "center",
        labelArrow: "none",
        tickSize: 4,
        ticks: width > 400 ? 8 : 4,
      }),
      Plot.ruleX([0], { stroke: ink.faint }),
      Plot.link(joints, { x1: "x", x2: "x", y1: "y1", y2: "y2", stroke: ink.faint, strokeWidth: 0.8 }),
      Plot.rect(bars, {
        x1: "from",
        x2: "to",
        ...band(top, bottom),
        fill: (bar: Bar) => bar.label === "resampled" ? "#ffffff" : colors[bar.kind],
        stroke: (bar: Bar) => colors[bar.kind],
        strokeWidth: 1,
      }),
      Plot.link(withControl, {
        x1: (bar: Bar) => bar.control![0],
        x2: (bar: Bar) => bar.control![1],
        y1: (bar: Bar) => y(bar) + below,
        y2: (bar: Bar) => y(bar) + below,
        stroke: controlColor,
        strokeWidth: 2.4,
      }),
      ...(["interval", "controlInterval"] as const).flatMap((field) => {
        const height = field === "interval" ? middle : below;
        const shown = bars.filter((bar) => bar[field]);
        const stroke = field === "interval" ? ink.text : controlColor;
        const cap = 0.1;
        return [
          Plot.link(shown, {
            x1: (bar: Bar) => bar[field]![0],
            x2: (bar: Bar) => bar[field]![1],
            y1: (bar: Bar) => y(bar) + height,
            y2: (bar: Bar) => y(bar) + height,
            stroke,
            strokeWidth: 0.9,
          }),
          ...[0, 1].map((end) =>
            Plot.ruleX(shown, {
              x: (bar: Bar) => bar[field]![end],
              y1: (bar: Bar) => y(bar) + height - cap,
              y2: (bar: Bar) => y(bar) + height + cap,
              stroke,
              strokeWidth: 0.9,
            })
          ),
        ];
      }),
      ...weights.map(([part, fontWeight]) =>
        Plot.text(part, { y, text: "label", frameAnchor: "left", textAnchor: "end", dx: -8, fontWeight })
      ),
      ...number(columnWidth, (bar) => formatNumber(bar.value), ink.text),
      heading("logits", columnWidth),
      ...(hasControl
        ? [
          ...number(
            2 * columnWidth + 4,
            (bar) => bar.control ? formatNumber(bar.control[1] - bar.control[0]) : "",
            ink.muted,
          ),
          heading("control", 2 * columnWidth + 4),
        ]
        : []),
    ],
    color: { type: "identity" },
  });
}
