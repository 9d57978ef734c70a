/**
 * How a figure is drawn in a notebook, and as which files it is saved: PNG, which GitHub, VS Code and Jupyter
 * all draw. A web page draws SVG itself: there lib/site/browser/picture.ts stands in this file's place.
 */
import { toPng } from "./png.ts";
import { base64 } from "./png_file.ts";

/**
 * Pixels of the PNG for each pixel of the SVG: in a notebook, where Jupyter draws a PNG pixel by pixel, and
 * in a file.
 */
const SCALE = { notebook: 1.5, file: 2 };

/** The MIME type that a notebook shows, and its value. */
export function picture(svg: string): { mime: string; data: string } {
  return { mime: "image/png", data: base64(toPng(svg, { scale: SCALE.notebook })) };
}

/** Extension → the content of a file. */
export function pictureFiles(svg: string): Record<string, string | Uint8Array> {
  return { svg, png: toPng(svg, { scale: SCALE.file }) };
}
