/**
 * Checks of a drawn figure that need no eyes: the SVG is parsed again, each text's box is computed from its
 * font size, anchor and transforms, and resvg says how far the drawing reaches.
 */
import { Resvg } from "@resvg/resvg-js";
import { DOMParser } from "linkedom";
import { assert, assertEquals } from "@std/assert";
import { contrast, TEXT } from "../contrast.ts";
import { fontFiles, textWidth } from "../../lib/figures/font.ts";

type Point = [number, number];

export interface TextBox {
  text: string;
  /** Corners in pixels of the whole drawing. */
  corners: Point[];
}

export interface Inspected {
  root: Element;
  width: number;
  height: number;
  texts: TextBox[];
  /** Elements with this aria-label, which Plot gives to each mark. */
  marks(label: string): Element[];
  /** Number of drawn shapes below the elements with this aria-label. */
  count(label: string): number;
  words: string;
}

export function inspect(svg: string): Inspected {
  const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement as unknown as Element;
  const texts: TextBox[] = [];
  for (const text of root.querySelectorAll("text")) texts.push(...boxes(text as Element));
  const all = [...root.querySelectorAll("[aria-label]")] as Element[];
  const marks = (label: string) => all.filter((element) => element.getAttribute("aria-label") === label);
  return {
    root,
    width: Number(root.getAttribute("width")),
    height: Number(root.getAttribute("height")),
    texts,
    marks,
    count: (label) => marks(label).reduce((sum, mark) => sum + mark.children.length, 0),
    words: texts.map((box) => box.text).join(" "),
  };
}

/** White text stands on a coloured cell; every other on the figure's white ground. */
function assertReadable(text: Element): void {
  const color = inherited(text, "fill") ?? "#000000";
  if (["#ffffff", "white", "none", "currentColor"].includes(color) || !text.textContent) return;
  const ratio = contrast(color, "#ffffff");
  assert(ratio >= TEXT, `the text "${text.textContent}" is ${color}: its contrast is ${ratio.toFixed(2)}`);
}

/** Everything that holds for every figure: readable, valid, sized, finite, nothing cut, no overlaps. */
export function assertSound(svg: string): Inspected {
  const drawing = inspect(svg);
  assert(
    drawing.width > 100 && drawing.height > 50,
    `a figure has a size, got ${drawing.width} × ${drawing.height}`,
  );
  assertEquals(drawing.root.getAttribute("viewBox"), `0 0 ${drawing.width} ${drawing.height}`);
  for (const element of drawing.root.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      const bad = /\bNaN\b|undefined|Infinity|\[object|\bnull\b/.test(value);
      assert(!bad, `<${element.localName}> has ${name}="${value}"`);
    }
  }
  for (const text of drawing.root.querySelectorAll("text")) assertReadable(text as Element);
  for (const { text } of drawing.texts) {
    assert(!/\bNaN\b|undefined|Infinity|\[object|\bnull\b/.test(text), `a text reads "${text}"`);
  }
  // resvg parses strictly, so this also shows that the SVG is well-formed XML.
  const box = new Resvg(svg, { font: { loadSystemFonts: false, fontFiles: fontFiles() } }).getBBox()!;
  const reach = [box.x, box.y, drawing.width - box.x - box.width, drawing.height - box.y - box.height];
  assert(
    reach.every((room) => room >= -0.01),
    `the drawing is cut: room at left, top, right, bottom is ${reach}`,
  );
  for (const { text, corners } of drawing.texts) {
    for (const [x, y] of corners) {
      const inside = x >= 0 && y >= 0 && x <= drawing.width && y <= drawing.height;
      assert(inside, `the text "${text}" leaves the drawing at (${x.toFixed(1)}, ${y.toFixed(1)})`);
    }
  }
  for (const [i, a] of drawing.texts.entries()) {
    for (const b of drawing.texts.slice(i + 1)) {
      assert(!overlap(a.corners, b.corners), `the texts "${a.text}" and "${b.text}" overlap`);
    }
  }
  return drawing;
}

function inherited(element: Element, name: string): string | undefined {
  for (let e: Element | null = element; e; e = e.parentElement) {
    if (e.hasAttribute(name)) return e.getAttribute(name)!;
  }
}

/** One box a line: a text, or its tspans. Heights: capitals and descenders, 0.74 and 0.2 of the font size. */
function boxes(text: Element): TextBox[] {
  const size = Number(inherited(text, "font-size")), anchor = inherited(text, "text-anchor") ?? "start";
  const bold = inherited(text, "font-weight") === "600";
  const px = (value: string | null) =>
    value === null ? 0 : value.endsWith("em") ? parseFloat(value) * size : Number(value);
  const spans = [...text.children].filter((child) => child.localName === "tspan");
  let y = px(text.getAttribute("y")) + px(text.getAttribute("dy"));
  const lines: { content: string; x: number; y: number }[] = [];
  for (const line of spans.length > 0 ? spans : [text]) {
    if (line !== text) y += px(line.getAttribute("dy"));
    lines.push({
      content: line.textContent ?? "",
      x: px(line.getAttribute("x")) + px(text.getAttribute("dx")),
      y,
    });
  }
  return lines.filter(({ content }) => content.trim() !== "").map(({ content, x, y }) => {
    const width = textWidth(content, size, bold);
    const left = anchor === "middle" ? x - width / 2 : anchor === "end" ? x - width : x;
    const top = y - 0.74 * size, bottom = y + 0.2 * size;
    const corners: Point[] = [[left, top], [left + width, top], [left + width, bottom], [left, bottom]];
    return { text: content, corners: corners.map((corner) => toRoot(text, corner)) };
  });
}

function toRoot(element: Element, point: Point): Point {
  let [x, y] = point;
  for (let e: Element | null = element; e; e = e.parentElement) {
    const steps = [...(e.getAttribute("transform") ?? "").matchAll(/(\w+)\(([^)]*)\)/g)].reverse();
    for (const [, kind, list] of steps) {
      const [a, b = 0] = list.split(/[ ,]+/).map(Number);
      if (kind === "translate") [x, y] = [x + a, y + b];
      else if (kind === "rotate") {
        const [c, s] = [Math.cos(a * Math.PI / 180), Math.sin(a * Math.PI / 180)];
        [x, y] = [c * x - s * y, s * x + c * y];
      } else throw new Error(`no rule for the transform ${kind}`);
    }
  }
  return [x, y];
}

/**
 * Whether two rectangles at any angle share more than a touch: no edge of either separates them (separating
 * axes).
 */
export function overlap(a: Point[], b: Point[]): boolean {
  const touch = 0.5;
  for (const box of [a, b]) {
    for (let i = 0; i < 4; i++) {
      const [x1, y1] = box[i], [x2, y2] = box[(i + 1) % 4];
      const length = Math.hypot(x2 - x1, y2 - y1);
      const normal = ([x, y]: Point) => (x * (y2 - y1) - y * (x2 - x1)) / length;
      const [pa, pb] = [a.map(normal), b.map(normal)];
      if (Math.max(...pa) <= Math.min(...pb) + touch || Math.max(...pb) <= Math.min(...pa) + touch) {
        return false;
      }
    }
  }
  return true;
}
