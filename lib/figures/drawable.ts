/**
 * What every figure asks of its rows before it draws: that there are some, and which have finite numbers.
 *
 * A row without finite numbers (a writer of zero norm has no projection ratio) is not drawn, and the figure's
 * caption says how many were left out and names the first. No row is changed.
 */
import { checkGiven, checkOptionNames } from "../checkpoints/option_names.ts";

/** Rows that can be drawn, and a sentence for the caption about those that cannot (empty when all can). */
export interface Drawable<Row> {
  rows: Row[];
  note: string;
}

/**
 * Keeps the rows whose `fields` are all finite.
 * @param figure name for messages, such as "Figure 2"
 * @param describe a row in words, such as "L2H3 onto L0H2"
 * Throws when there is no row, or none with finite numbers.
 */
export function drawable<Row>(
  rows: readonly Row[],
  fields: readonly (keyof Row)[],
  figure: string,
  describe: (row: Row) => string,
): Drawable<Row> {
  if (!Array.isArray(rows)) {
    const promise = rows as unknown instanceof Promise;
    throw new Error(
      `Drawing ${figure} failed: got ${
        promise ? 'a promise; put "await" before what makes it' : typeof rows
      }. Expected the rows of its experiment.`,
    );
  }
  if (rows.length === 0) {
    throw new Error(
      `Drawing ${figure} failed: got no rows. Expected the rows of its experiment; did a filter leave none?`,
    );
  }
  const finite = (row: Row) => fields.every((field) => Number.isFinite(row[field]));
  const kept = rows.filter(finite);
  const left = rows.length - kept.length;
  if (kept.length === 0) {
    throw new Error(
      `Drawing ${figure} failed: none of ${rows.length} rows has finite ${fields.join(", ")} ` +
        `(the first: ${describe(rows[0])}). Expected numbers; a writer that writes nothing has no ratios.`,
    );
  }
  const first = left > 0 ? describe(rows.find((row) => !finite(row))!) : "";
  const note = left === 0
    ? ""
    : left === 1
    ? `1 of ${rows.length} rows has no finite value and is not drawn (${first}).`
    : `${left} of ${rows.length} rows have no finite value and are not drawn (${first} and others).`;
  return { rows: kept, note };
}

/**
 * What a figure is called with, before anything is read of it.
 * @throws for rows that are a promise or no list, and for an option that is not among `known`
 */
export function checkFigure(
  figure: string,
  rows: unknown,
  options: unknown,
  known: Readonly<Record<string, true>>,
): void {
  checkGiven(figure, "rows", rows, "the rows of its experiment");
  if (!Array.isArray(rows)) {
    throw new Error(`${figure}: got ${typeof rows} for rows; expected the rows of its experiment`);
  }
  checkOptionNames(figure, options, known);
}

/** Distinct values in order of first appearance. */
export function distinct<T>(values: Iterable<T>): T[] {
  return [...new Set(values)];
}

/** Sentences joined by spaces; empty ones left out. */
export function sentences(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part).join(" ");
}
