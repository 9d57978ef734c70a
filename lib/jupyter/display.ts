/**
 * Shows a value in the cell that runs, in several representations of which the front end picks one: GitHub
 * and VS Code draw image/png and text/html; a terminal has text/plain.
 *
 * The only file that touches `Deno.jupyter`. Source: https://docs.deno.com/runtime/reference/cli/jupyter/ and
 * the messages `display_data` and `update_display_data` of the Jupyter protocol.
 */
import type { MimeBundle } from "./notebook.ts";

/**
 * The kernel says that a cell is done up to 8 ms before the cell's last outputs leave it, and front ends such
 * as nbclient stop listening there. A cell that waits this long inside `display` loses nothing. A large
 * output is still being written then, and what the kernel sends next gets in between: of outputs of 7 MB on a
 * busy machine 1 in 14 broke the connection, and none of 240 with a wait that grows with the size.
 */
const SETTLE_MS = 10, SETTLE_MS_PER_MB = 50;

/** The kernel mixes up or loses messages that are larger. */
const MOST_BYTES = 8e6;

/** How a value is shown. */
export interface DisplayOptions {
  /** Names the output, so that a later call can replace it. */
  id?: string;
  /** True: replace the output that was shown under `id`; where there is none, nothing shows. */
  update?: boolean;
  /** What front ends are told about a representation, such as { "image/png": { alt: "what it shows" } }. */
  metadata?: Readonly<Record<string, unknown>>;
}

interface JupyterApi {
  broadcast(type: string, content: Record<string, unknown>): Promise<void>;
}

function jupyter(): JupyterApi | undefined {
  return (globalThis as { Deno?: { jupyter?: JupyterApi } }).Deno?.jupyter;
}

/**
 * Whether this code runs in a Jupyter kernel.
 *
 * @example
 * ```ts
 * console.log(inNotebook() ? "in a notebook" : "in a program");
 * ```
 */
export function inNotebook(): boolean {
  try {
    return typeof jupyter()?.broadcast === "function";
  } catch {
    return false; // outside a kernel the property throws, or is absent, depending on the version
  }
}

/**
 * Shows `bundle` as an output of the current cell; `await` it. Outside a kernel it prints text/plain, if
 * there is one.
 *
 * @throws for more than 8 MB in one output
 *
 * @example
 * ```ts
 * await display({ "text/plain": "a table", "text/html": "<table>…</table>" });
 * ```
 */
export async function display(
  bundle: MimeBundle,
  { id, update = false, metadata = {} }: DisplayOptions = {},
): Promise<void> {
  if (update && id === undefined) {
    throw new Error("display(): update needs the id under which the output was shown, got none");
  }
  if (!inNotebook()) {
    if (typeof bundle["text/plain"] === "string") console.log(bundle["text/plain"]);
    return;
  }
  const size = JSON.stringify(bundle).length;
  if (size > MOST_BYTES) {
    throw new Error(
      `display(): got ${(size / 1e6).toFixed(1)} MB in one output; the kernel loses what is larger than ` +
        `${MOST_BYTES / 1e6} MB. Show less at once, or write it to a file.`,
    );
  }
  await jupyter()!.broadcast(update ? "update_display_data" : "display_data", {
    data: bundle,
    metadata,
    transient: id === undefined ? {} : { display_id: id },
  });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS + SETTLE_MS_PER_MB * size / 1e6));
}
