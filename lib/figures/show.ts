/**
 * Shows a figure in a notebook, as PNG (which GitHub, VS Code and Jupyter all draw), and saves it: NAME.svg,
 * NAME.png, and the rows behind it as NAME.json (many points as NAME.csv), in the folder that `deno task
 * figures` names by CLEANUP_LENS_OUT. Without that folder nothing is saved.
 */
import { writeWhole } from "../checkpoints/write_whole.ts";
import { checkOptionNames } from "../checkpoints/option_names.ts";
import { environment } from "../platform/environment.ts";
import { isNotCapable } from "../platform/errors.ts";
import { display } from "../jupyter/display.ts";
import { picture, pictureFiles } from "./picture.ts";
import { toSvg } from "./svg.ts";
import type { PlotElement } from "./theme.ts";

/** How a figure is shown and saved. */
export interface ShowOptions {
  /** File name without extension, such as "fig1". */
  name: string;
  /** The rows behind the figure. */
  rows?: unknown;
  /** More rows than are good to read or to compare, such as the dots of a scatter: saved as CSV. */
  points?: readonly object[];
  /** Where to save. Default: the folder that CLEANUP_LENS_OUT names, if it does. */
  folder?: string;
  /**
   * What the figure shows, for readers who do not see it. Default: the figure's title, subtitle and caption.
   */
  alt?: string;
}

const OPTIONS: Record<keyof ShowOptions, true> = {
  name: true,
  rows: true,
  points: true,
  folder: true,
  alt: true,
};

/**
 * Shows `figure` in the current cell; `await` it.
 *
 * @example
 * ```ts
 * import { heatMap } from "./heat_map.ts";
 * const rows = [{ writer: "L0H0", node: "L1H0", ratio: -0.4 }];
 * await show(heatMap(rows), { name: "responses", rows }); // outside a notebook its title is printed
 * ```
 */
export async function show(
  figure: PlotElement,
  options: ShowOptions,
): Promise<void> {
  checkOptionNames("show", options, OPTIONS);
  if (typeof figure?.querySelectorAll !== "function") {
    const got = figure as unknown instanceof Promise
      ? 'a promise; put "await" before what makes it'
      : typeof figure;
    throw new Error(`show: got ${got}; expected a figure, such as fig1(rows, { writer })`);
  }
  const { name, rows, points, folder, alt } = options;
  if (!/^[\w-]+$/.test(name)) {
    throw new Error(`show(): got the name "${name}"; expected letters, digits, "_" and "-", such as "fig1"`);
  }
  if (alt) figure.setAttribute("aria-label", alt);
  const svg = toSvg(figure);
  const out = folder ?? outFolder();
  if (out) {
    for (const [extension, content] of Object.entries(pictureFiles(svg))) {
      await writeWhole(`${out}/${name}.${extension}`, content);
    }
    if (rows !== undefined) await writeWhole(`${out}/${name}.json`, rowsAsJson(rows));
    if (points !== undefined) await writeWhole(`${out}/${name}.csv`, rowsAsCsv(points));
  }
  const { mime, data } = picture(svg);
  const title = figure.getAttribute("aria-label") ?? name;
  const metadata = { [mime]: { alt: alt ?? (inWords(figure) || title) } };
  await display({ [mime]: data, "text/plain": title }, { metadata });
}

/** Title, subtitle, panels' titles and caption of a composed figure, as one text. */
export function inWords(figure: PlotElement): string {
  const parts = [...figure.querySelectorAll("h2, h3, h4, h5, figcaption")].map((part) =>
    part.textContent?.trim() ?? ""
  );
  return parts.filter(Boolean).map((part) => /[.!?]$/.test(part) ? part : `${part}.`).join(" ");
}

/** The folder that CLEANUP_LENS_OUT names; undefined where it is not set or may not be read. */
function outFolder(): string | undefined {
  try {
    return environment("CLEANUP_LENS_OUT") || undefined;
  } catch (error) {
    if (isNotCapable(error)) return undefined;
    throw error;
  }
}

/** JSON with one row a line; numbers with six digits, more than float32 holds of a sum. */
export function rowsAsJson(rows: unknown): string {
  const short = (_: string, value: unknown) =>
    typeof value === "number" && Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
  if (!Array.isArray(rows)) return JSON.stringify(rows, short, 1) + "\n";
  return `[\n${rows.map((row) => JSON.stringify(row, short)).join(",\n")}\n]\n`;
}

/**
 * CSV with the fields of the first row as its header; numbers as in `rowsAsJson`. Text is not quoted, so none
 * may hold a comma.
 */
export function rowsAsCsv(rows: readonly object[]): string {
  const fields = Object.keys(rows[0] ?? {});
  const cell = (value: unknown) =>
    typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
  const line = (row: object) =>
    fields.map((field) => cell((row as Record<string, unknown>)[field])).join(",");
  const text = [fields.join(","), ...rows.map(line)];
  const odd = text.findIndex((each) => each.split(",").length !== fields.length || /["\n]/.test(each));
  if (odd >= 0) {
    throw new Error(`show(): row ${odd} holds a comma, a quote or a line break: ${text[odd].slice(0, 80)}`);
  }
  return text.join("\n") + "\n";
}
