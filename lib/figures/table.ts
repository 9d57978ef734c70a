/**
 * A small table in a notebook, as HTML and as plain text; `frame` makes a danfojs DataFrame of rows, for
 * exploring. For aggregated rows; heavy numbers stay in typed arrays (see lib/stats), since danfojs is slow
 * on more than some thousand rows.
 */
import { checkOptionNames } from "../checkpoints/option_names.ts";
import { unturned } from "../checkpoints/quoted.ts";
import { display } from "../jupyter/display.ts";
import { danfo, type Frame } from "./danfo.ts";
import { formatNumber } from "./theme.ts";

/** How rows become a table. */
export interface TableOptions {
  /**
   * Which fields, in which order; default: those of the first row. An object gives headings: `{ location:
   * "where" }`.
   */
  columns?: readonly string[] | Readonly<Record<string, string>>;
  /** Decimals of numbers that are not whole. Default 3. */
  digits?: number;
  /** At most this many rows are shown, and the table says how many are left out. Default 20. */
  limit?: number;
}

const OPTIONS: Record<keyof TableOptions, true> = { columns: true, digits: true, limit: true };

/** Fields of rows, under their headings. */
function columnsOf(
  rows: readonly object[],
  options: TableOptions,
): { headings: string[]; values: unknown[][] } {
  if (!Array.isArray(rows)) {
    const promise = rows as unknown instanceof Promise;
    throw new Error(
      `table: got ${
        promise ? 'a promise; put "await" before what makes it' : typeof rows
      }. Expected a list of rows`,
    );
  }
  checkOptionNames("table", options, OPTIONS);
  const { columns } = options;
  if (rows.length === 0) {
    throw new Error("table: got no rows; expected at least one. Did a filter leave none?");
  }
  const all = rows as readonly Record<string, unknown>[];
  const chosen = columns ?? Object.keys(all[0]);
  const fields = Array.isArray(chosen) ? chosen as string[] : Object.keys(chosen);
  const missing = fields.find((field) => !all.some((row) => field in row));
  if (missing !== undefined) {
    throw new Error(`table: no row has "${missing}"; the fields are ${Object.keys(all[0]).join(", ")}`);
  }
  return {
    headings: Array.isArray(chosen) ? fields : Object.values(chosen),
    values: all.map((row) => fields.map((field) => row[field])),
  };
}

/**
 * Rows as a DataFrame, for exploring: `(await frame(rows)).groupby(["writer"])…`.
 *
 * @example
 * ```ts
 * const data = await frame([{ writer: "L0H2", median: 0.5 }, { writer: "L0H3", median: 0.1 }]);
 * console.log(data.sortValues("median").shape); // [2, 2]
 * ```
 */
export async function frame(rows: readonly object[], options: TableOptions = {}): Promise<Frame> {
  const { headings, values } = columnsOf(rows, options);
  const { DataFrame } = await danfo();
  return new DataFrame(values as string[][], { columns: headings });
}

/**
 * Shows rows as a table in the current cell; `await` it.
 *
 * @example
 * ```ts
 * await table([{ writer: "L0H2", median: 0.5 }], { digits: 2 }); // outside a notebook: as text
 * ```
 */
export async function table(rows: readonly object[], options: TableOptions = {}): Promise<void> {
  await display(tableBundle(rows, options));
}

/** The table as HTML and as plain text. */
export function tableBundle(
  rows: readonly object[],
  options: TableOptions = {},
): { "text/html": string; "text/plain": string } {
  const { digits = 3, limit = 20 } = options;
  const { headings: named, values } = columnsOf(rows, options);
  const text = (value: unknown) =>
    typeof value === "number" && !Number.isInteger(value)
      ? formatNumber(value, digits)
      : visible(String(value ?? ""));
  const numeric = values.map((row) => row.map((value) => typeof value === "number"));
  const cells = values.map((row) => row.map(text));
  const shown = cells.slice(0, limit);
  const rest = cells.length - shown.length;
  const headings = named.map(visible);
  const cell = (tag: string, value: string, right: boolean) =>
    `<${tag} style="text-align:${right ? "right" : "left"};padding:2px 10px">${escapeHtml(value)}</${tag}>`;
  const line = (tag: string, values: string[], i: number) =>
    `<tr>${values.map((value, j) => cell(tag, value, numeric[i][j])).join("")}</tr>`;
  const html = `<table><thead>${line("th", headings, 0)}</thead><tbody>${
    shown.map((row, i) => line("td", row, i)).join("\n")
  }</tbody></table>${rest > 0 ? `<p>and ${rest} more rows</p>` : ""}`;
  return { "text/html": html, "text/plain": textTable(headings, shown, rest) };
}

function textTable(headings: string[], rows: string[][], rest: number): string {
  const lines = [headings, ...rows];
  const widths = headings.map((_, j) => Math.max(...lines.map((row) => row[j].length)));
  const text = lines.map((row) => row.map((value, j) => value.padEnd(widths[j])).join("  ").trimEnd());
  return text.join("\n") + (rest > 0 ? `\nand ${rest} more rows` : "");
}

/**
 * Line breaks and tabs as they are written in code, since a cell is one line; spaces that HTML would drop as
 * in the figures, so that the answers " params" and "params" do not look alike.
 */
function visible(text: string): string {
  const lines = unturned(text).replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  return lines.replace(/^ +| +$| {2,}/g, (spaces) => "␣".repeat(spaces.length));
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
