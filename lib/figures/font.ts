/**
 * The fonts that figures are drawn with, and the width of text set in them.
 *
 * Both fonts come from npm packages, so a machine without any font draws the same picture: Inter (SIL Open
 * Font License) for everything, DejaVu Sans (Bitstream Vera licence) for the glyphs that Inter lacks. Text is
 * measured from the fonts' own tables: `cmap` (character → glyph, format 12) and `hmtx` (advance widths), as
 * in the OpenType specification 1.9.
 *
 * Kerning and ligatures are not applied: a measured width is an upper bound to within about 1 %.
 * No outline is read here; drawing is png.ts.
 */
// These two imports put the packages into the module graph; only then can their files be located below.
import inter from "@expo-google-fonts/inter/package.json" with { type: "json" };
import dejaVu from "dejavu-fonts-ttf/package.json" with { type: "json" };
import { readFileSync } from "node:fs";
import { packageFile } from "../platform/environment.ts";

/** CSS family list. Where Inter is not installed, Helvetica and Arial are narrower, so nothing overflows. */
export const fontFamily = "Inter, Helvetica, Arial, sans-serif";

/** Paths of the TrueType files: Inter 400, Inter 600, DejaVu Sans. */
export function fontFiles(): string[] {
  const files = [
    [inter, "400Regular/Inter_400Regular.ttf"],
    [inter, "600SemiBold/Inter_600SemiBold.ttf"],
    [dejaVu, "ttf/DejaVuSans.ttf"],
  ] as const;
  return files.map(([owner, file]) => {
    try {
      return packageFile(owner, file);
    } catch (cause) {
      throw new Error(
        `Locating the font "${owner.name}/${file}" failed: its npm package is not in Deno's cache. ` +
          `Run the task again with a connection to the npm registry, or "deno install".`,
        { cause },
      );
    }
  });
}

/** Advance widths of one font, in units of the font size. */
interface Advances {
  /** Width of a character, or undefined if the font has no glyph for it. */
  of(character: string): number | undefined;
  has(character: string): boolean;
}

let loaded: { regular: Advances; bold: Advances; fallback: Advances } | undefined;

function fonts() {
  if (!loaded) {
    const [regular, bold, fallback] = fontFiles().map((path) => readAdvances(readFileSync(path), path));
    loaded = { regular, bold, fallback };
  }
  return loaded;
}

/**
 * Width of one line of text in pixels.
 * @param size font size in pixels
 * @param bold true for weight 600
 */
export function textWidth(text: string, size: number, bold = false): number {
  const { regular, bold: heavy, fallback } = fonts();
  const font = bold ? heavy : regular;
  // resvg sets a whole text in the fallback font when one character of it needs that, so it is measured so.
  const whole = [...text].every((character) => invisible.test(character) || font.has(character))
    ? font
    : fallback;
  let width = 0;
  for (const character of text) {
    // an unknown glyph is a box of about 1 em
    if (!invisible.test(character)) width += whole.of(character) ?? 1;
  }
  return width * size;
}

/** Whether one of the fonts can draw the character. */
export function hasGlyph(character: string): boolean {
  const { regular, fallback } = fonts();
  return invisible.test(character) || regular.has(character) || fallback.has(character);
}

/** Joiners and other characters that only steer their neighbours. */
const invisible = /^[\p{Cf}\p{M}]$/u;

/**
 * Breaks text into lines that are at most `width` pixels wide: at spaces where possible, else inside a word.
 * Line breaks in the text are kept.
 */
export function wrapText(text: string, width: number, size: number, bold = false): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(/(?<= )/)) {
      if (textWidth((line + word).trimEnd(), size, bold) <= width) {
        line += word;
        continue;
      }
      if (line) lines.push(line.trimEnd());
      line = "";
      for (const character of word) { // a word wider than a line is broken
        if (line && textWidth(line + character, size, bold) > width) {
          lines.push(line);
          line = "";
        }
        line += character;
      }
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/** Reads `cmap` format 12 and `hmtx`. Throws if a table is missing. */
function readAdvances(bytes: Uint8Array, path: string): Advances {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<string, number>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const record = 12 + 16 * i;
    const tag = String.fromCharCode(...bytes.subarray(record, record + 4));
    tables.set(tag, view.getUint32(record + 8));
  }
  const table = (tag: string) => {
    const offset = tables.get(tag);
    if (offset === undefined) {
      throw new Error(`Reading the font ${path} failed: it has no table "${tag}". Expected a TrueType file.`);
    }
    return offset;
  };
  const unitsPerEm = view.getUint16(table("head") + 18);
  const hmtx = table("hmtx");
  const metrics = view.getUint16(table("hhea") + 34);
  const cmap = table("cmap");
  let groups = 0;
  for (let i = 0; i < view.getUint16(cmap + 2); i++) {
    const subtable = cmap + view.getUint32(cmap + 4 + 8 * i + 4);
    if (view.getUint16(subtable) === 12) groups = subtable;
  }
  if (!groups) throw new Error(`Reading the font ${path} failed: its cmap has no subtable of format 12.`);
  const glyph = new Map<number, number>();
  for (let i = 0; i < view.getUint32(groups + 12); i++) {
    const group = groups + 16 + 12 * i;
    const first = view.getUint32(group), last = view.getUint32(group + 4), id = view.getUint32(group + 8);
    for (let c = first; c <= last; c++) glyph.set(c, id + c - first);
  }
  return {
    has: (character) => glyph.has(character.codePointAt(0)!),
    of(character) {
      const id = glyph.get(character.codePointAt(0)!);
      if (id === undefined) return undefined;
      return view.getUint16(hmtx + 4 * Math.min(id, metrics - 1)) / unitsPerEm;
    },
  };
}
