/**
 * One standalone SVG from what Observable Plot returns.
 *
 * `Plot.plot` gives an `<svg>`, or, with a title, subtitle, legend or caption, a `<figure>` in which these
 * are HTML around the `<svg>`. Here everything becomes SVG: headings and captions are wrapped to the width of
 * the widest drawing, swatches are set in rows, and elements in a flex box stand side by side (compose.ts
 * makes such boxes). The result has its own namespace, size, white background and fonts, no style sheet and
 * no class, so that it looks the same in a browser, an editor and a PNG.
 *
 * Not a layout engine: only the elements that Plot and compose.ts make are understood; others throw.
 */
import { fontFamily, textWidth, wrapText } from "./font.ts";
import { fontSize, ink } from "./theme.ts";

interface Drawing {
  width: number;
  height: number;
  /** SVG markup with its origin at the top left. */
  markup: string;
}

/** Space around the whole drawing, and between stacked parts, in pixels. */
const margin = 12, gap = 6;

const headings: Record<string, { size: number; bold: boolean; fill: string }> = {
  h2: { size: fontSize.title, bold: true, fill: ink.text },
  h3: { size: fontSize.subtitle, bold: false, fill: ink.muted },
  h4: { size: fontSize.panel, bold: true, fill: ink.text },
  h5: { size: fontSize.subtitle, bold: false, fill: ink.muted },
  figcaption: { size: fontSize.caption, bold: false, fill: ink.muted },
};

/**
 * SVG of a plot as a string. @throws for what is no element, and when it holds no `<svg>`
 *
 * @example
 * ```ts
 * import { heatMap } from "./heat_map.ts";
 * const svg = toSvg(heatMap([{ writer: "L0H0", node: "L1H0", ratio: -0.4 }]));
 * console.log(svg.slice(0, 4)); // "<svg"
 * ```
 */
export function toSvg(plot: Element): string {
  if (typeof plot?.querySelectorAll !== "function") {
    throw new Error(
      `toSvg: got ${
        plot === undefined ? "nothing" : `${typeof plot === "object" ? "an" : "a"} ${typeof plot}`
      }; expected a figure, such as that of fig1(…), or what Plot.plot(…) returns`,
    );
  }
  const drawings = [...plot.querySelectorAll("svg")];
  if (tag(plot) !== "svg" && drawings.length === 0) {
    throw new Error(
      `Making an SVG of a <${tag(plot)}> failed: it holds no <svg>. Expected what Plot.plot(…) returns.`,
    );
  }
  const ids = new Map<string, string>();
  const width = widthOf(plot);
  const body = block(plot, width, ids)!;
  const w = Math.ceil(Math.max(width, body.width) + 2 * margin), h = Math.ceil(body.height + 2 * margin);
  const label = plot.getAttribute("aria-label");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" ` +
    `font-family="${fontFamily}" fill="${ink.text}" role="img"${
      label ? ` aria-label="${escapeXml(label)}"` : ""
    }>` +
    `<rect width="${w}" height="${h}" fill="#ffffff"/>` +
    `<g transform="translate(${margin},${margin})">${body.markup}</g></svg>`;
}

/** Natural width: that of the widest drawing, or of the drawings of a row together. */
function widthOf(element: Element): number {
  if (tag(element) === "svg") return Number(element.getAttribute("width"));
  const children = [...element.children].map(widthOf);
  if (isRow(element)) return children.reduce((sum, w) => sum + w, 0);
  return Math.max(0, ...children);
}

function block(element: Element, width: number, ids: Map<string, string>): Drawing | undefined {
  const name = tag(element);
  if (name === "style") return undefined;
  if (name === "svg") return drawing(element, ids);
  if (name in headings) return paragraph(element.textContent ?? "", width, headings[name]);
  if (name !== "figure" && element.querySelector("[class$=-swatch]")) return swatches(element, width, ids);
  if (name === "figure" || name === "div") {
    const row = isRow(element);
    const parts = [...element.children].map((child) => block(child, row ? widthOf(child) : width, ids));
    return row ? beside(parts) : stack(parts);
  }
  throw new Error(
    `Making an SVG failed: no rule for <${name}> in a figure. Expected svg, figure, div, h2 to h5, figcaption.`,
  );
}

const isRow = (element: Element) => /display:\s*flex/.test(element.getAttribute("style") ?? "");

function stack(parts: (Drawing | undefined)[]): Drawing {
  let height = 0, width = 0, markup = "";
  for (const part of parts) {
    if (!part || part.height === 0) continue;
    if (height > 0) height += gap;
    markup += `<g transform="translate(0,${round(height)})">${part.markup}</g>`;
    height += part.height;
    width = Math.max(width, part.width);
  }
  return { width, height, markup };
}

function beside(parts: (Drawing | undefined)[]): Drawing {
  let height = 0, width = 0, markup = "";
  for (const part of parts) {
    if (!part) continue;
    markup += `<g transform="translate(${round(width)},0)">${part.markup}</g>`;
    width += part.width;
    height = Math.max(height, part.height);
  }
  return { width, height, markup };
}

