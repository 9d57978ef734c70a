/** Plot's elements → one SVG. Expected texts and sizes are written by hand. */
import * as Plot from "@observablehq/plot";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { createDocument, plotDocument } from "../../lib/figures/document.ts";
import { compose, legend } from "../../lib/figures/compose.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { plot, styles } from "../../lib/figures/theme.ts";
import { assertSound, inspect, overlap } from "./svg_checks.ts";

const points = [{ x: 1, y: 2, kind: "first & <foremost>" }, { x: 2, y: 3, kind: "second" }, {
  x: 3,
  y: 1,
  kind: "third",
}];

Deno.test("toSvg() keeps title, subtitle, swatches and caption of a Plot figure", () => {
  const figure = plot({
    title: "A title",
    subtitle: "A subtitle",
    caption: "A caption",
    color: { legend: true },
    marks: [Plot.dot(points, { x: "x", y: "y", fill: "kind" })],
  });
  const drawing = assertSound(toSvg(figure));
  for (const text of ["A title", "A subtitle", "A caption", "first & <foremost>", "second", "third"]) {
    assert(drawing.texts.some((box) => box.text === text), `"${text}" is missing`);
  }
  assertEquals(drawing.count("dot"), 3);
  assert(
    !/<style|class=|currentColor|system-ui/.test(toSvg(figure)),
    "no style sheet, no class, no system font",
  );
});

Deno.test("toSvg() puts the symbols of a symbol legend beside their names", () => {
  const figure = plot({
    symbol: { legend: true },
    marks: [Plot.dot(points, { x: "x", y: "y", symbol: "kind" })],
  });
  const drawing = assertSound(toSvg(figure));
  // Plot centres these symbols on the origin of their own 16 × 16 view box.
  assertEquals(drawing.root.querySelectorAll(`g[transform="translate(8,8)"]`).length, 3);
});

Deno.test("toSvg() draws the ramp of a continuous colour legend as an image with its ticks", () => {
  const svg = toSvg(plot({
    color: { legend: true, label: "a quantity", domain: [0, 3] },
    marks: [Plot.dot(points, { x: "x", y: "y", fill: "y" })],
  }));
  assertMatch(
    svg,
    /<image[^>]* xlink:href="data:image\/png;base64,|<image[^>]* href="data:image\/png;base64,/,
  );
  const { words } = inspect(svg);
  assertStringIncludes(words, "0 1 2 3 a quantity");
});

Deno.test("toSvg() gives a bare <svg> size, background, fonts and a name space", () => {
  const svg = toSvg(plot({ width: 300, height: 200, marks: [Plot.dot(points, { x: "x", y: "y" })] }));
  assertMatch(
    svg,
    /^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="324" height="224" viewBox="0 0 324 224"/,
  );
  assertStringIncludes(svg, `font-family="Inter, Helvetica, Arial, sans-serif"`);
  assertStringIncludes(svg, `<rect width="324" height="224" fill="#ffffff"/>`);
});

Deno.test("toSvg() wraps a long caption to the width of the drawing", () => {
  const caption = "One sentence that says a great deal about very little. ".repeat(8);
  const figure = compose({
    title: "T",
    panels: [{ plot: plot({ width: 300, marks: [Plot.dot(points, { x: "x", y: "y" })] }) }],
    caption,
  });
  const drawing = assertSound(toSvg(figure));
  assertEquals(drawing.width, 324);
  assertEquals(drawing.texts.filter((box) => box.text.includes("sentence")).length, 8);
});

Deno.test("toSvg() sets panels side by side and stacks them", () => {
  const panel = (title: string) => ({
    title,
    plot: plot({ width: 200, height: 100, marks: [Plot.dot([{}], { x: 1, y: 1 })] }),
  });
  const row = inspect(toSvg(compose({ title: "T", columns: 2, panels: [panel("a"), panel("b")] })));
  const column = inspect(toSvg(compose({ title: "T", panels: [panel("a"), panel("b")] })));
  const corner = (drawing: typeof row, text: string) =>
    drawing.texts.find((box) => box.text === text)!.corners[0];
  assertEquals(row.width, 424);
  assertEquals(corner(row, "b")[0] - corner(row, "a")[0], 200);
  assertEquals(corner(row, "b")[1], corner(row, "a")[1]);
  assertEquals(column.width, 224);
  assertEquals(corner(column, "b")[0], corner(column, "a")[0]);
  assert(corner(column, "b")[1] > corner(column, "a")[1] + 100);
});

Deno.test("toSvg() numbers ids anew, so that a figure drawn twice gives the same file", () => {
  const draw = () =>
    toSvg(plot({ marks: [Plot.lineY(points, { x: "x", y: "y", clip: true, marker: "arrow" })] }));
  const first = draw();
  assertMatch(first, /url\(#id1\)/);
  assertEquals(draw(), first);
});

Deno.test("toSvg() says what it cannot draw", () => {
  const document = plotDocument();
  assertThrows(() => toSvg(document.createElement("p")), Error, "it holds no <svg>");
  assertThrows(() => toSvg(undefined as unknown as Element), Error, "toSvg: got nothing; expected a figure");
  assertThrows(() => toSvg("<svg>" as unknown as Element), Error, "toSvg: got a string; expected a figure");
  const figure = document.createElement("figure");
  figure.append(plot({ marks: [Plot.ruleY([0])] }), document.createElement("video"));
  assertThrows(() => toSvg(figure), Error, "no rule for <video>");
});

Deno.test("legend() starts a new row where an entry does not fit", () => {
  const keys = ["one series with a long name", "another one with a long name", "a third"].map((label) => ({
    label,
    style: styles.clean,
    kind: "line-dot" as const,
  }));
  assertEquals(legend(keys, 1000).getAttribute("height"), "18");
  assertEquals(legend(keys, 300).getAttribute("height"), "36");
});

Deno.test("createDocument() gives a canvas that fills, puts and refuses", () => {
  const canvas = createDocument().createElement("canvas");
  canvas.width = 2;
  canvas.height = 1;
  const context = canvas.getContext("2d")!;
  context.fillStyle = "red";
  context.fillRect(1, 0, 1, 1);
  assertStringIncludes(canvas.toDataURL(), "data:image/png;base64,iVBOR");
  const image = context.createImageData(1, 1);
  assertThrows(
    () => context.putImageData(image, 0, 0),
    Error,
    "of its own size at (0, 0): 2 × 1, but got 1 × 1",
  );
  assertThrows(() => canvas.getContext("webgl"), Error, `"webgl" was asked for`);
});

Deno.test("overlap() sees rectangles that meet, not those that touch or cross only with their boxes", () => {
  const box = (
    x: number,
    y: number,
  ): [number, number][] => [[x, y], [x + 10, y], [x + 10, y + 10], [x, y + 10]];
  assert(overlap(box(0, 0), box(5, 5)));
  assert(!overlap(box(0, 0), box(10, 0)));
  // Two slanted strips whose bounding boxes overlap.
  const strip = (x: number): [number, number][] => [[x, 0], [x + 40, 40], [x + 36, 44], [x - 4, 4]];
  assert(!overlap(strip(0), strip(12)));
  assert(overlap(strip(0), strip(4)));
});
