/**
 * The document that Observable Plot draws on where there is no browser: linkedom's, with a small canvas.
 *
 * Plot needs a canvas for two things only: the ramp of a continuous colour legend (one `fillRect` a step) and
 * `Plot.raster` (`putImageData`). The canvas here does these two and `toDataURL`, and throws on anything
 * else. It does not draw text, paths or gradients.
 */
import { rgb } from "d3-color";
import { parseHTML } from "linkedom";
import { base64, encodePng } from "./png_file.ts";

let shared: Document | undefined;

/** One document for all figures. Nothing is ever attached to its body, so figures do not see each other. */
export function plotDocument(): Document {
  shared ??= createDocument();
  return shared;
}

/** A new, empty HTML document whose `createElement("canvas")` gives the small canvas described above. */
export function createDocument(): Document {
  const { document } = parseHTML("<!doctype html><html><head></head><body></body></html>");
  const createElement = document.createElement.bind(document);
  document.createElement = (name: string, options?: ElementCreationOptions) =>
    // deno-lint-ignore no-explicit-any
    name.toLowerCase() === "canvas" ? createCanvas() as any : createElement(name, options);
  return document;
}

interface Pixels {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

function createCanvas() {
  let data = new Uint8ClampedArray(0);
  const canvas = {
    width: 1,
    height: 1,
    /** Only "2d". The pixels start transparent at the width and height set before this call. */
    getContext(kind: string) {
      if (kind !== "2d") {
        throw new Error(`The canvas of figures draws "2d" only, but "${kind}" was asked for.`);
      }
      data = new Uint8ClampedArray(4 * canvas.width * canvas.height);
      return {
        canvas,
        fillStyle: "#000",
        fillRect(x: number, y: number, width: number, height: number) {
          const color = rgb(this.fillStyle);
          const bytes = [color.r, color.g, color.b, 255 * color.opacity];
          for (let row = Math.max(0, y); row < Math.min(canvas.height, y + height); row++) {
            for (let column = Math.max(0, x); column < Math.min(canvas.width, x + width); column++) {
              data.set(bytes, 4 * (row * canvas.width + column));
            }
          }
        },
        createImageData(width: number, height: number): Pixels {
          return { data: new Uint8ClampedArray(4 * width * height), width, height };
        },
        putImageData(image: Pixels, x = 0, y = 0) {
          if (x !== 0 || y !== 0 || image.width !== canvas.width || image.height !== canvas.height) {
            throw new Error(
              `The canvas of figures takes image data of its own size at (0, 0): ${canvas.width} × ${canvas.height}, ` +
                `but got ${image.width} × ${image.height} at (${x}, ${y}).`,
            );
          }
          data.set(image.data);
        },
      };
    },
    toDataURL: () => "data:image/png;base64," + base64(encodePng(data, canvas.width, canvas.height)),
  };
  return canvas;
}
