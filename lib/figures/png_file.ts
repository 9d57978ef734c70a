/**
 * Pixels → bytes of a PNG file (ISO/IEC 15948), small enough for notebooks.
 *
 * Line drawings have few colours, so opaque pictures get a palette of their 256 commonest colours and one
 * byte a pixel; the rare others (blends at edges) take the nearest of the palette. When those others are more
 * than 1 % of the pixels, or a pixel is transparent, all four channels are kept. Scanlines are not filtered,
 * one IDAT chunk.
 */
import { crc32, deflateSync } from "node:zlib";

/**
 * A colour may change by more than `smallChange` in a channel (of 255) only if it has at most `fewPixels`.
 */
const smallChange = 8, fewPixels = 16;

/** Largest share of pixels whose colour may change at all. */
const mostChanged = 0.01;

/** @param rgba 8-bit red, green, blue, alpha of each pixel, row by row: 4 · width · height bytes */
export function encodePng(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Uint8Array {
  if (rgba.length !== 4 * width * height) {
    throw new Error(
      `Encoding a PNG failed: got ${rgba.length} bytes, expected 4 · ${width} · ${height} = ${
        4 * width * height
      }.`,
    );
  }
  const indexed = indexColors(rgba);
  const channels = indexed ? 1 : 4, source = indexed ? indexed.pixels : rgba;
  const scanlines = new Uint8Array(height * (1 + channels * width));
  for (let y = 0; y < height; y++) {
    scanlines.set(
      source.subarray(channels * width * y, channels * width * (y + 1)),
      y * (1 + channels * width) + 1,
    );
  }
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, indexed ? 3 : 6, 0, 0, 0], 8); // 8 bits; colour type 3: palette, 6: RGBA
  const parts = [
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk("IHDR", header),
    ...(indexed ? [chunk("PLTE", indexed.palette)] : []),
    chunk("IDAT", deflateSync(scanlines, { level: 9 })),
    chunk("IEND", new Uint8Array()),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) file.set(part, offset), offset += part.length;
  return file;
}

/** Bytes as a page and a notebook hold them. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length), view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/** Palette (3 bytes a colour) and one index a pixel, or undefined where a palette would not do. */
function indexColors(
  rgba: Uint8Array | Uint8ClampedArray,
): { palette: Uint8Array; pixels: Uint8Array } | undefined {
  const counts = new Map<number, number>();
  const n = rgba.length / 4;
  for (let i = 0; i < n;) { // runs of one colour are counted at once: most of a figure is white
    const color = colorAt(rgba, i), start = i;
    if (rgba[4 * i + 3] !== 255) return undefined;
    while (++i < n && colorAt(rgba, i) === color && rgba[4 * i + 3] === 255);
    counts.set(color, (counts.get(color) ?? 0) + i - start);
  }
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const common = ranked.slice(0, 256), rare = ranked.slice(256);
  const colors = common.map(([color]) => color);
  const index = new Map(colors.map((color, i) => [color, i]));
  if (rare.reduce((sum, [, count]) => sum + count, 0) > mostChanged * n) return undefined;
  for (const [color, count] of rare) {
    const i = nearest(colors, color);
    if (count > fewPixels && largestChange(colors[i], color) > smallChange) return undefined;
    index.set(color, i);
  }
  const pixels = new Uint8Array(n);
  let last = -1, lastIndex = 0;
  for (let i = 0; i < n; i++) {
    const color = colorAt(rgba, i);
    if (color !== last) {
      last = color;
      lastIndex = index.get(color)!;
    }
    pixels[i] = lastIndex;
  }
  return { palette: Uint8Array.from(colors.flatMap((c) => [c >> 16, c >> 8 & 255, c & 255])), pixels };
}

const colorAt = (rgba: Uint8Array | Uint8ClampedArray, i: number) =>
  rgba[4 * i] << 16 | rgba[4 * i + 1] << 8 | rgba[4 * i + 2];

/** Largest difference in a channel. */
function largestChange(a: number, b: number): number {
  return Math.max(...[16, 8, 0].map((shift) => Math.abs((a >> shift & 255) - (b >> shift & 255))));
}

function nearest(colors: number[], color: number): number {
  const distance = (c: number) =>
    ((c >> 16) - (color >> 16)) ** 2 + ((c >> 8 & 255) - (color >> 8 & 255)) ** 2 +
    ((c & 255) - (color & 255)) ** 2;
  let best = 0;
  colors.forEach((c, i) => {
    if (distance(c) < distance(colors[best])) best = i;
  });
  return best;
}
