/** In place of figures/picture.ts: a page draws SVG itself. */

export function picture(svg: string): { mime: string; data: string } {
  return { mime: "image/svg+xml", data: svg };
}

export function pictureFiles(svg: string): Record<string, string> {
  return { svg };
}
