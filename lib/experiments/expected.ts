/**
 * Expected values: what another implementation or the post says a figure's numbers are, and how measured rows
 * compare with them.
 *
 * File: data/expected/<model>.json, `{ model, computation: { by }, figures: { name: { source, tolerance: {
 * absolute, relative, reason }, keys, rows } } }`. `keys` are the fields that tell rows apart; the other
 * fields of a row are numbers. A value agrees when |measured − expected| ≤ absolute + relative · |expected|;
 * `n`, a count, must be equal. `wideLow` and `wideHigh` are the 12.5 and 87.5 % quantiles, `low` and `high`
 * the quartiles.
 *
 * Nothing is hidden: every expected value of a figure gives one comparison, also one that disagrees or was
 * not measured.
 */
import { stat } from "node:fs/promises";
import { dataFile } from "../checkpoints/mod.ts";
import { checkGiven } from "../checkpoints/option_names.ts";
import { didYouMean } from "../checkpoints/nearest.ts";
import { readJsonObject } from "../checkpoints/json_file.ts";

/** How close is equal: |measured − expected| ≤ absolute + relative · |expected|. */
export interface Tolerance {
  /** In the value's units. */
  absolute: number;
  /** A part of the expected value. */
  relative: number;
  /** Why so large, and not smaller. */
  reason: string;
}

/** The expected numbers of one figure. */
export interface ExpectedFigure {
  /** Where the values are from. */
  source: string;
  /** How many prompts the values are over, where that is not all of the model's. */
  prompts?: number;
  /** How close is equal. */
  tolerance: Tolerance;
  /** The fields that tell rows apart. */
  keys: string[];
  /** The values. */
  rows: Record<string, unknown>[];
}

/** A file of expected values. */
export interface Expected {
  /** The model that they belong to. */
  model: string;
  /** Who computed them. */
  by: string;
  /** By name: "fig1", "fig2, inner positions" … */
  figures: Record<string, ExpectedFigure>;
}

/** One expected value, and what was measured in its place. */
export interface Comparison {
  /** The row, such as "L0H5 resid_mid0 clean". */
  what: string;
  /** Which number of the row. */
  field: string;
  /** The value in the file. */
  expected: number;
  /** NaN when it was not measured. */
  measured: number;
  /** measured − expected */
  difference: number;
  /** The largest difference that agrees. */
  tolerance: number;
  /** "missing": no measured row has these keys. */
  verdict: "agrees" | "differs" | "missing";
}

/** What of the rows is compared. */
export interface CompareOptions {
  /** Which quantiles `low` and `high` of the measured rows are. Default [0.25, 0.75]. */
  quantiles?: readonly [number, number];
}

/** Checks a parsed expected-values file. @throws naming the figure and row that are not as expected. */
export function parseExpected(json: Record<string, unknown>, source: string): Expected {
  const refuse = (what: string): never => {
    throw new Error(`${source}: ${what}`);
  };
  const { model, computation, figures } = json;
  const by = (computation as Record<string, unknown> | undefined)?.by;
  if (typeof model !== "string" || typeof by !== "string") {
    refuse(`"model" and "computation.by" must say whose values these are.`);
  }
  if (typeof figures !== "object" || figures === null) return refuse(`"figures" must be an object.`);
  for (const [name, figure] of Object.entries(figures as Record<string, ExpectedFigure>)) {
    const { absolute, relative, reason } = figure.tolerance ?? {};
    if (!(absolute >= 0 && relative >= 0 && typeof reason === "string")) {
      refuse(`${name}: "tolerance" must have absolute and relative, from 0, and a reason.`);
    }
    if (!Array.isArray(figure.keys) || !Array.isArray(figure.rows) || figure.rows.length === 0) {
      refuse(`${name}: expected "keys" and at least one of "rows".`);
    }
    figure.rows.forEach((row, i) => {
      const missing = figure.keys.find((key) => row[key] === undefined);
      if (missing) refuse(`${name}: row ${i} has no "${missing}".`);
      const odd = Object.entries(row).find(([key, value]) =>
        !figure.keys.includes(key) && !Array.isArray(value) && !Number.isFinite(value)
      );
      if (odd) refuse(`${name}: row ${i} has "${odd[0]}" ${JSON.stringify(odd[1])}; expected a number.`);
    });
  }
  return { model, by, figures } as Expected;
}

/**
 * The expected values of a model: "tiny-gelu-4l", "gelu-4l", or a file's path. A model for which none are
 * known has none: its `figures` are empty, and every comparison says so.
 *
 * @example
 * ```ts
 * const { by, figures } = await loadExpected("gelu-4l");
 * console.log(by, Object.keys(figures)); // who computed what
 * ```
 */
