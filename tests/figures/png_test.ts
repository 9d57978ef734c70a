/** SVG → PNG, read back with node:zlib alone, written here for the tests. */
import * as Plot from "@observablehq/plot";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { inflateSync } from "node:zlib";
import { toPng } from "../../lib/figures/png.ts";
import { encodePng } from "../../lib/figures/png_file.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { plot } from "../../lib/figures/theme.ts";
import { fig1 } from "../../lib/figures/fig1.ts";
import { locationRows } from "./made_up_rows.ts";

/** Reads the PNGs that encodePng writes: colour type 3 or 6, no filter. */
function decode(png: Uint8Array) {
  assertEquals([...png.slice(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10], "the signature of PNG");
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const chunks = new Map<string, Uint8Array>();
  for (let offset = 8; offset < png.length;) {
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...png.slice(offset + 4, offset + 8));
    chunks.set(type, png.slice(offset + 8, offset + 8 + length));
    offset += 12 + length;
  }
  const header = chunks.get("IHDR")!, size = new DataView(header.buffer, header.byteOffset);
  const width = size.getUint32(0), height = size.getUint32(4), type = header[9];
  const lines = inflateSync(chunks.get("IDAT")!), channels = type === 3 ? 1 : 4, palette = chunks.get("PLTE");
  const pixel = (x: number, y: number): number[] => {
    const at = y * (1 + width * channels) + 1 + x * channels;
    return type === 3
      ? [...palette!.slice(3 * lines[at], 3 * lines[at] + 3), 255]
      : [...lines.slice(at, at + 4)];
  };
  return { width, height, type, pixel, colors: palette ? palette.length / 3 : undefined };
}

Deno.test("toPng() draws at twice the size, white outside and blue inside", () => {
  const svg = toSvg(plot({
    width: 200,
    height: 100,
    margin: 0,
    axis: null,
    marks: [Plot.rect([0], { x1: 0, x2: 1, y1: 0, y2: 1, fill: "#0072B2" })],
  }));
  const image = decode(toPng(svg));
  assertEquals([image.width, image.height], [2 * 224, 2 * 124]);
  assertEquals(image.pixel(2, 2), [255, 255, 255, 255]);
  assertEquals(image.pixel(224, 124), [0x00, 0x72, 0xb2, 255]);
  assertEquals(decode(toPng(svg, { scale: 1 })).width, 224);
});

Deno.test("toPng() draws text: without it the picture is another one", () => {
  const text = (content: string) =>
    toPng(
      `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40" font-family="Inter, Helvetica"><rect width="200" ` +
        `height="40" fill="#fff"/><text x="10" y="25" font-size="16">${content}</text></svg>`,
    );
  const dark = (png: Uint8Array) => {
    const image = decode(png);
    let n = 0;
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < image.width; x++) n += image.pixel(x, y)[0] < 128 ? 1 : 0;
    }
    return n;
  };
  assertEquals(dark(text("")), 0);
  assert(dark(text("projection ratio")) > 500, "letters are drawn");
  assert(dark(text("العربية")) > 200, "what Inter lacks is drawn with DejaVu");
});

Deno.test("toPng() of Figure 1 is small enough for a notebook and has a palette", () => {
  const png = toPng(toSvg(fig1(locationRows(["L0H0", "L0H1", "L0H2"]), { writer: "L0H2" })));
  const image = decode(png);
  assertEquals(image.width, 2 * 664);
  assertEquals(image.type, 3);
  assert(image.colors! > 10, "not blank");
  assert(png.length < 100_000, `got ${png.length} bytes`);
});

Deno.test("toPng() refuses what is no SVG", () => {
  assertThrows(() => toPng("<svg"), Error, "Drawing a PNG failed");
  assertThrows(() => toPng({} as string), Error, "toPng: got an object; expected an SVG of toSvg");
  assertThrows(() => toPng(undefined as unknown as string), Error, "toPng: got nothing; expected an SVG");
  assertThrows(() => toPng("no picture"), Error, `characters that begin with "no picture"`);
});

Deno.test("encodePng() keeps few colours exactly, and all channels where pixels are transparent or colourful", () => {
  const few = Uint8Array.of(1, 2, 3, 255, 1, 2, 3, 255, 250, 0, 9, 255, 1, 2, 3, 255);
  const image = decode(encodePng(few, 2, 2));
  assertEquals([image.width, image.height, image.type, image.colors], [2, 2, 3, 2]);
  assertEquals([image.pixel(1, 0), image.pixel(0, 1)], [[1, 2, 3, 255], [250, 0, 9, 255]]);
  const clear = decode(encodePng(Uint8Array.of(1, 2, 3, 128), 1, 1));
  assertEquals([clear.type, clear.pixel(0, 0)], [6, [1, 2, 3, 128]]);
  const many = Uint8Array.from(
    { length: 4 * 1024 },
    (_, i) => i % 4 === 3 ? 255 : (i % 4 === 0 ? i >> 2 & 31 : i >> 7) * 8,
  );
  assertEquals(decode(encodePng(many, 32, 32)).type, 6, "1024 colours, each as common as the others");
  // 300 greys and blues, each 32 pixels, below much white: hardly a share of the picture, but a ramp with
  // steps would show.
  const ramp = new Uint8Array(4 * 1024 * 1024).fill(255);
  for (let i = 0; i < 300 * 32; i++) ramp.set([i >> 5 & 255, 0, (i >> 5 & 255) ^ 128, 255], 4 * i);
  for (let i = 0; i < 60 * 32; i++) ramp.set([0, i >> 3 & 252, 0, 255], 4 * (9000 + i));
  assertEquals(decode(encodePng(ramp, 1024, 1024)).type, 6);
});

Deno.test("encodePng() gives a rare colour beyond the 256 commonest the nearest of them", () => {
  const n = 256 * 200;
  const rgba = new Uint8Array(4 * n).map((_, i) => i % 4 === 3 ? 255 : i % 4 === 0 ? (i >> 2) % 256 : 0);
  rgba.set([40, 1, 0, 255], 0); // the only pixel of this colour
  const image = decode(encodePng(rgba, 256, 200));
  assertEquals(image.type, 3);
  assertEquals(image.pixel(0, 0), [40, 0, 0, 255]);
  assertEquals(image.pixel(77, 150), [77, 0, 0, 255]);
});

Deno.test("encodePng() says how many bytes it expected", () => {
  assertThrows(() => encodePng(new Uint8Array(5), 1, 1), Error, "got 5 bytes, expected 4 · 1 · 1 = 4");
});