function paragraph(text: string, width: number, style: (typeof headings)[string]): Drawing {
  const lines = wrapText(text, width, style.size, style.bold);
  const leading = 1.35 * style.size;
  // A viewer without our font takes a wider one: a stated length keeps the line inside the picture.
  const fitted = (line: string) =>
    `textLength="${round(textWidth(line, style.size, style.bold))}" lengthAdjust="spacingAndGlyphs"`;
  const markup = lines.map((line, i) =>
    `<text x="0" y="${round(i * leading + style.size)}" font-size="${style.size}" fill="${style.fill}" ` +
    `${fitted(line)}${style.bold ? ' font-weight="600"' : ""}>${escapeXml(line)}</text>`
  ).join("");
  const widest = Math.max(...lines.map((line) => textWidth(line, style.size, style.bold)));
  return { width: widest, height: lines.length * leading, markup };
}

/** Plot's own categorical legend: coloured squares (or symbols) and their names, wrapped into rows. */
function swatches(element: Element, width: number, ids: Map<string, string>): Drawing {
  const size = fontSize.tick, row = 20;
  let x = 0, y = 0, widest = 0, markup = "";
  for (const item of element.querySelectorAll("[class$=-swatch]")) {
    const symbol = item.querySelector("svg");
    const label = (item.textContent ?? "").trim();
    const needed = 20 + textWidth(label, size) + 14;
    if (x > 0 && x + needed > width) x = 0, y += row;
    if (symbol) markup += `<g transform="translate(${round(x)},${y + 2})">${drawing(symbol, ids).markup}</g>`;
    markup += `<text x="${round(x + 20)}" y="${y + 14}" font-size="${size}">${escapeXml(label)}</text>`;
    x += needed;
    widest = Math.max(widest, x);
  }
  return { width: widest, height: y + row, markup };
}

/** The inside of an `<svg>` as a group with the attributes that its children inherit. */
function drawing(svg: Element, ids: Map<string, string>): Drawing {
  const width = Number(svg.getAttribute("width")), height = Number(svg.getAttribute("height"));
  if (!(width > 0 && height > 0)) {
    throw new Error(
      `Making an SVG failed: an <svg> of the figure has no size (width "${svg.getAttribute("width")}").`,
    );
  }
  const sized = /font-size/.test(svg.getAttribute("style") ?? "");
  const kept = [
    "fill",
    "stroke",
    ...(sized ? [] : ["font-size"]),
    "font-weight",
    "text-anchor",
    "stroke-width",
  ]
    .map((name) => svg.hasAttribute(name) ? ` ${name}="${value(svg, name, ids)}"` : "").join("");
  // Plot's option `style` sets the font size as CSS, which wins over the attribute.
  const css = /font-size:\s*([\d.]+)px/.exec(svg.getAttribute("style") ?? "");
  const size = css ? ` font-size="${css[1]}"` : "";
  const [left, top] = (svg.getAttribute("viewBox") ?? "0 0").split(/[ ,]+/).map(Number);
  const origin = left || top ? ` transform="translate(${-left},${-top})"` : "";
  const children = [...svg.childNodes].map((child) => serialize(child, ids)).join("");
  return { width, height, markup: `<g${origin}${kept}${size}>${children}</g>` };
}

function serialize(node: ChildNode, ids: Map<string, string>): string {
  if (node.nodeType === 3) return escapeXml(node.textContent ?? "");
  if (node.nodeType !== 1) return "";
  const element = node as Element;
  const name = element.localName;
  if (name === "style") return "";
  const attributes = [...element.attributes]
    .filter((attribute) => !/^(class|style|xmlns.*|font-family)$/.test(attribute.name))
    .map((attribute) => ` ${attribute.name}="${value(element, attribute.name, ids)}"`).join("");
  const children = [...element.childNodes].map((child) => serialize(child, ids)).join("");
  return children ? `<${name}${attributes}>${children}</${name}>` : `<${name}${attributes}/>`;
}

/**
 * An attribute's value: colours made explicit, coordinates rounded to 0.01 px, and ids counted from 1, since
 * Plot counts them over the whole process and the same figure should give the same file.
 */
function value(element: Element, name: string, ids: Map<string, string>): string {
  const text = element.getAttribute(name) ?? "";
  if (name === "id") return identifier(text, ids);
  const reference = /^url\(#(.*)\)$/.exec(text);
  if (reference) return `url(#${identifier(reference[1], ids)})`;
  if (text === "currentColor") return ink.text;
  if (text === "100%" && (name === "width" || name === "height")) { // of its own <svg>, which is a group here
    return element.closest("svg")!.getAttribute(name)!;
  }
  if (/^(d|points|transform|x|y|x1|x2|y1|y2|cx|cy|dx|dy|r|width|height)$/.test(name)) {
    return text.replace(/-?\d*\.\d{3,}(e-?\d+)?/g, (number) => String(round(Number(number))));
  }
  return escapeXml(text);
}

function identifier(id: string, ids: Map<string, string>): string {
  if (!ids.has(id)) ids.set(id, `id${ids.size + 1}`);
  return ids.get(id)!;
}

const round = (x: number) => Math.round(100 * x) / 100;
const tag = (element: Element) => element.tagName.toLowerCase();

function escapeXml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
