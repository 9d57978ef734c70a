/**
 * PNG of an SVG, by resvg, with the fonts of font.ts only: never the system's, so that every machine draws
 * the same pixels.
 *
 * Permissions: resvg is a native library and asks how the machine was built when it is loaded, so a script
 * that draws needs --allow-ffi, --allow-read and --allow-sys besides.
 */
import { Resvg } from "@resvg/resvg-js";
import { fontFiles } from "./font.ts";
import { encodePng } from "./png_file.ts";

/** How an SVG becomes a PNG. */
export interface PngOptions {
  /** Pixels of the PNG for each pixel of the SVG. Default 2: sharp at its size on screens and in print. */
  scale?: number;
}

/**
 * Bytes of a PNG file. Throws when the SVG is not valid.
 *
 * @example
 * ```ts
 * import { heatMap } from "./heat_map.ts";
 * import { toSvg } from "./svg.ts";
 * const bytes = toPng(toSvg(heatMap([{ writer: "L0H0", node: "L1H0", ratio: -0.4 }])));
 * console.log(bytes.slice(1, 4)); // "PNG"
 * ```
 */
export function toPng(svg: string, { scale = 2 }: PngOptions = {}): Uint8Array {
  if (typeof svg !== "string") {
    throw new Error(
      `toPng: got ${
        svg === undefined ? "nothing" : `${typeof svg === "object" ? "an" : "a"} ${typeof svg}`
      }; expected an SVG of toSvg(…)`,
    );
  }
  try {
    const renderer = new Resvg(svg, {
      fitTo: { mode: "zoom", value: scale },
      background: "#ffffff",
      font: { loadSystemFonts: false, fontFiles: fontFiles(), defaultFontFamily: "Inter" },
    });
    const image = renderer.render();
    return encodePng(image.pixels, image.width, image.height);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `Drawing a PNG failed: ${reason}. Got ${svg.length} characters that begin with ${
        JSON.stringify(svg.slice(0, 40))
      }; expected an SVG of toSvg(…).`,
      { cause },
    );
  }
}
