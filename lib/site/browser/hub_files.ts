/** In place of checkpoints/hub/files.ts: a page asks no other host. */

export class NotAvailable extends Error {}

// deno-lint-ignore require-await
export async function fetchFiles(): Promise<never> {
  throw new Error(
    'In this page there is the model "tiny-gelu-4l" alone: it asks no other host. Others run where Deno does: in JupyterLab, or with ' +
      "`deno task scan`.",
  );
}
