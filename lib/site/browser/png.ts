/** In place of figures/png.ts, whose renderer is native. */

export interface PngOptions {
  scale?: number;
}

export function toPng(_svg: string, _options?: PngOptions): Uint8Array {
  throw new Error("toPng: a page draws no PNG. Show the figure, and save its SVG with the link below it.");
}