export async function loadExpected(modelOrFile: string): Promise<Expected> {
  const path = modelOrFile.endsWith(".json") ? modelOrFile : await dataFile(`expected/${modelOrFile}.json`);
  const isName = /^[\w.-]+$/.test(modelOrFile);
  if (path !== modelOrFile && (!isName || !await exists(path))) {
    return { model: modelOrFile, by: "nobody: no expected values are known for this model", figures: {} };
  }
  return parseExpected(await readJsonObject(path), path);
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * The rows that are expected of a figure, narrowed to those whose fields equal `where`.
 *
 * @example
 * ```ts
 * const rows = expectedRows(await loadExpected("gelu-4l"), "fig1", { writer: "L0H2" });
 * console.log(rows[0].location, rows[0].median);
 * ```
 */
export function expectedRows(
  expected: Expected,
  figure: string,
  where: Readonly<Record<string, unknown>> = {},
): Record<string, unknown>[] {
  checkGiven("expectedRows", "expected", expected, "what await loadExpected(MODEL) returns");
  const rows = expected.figures[figure]?.rows ?? [];
  return rows.filter((row) => Object.entries(where).every(([key, value]) => row[key] === value));
}

/** The name under which a quantile pair stands in the file. */
function bandFields(quantiles: readonly [number, number]): Record<string, string> {
  const [low, high] = quantiles;
  if (low === 0.25 && high === 0.75) return { low: "low", high: "high" };
  if (low === 0.125 && high === 0.875) return { wideLow: "low", wideHigh: "high" };
  return {};
}

const BANDS = ["low", "high", "wideLow", "wideHigh"];

/**
 * Compares measured rows with the expected ones of `figure`. Values of a band that the rows do not hold (12.5
 * to 87.5 % when quartiles were measured), and fields that no measured row has, are not part of the
 * comparison.
 * @throws for a figure that the file does not have, unless it has none at all.
 *
 * @example
 * ```ts
 * const expected = await loadExpected("gelu-4l");
 * const checks = compare("fig1", expectedRows(expected, "fig1"), expected); // with themselves
 * console.log(checks.every(({ verdict }) => verdict === "agrees")); // true
 * ```
 */
export function compare(
  figure: string,
  rows: readonly object[],
  expected: Expected,
  options: CompareOptions = {},
): Comparison[] {
  const names = Object.keys(expected.figures);
  if (names.length === 0) return [];
  if (!Object.hasOwn(expected.figures, figure)) {
    throw new Error(
      `no expected values for "${figure}" of ${expected.model}.${didYouMean(figure, names)} ` +
        `There are: ${names.join("; ")}.`,
    );
  }
  const { keys, tolerance, rows: wanted } = expected.figures[figure];
  const bands = bandFields(options.quantiles ?? [0.25, 0.75]);
  const all = rows as readonly Record<string, unknown>[];
  const measurable = new Set(all.flatMap((row) => Object.keys(row)));
  return wanted.flatMap((want) => {
    const found = all.find((row) => keys.every((key) => row[key] === want[key]));
    return Object.entries(want).flatMap(([field, value]): Comparison[] => {
      if (keys.includes(field) || typeof value !== "number") return [];
      const own = BANDS.includes(field) ? bands[field] : field;
      if (own === undefined || !measurable.has(own)) return [];
      const measured = found ? found[own] as number : NaN;
      const allowed = field === "n" ? 0 : tolerance.absolute + tolerance.relative * Math.abs(value);
      const difference = measured - value;
      const verdict = Number.isNaN(measured)
        ? "missing"
        : Math.abs(difference) <= allowed
        ? "agrees"
        : "differs";
      const what = keys.map((key) => want[key]).join(" ");
      return [{ what, field, expected: value, measured, difference, tolerance: allowed, verdict }];
    });
  });
}

/**
 * Comparisons from the worst: missing ones, then by how many tolerances measured and expected lie apart.
 *
 * @example
 * ```ts
 * const expected = await loadExpected("gelu-4l");
 * const checks = compare("fig1", expectedRows(expected, "fig1"), expected); // with themselves
 * console.log(worst(checks, 1)[0].difference); // 0
 * ```
 */
export function worst(comparisons: readonly Comparison[], count = comparisons.length): Comparison[] {
  const badness = (c: Comparison) =>
    c.verdict === "missing" ? Infinity : c.difference === 0 ? 0 : Math.abs(c.difference) / c.tolerance;
  return [...comparisons].sort((a, b) => badness(b) === badness(a) ? 0 : badness(b) - badness(a)).slice(
    0,
    count,
  );
}

/**
 * One line: how many agree, how many do not, with what, and how close that had to be.
 *
 * @example
 * ```ts
 * const expected = await loadExpected("gelu-4l");
 * const checks = compare("fig1", expectedRows(expected, "fig1"), expected); // with themselves
 * console.log(summary("fig1", checks, expected)); // "… values agree within …"
 * ```
 */
export function summary(figure: string, comparisons: readonly Comparison[], expected: Expected): string {
  if (Object.keys(expected.figures).length === 0) return `Nothing to compare with: ${expected.by}.`;
  const count = (verdict: Comparison["verdict"]) => comparisons.filter((c) => c.verdict === verdict).length;
  const { source, tolerance } = expected.figures[figure];
  const close = `within ${tolerance.absolute}` +
    (tolerance.relative > 0 ? ` + ${tolerance.relative} of the value` : "");
  const [differ, missing] = [count("differs"), count("missing")];
  return `${count("agrees")} of ${comparisons.length} values agree ${close}` +
    `${differ ? `; ${differ} DIFFER` : ""}${missing ? `; ${missing} were not measured` : ""}. ` +
    `Expected: ${source}. Why so close: ${tolerance.reason.replace(/\.$/, "")}.`;
}
