/**
 * A figure of one or more plots: title, subtitle, one legend, panels, caption.
 *
 * The result is an HTML `<figure>`, as Plot's own are, so that it can be shown as it is; svg.ts turns it into
 * one SVG. Panels are stacked, or stand in rows of `columns`. The legend is an `<svg>` of its own, since
 * Plot's legends show either colour or symbol, never line, dash, symbol and band together.
 */
import { plotDocument } from "./document.ts";
import { fontFamily, textWidth } from "./font.ts";
import { figureWidth, fontSize, ink, type PlotElement, type Style } from "./theme.ts";

/** One entry of a legend. */
export interface Key {
  label: string;
  style: Style;
  /**
   * What is drawn before the label: a line with its symbol, a symbol, a small one, a band, a symbol with
   * error bar, a line.
   */
  kind: "line-dot" | "dot" | "small-dot" | "band" | "interval" | "line";
  /** Symbols are filled unless this is true. */
  hollow?: boolean;
}

export interface Panel {
  /** Bold line above the panel, such as "a · clean run". */
  title?: string;
  /** Plain line below it. */
  subtitle?: string;
  plot: PlotElement;
}

export interface Composition {
  title: string;
  subtitle?: string;
  legend?: Key[];
  panels: Panel[];
  /** Panels in a row. Default 1: stacked. */
  columns?: number;
  caption?: string;
  /** Width for the legend's rows in pixels. Default 640. */
  width?: number;
}

/** The `<figure>` of a composition. */
export function compose(composition: Composition): HTMLElement {
  const { title, subtitle, legend: keys = [], panels, columns = 1, caption, width = figureWidth } =
    composition;
  const document = plotDocument();
  const figure = document.createElement("figure");
  figure.setAttribute("style", `margin:0;max-width:${width}px;font-family:${fontFamily}`);
  figure.setAttribute("aria-label", title);
  const add = (name: string, text: string | undefined, style: string, parent: HTMLElement = figure) => {
    if (!text) return;
    const element = document.createElement(name);
    element.setAttribute("style", style);
    element.textContent = text;
    parent.append(element);
  };
  add("h2", title, `font-size:${fontSize.title}px;margin:0`);
  add("h3", subtitle, `font-size:${fontSize.subtitle}px;font-weight:400;margin:0;color:${ink.muted}`);
  if (keys.length > 0) figure.append(legend(keys, width));
  for (let i = 0; i < panels.length; i += columns) {
    const row = document.createElement("div");
    if (columns > 1) row.setAttribute("style", "display:flex");
    for (const panel of panels.slice(i, i + columns)) {
      const cell = document.createElement("div");
      add("h4", panel.title, `font-size:${fontSize.panel}px;margin:0`, cell);
      add(
        "h5",
        panel.subtitle,
        `font-size:${fontSize.subtitle}px;font-weight:400;margin:0;color:${ink.muted}`,
        cell,
      );
      cell.append(panel.plot);
      row.append(cell);
    }
    figure.append(row);
  }
  add("figcaption", caption, `font-size:${fontSize.caption}px;color:${ink.muted}`);
  return figure;
}

const rowHeight = 18;

/** Legend as an `<svg>`: entries in rows no wider than `width`. */
export function legend(keys: Key[], width = figureWidth): SVGSVGElement {
  const document = plotDocument();
  const create = (name: string, attributes: Record<string, string | number | undefined>, text?: string) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) element.setAttribute(key, String(value));
    }
    if (text !== undefined) element.textContent = text;
    return element;
  };
  let x = 0, y = 0;
  const svg = create("svg", { fill: ink.text, "font-size": fontSize.tick, "aria-label": "legend" });
  for (const { label, style, kind, hollow } of keys) {
    const alone = kind === "dot" || kind === "small-dot";
    const sample = alone ? 10 : 26;
    const needed = sample + 6 + textWidth(label, fontSize.tick);
    if (x > 0 && x + needed > width) x = 0, y += rowHeight;
    const middle = y + rowHeight / 2, stroke = style.color;
    const entry = create("g", { transform: `translate(${x},${middle})`, "aria-label": "legend entry" });
    if (kind === "band") {
      entry.append(
        create("rect", { y: -5, width: sample, height: 10, fill: style.color, "fill-opacity": 0.2 }),
      );
    }
    if (kind === "line" || kind === "line-dot" || kind === "interval") {
      const dash = kind === "interval" ? undefined : style.dash;
      entry.append(
        create("path", { d: `M0,0H${sample}`, stroke, "stroke-width": 1.8, "stroke-dasharray": dash }),
      );
    }
    if (kind === "interval") {
      entry.append(create("path", { d: `M0.5,-4V4M${sample - 0.5},-4V4`, stroke, "stroke-width": 1.5 }));
    }
    if (alone || kind === "line-dot" || kind === "interval") {
      const fill = hollow ? "#ffffff" : style.color;
      const d = symbolPath(style.symbol, kind === "small-dot" ? 2 : 4);
      entry.append(
        create("path", { d, transform: `translate(${sample / 2},0)`, fill, stroke, "stroke-width": 1.5 }),
      );
    }
    entry.append(create("text", { x: sample + 6, y: 4 }, label));
    svg.append(entry);
    x += needed + 18;
  }
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(y + rowHeight));
  svg.setAttribute("viewBox", `0 0 ${width} ${y + rowHeight}`);
  return svg as SVGSVGElement;
}

function symbolPath(symbol: Style["symbol"], r: number): string {
  if (symbol === "circle") return `M${r},0A${r},${r},0,1,1,${-r},0A${r},${r},0,1,1,${r},0Z`;
  if (symbol === "square") return `M${-r},${-r}H${r}V${r}H${-r}Z`;
  if (symbol === "diamond") return `M0,${-1.3 * r}L${r},0L0,${1.3 * r}L${-r},0Z`;
  return `M0,${-1.2 * r}L${1.1 * r},${0.8 * r}L${-1.1 * r},${0.8 * r}Z`;
}
