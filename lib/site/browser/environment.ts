/** In place of platform/environment.ts. */

/** A page has none but this: figures are saved with their rows, for the page to offer. */
export const environment = (name: string): string | undefined =>
  name === "CLEANUP_LENS_OUT" ? "/out" : undefined;

export const isWindows = false;

export function packageFile({ name }: { name: string }, file: string): string {
  return `/packages/${name}/${file}`;
}
