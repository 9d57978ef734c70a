/** In place of figures/danfo.ts: the library of data frames is larger than all the rest of the page. */

export type Frame = never;

// deno-lint-ignore require-await
export async function danfo(): Promise<never> {
  throw new Error(
    "frame: danfojs is not part of this page. Rows are plain objects: use filter, map and table; or run this notebook in JupyterLab.",
  );
}
