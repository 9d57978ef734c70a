/**
 * The look of all figures: colours, sizes, and `plot`, which is `Plot.plot` with both applied.
 *
 * Colours are of Okabe and Ito (2008), which people with any of the common forms of colour blindness can tell
 * apart. Every colour comes with a dash and a symbol of its own, so that nothing is told by colour alone.
 */
import * as Plot from "@observablehq/plot";
import { plotDocument } from "./document.ts";
import { fontFamily } from "./font.ts";

/**
 * What Plot.plot returns, and what every figure here returns: an `<svg>`, or a `<figure>` around one or more.
 */
export type PlotElement = SVGSVGElement | HTMLElement;

/** Width of a figure in pixels, without its margin. Options named `width` default to it. */
export const figureWidth = 640;

export const fontSize = { title: 15, subtitle: 12, panel: 12, caption: 11, axis: 11, tick: 11, note: 10 };

export const ink = { text: "#1a1a1a", muted: "#555555", faint: "#8c8c8c", rule: "#bdbdbd", band: "#f4f4f4" };

/** An axis for these values: with 0, and with 4 % of room on either side. */
export function axisRange(values: readonly number[]): [number, number] {
  let low = 0, high = 0;
  for (const value of values) low = Math.min(low, value), high = Math.max(high, value);
  const room = 0.04 * (high - low || 1);
  return [low - room, high + room];
}

/** How one series is drawn everywhere. */
export interface Style {
  color: string;
  /** stroke-dasharray; undefined: solid. */
  dash?: string;
  symbol: "circle" | "diamond" | "square" | "triangle";
}

/** The series that recur over the figures. */
export const styles: Record<"clean" | "patched" | "cleaner" | "other", Style> = {
  clean: { color: "#0072B2", symbol: "circle" },
  // Okabe–Ito vermilion and bluish green, darkened: labels in these colours are read on white
  patched: { color: "#BF5300", dash: "6,4", symbol: "diamond" },
  cleaner: { color: "#007A5A", symbol: "square" },
  other: { color: "#6e6e6e", symbol: "circle" },
};

/** Colour and dash of the i-th of several series that have no meaning of their own, such as prompts. */
export function seriesStyle(i: number): Style {
  const colors = ["#0072B2", "#D55E00", "#007A5A", "#AA4499", "#B8860B", "#2A8FBD", "#1a1a1a"];
  const dashes = [undefined, "6,4", "2,3", "8,3,2,3", "10,5", "4,2", "1,4"];
  const symbols: Style["symbol"][] = ["circle", "diamond", "square", "triangle"];
  return { color: colors[i % 7], dash: dashes[i % 7], symbol: symbols[i % 4] };
}

/** The title of a y axis: above it, flush with the figure's left edge. */
export const yTitle = (title: string, marginLeft: number, options: Plot.TextOptions = {}): Plot.Markish =>
  Plot.text([title], {
    text: (d) => d,
    frameAnchor: "top-left",
    dx: -marginLeft,
    dy: -20,
    textAnchor: "start",
    lineAnchor: "top",
    fill: ink.muted,
    ...options,
  });

/** The title of an x axis: below its numbers, in the middle. */
export const xTitle = (title: string): Plot.Markish =>
  Plot.text([title], {
    text: (d) => d,
    frameAnchor: "bottom",
    dy: 32,
    lineAnchor: "bottom",
    fill: ink.muted,
  });

/** Plot.plot with the document, fonts and sizes of this project. Titles and captions: see compose.ts. */
export function plot(options: Plot.PlotOptions): PlotElement {
  const style = typeof options.style === "object" ? options.style : {};
  return Plot.plot({
    document: plotDocument(),
    width: figureWidth,
    ...options,
    style: { fontFamily, fontSize: `${fontSize.tick}px`, color: ink.text, ...style },
  }) as PlotElement;
}

/** A number with a true minus sign and a fixed number of decimals: "−0.903". */
export function formatNumber(x: number, digits = 2): string {
  if (!Number.isFinite(x)) return "–";
  const text = Math.abs(x).toFixed(digits);
  return x < 0 && Number(text) !== 0 ? "−" + text : text;
}
