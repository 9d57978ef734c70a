/**
 * What `deno task verify` prints of one figure: how many values agree, and a table of those that do not (or
 * of all).
 */
import { type Comparison, type Expected, summary, worst } from "../experiments/expected.ts";
import { knownDifferences } from "../experiments/known_differences.ts";

export const failed = (comparisons: readonly Comparison[]): Comparison[] =>
  comparisons.filter(({ verdict }) => verdict !== "agrees");

const MOST_OF_WHAT = 62;

function shorten(text: string): string {
  const line = text.replace(/\n/g, "↵").replace(/\t/g, "⇥");
  return line.length <= MOST_OF_WHAT ? line : `…${line.slice(1 - MOST_OF_WHAT)}`;
}

/** A number with as many digits as a comparison needs. */
function decimals(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 1e-4 ? value.toFixed(5) : value.toExponential(1);
}

/** Columns: value, published (or expected), measured, difference, tolerance, verdict. */
export function comparisonTable(comparisons: readonly Comparison[], reference: string): string {
  const head = ["value", "field", reference, "measured", "difference", "tolerance", "verdict"];
  const lines = comparisons.map((c) => [
    shorten(c.what),
    c.field,
    decimals(c.expected),
    decimals(c.measured),
    decimals(c.difference),
    decimals(c.tolerance),
    c.verdict === "agrees" ? "agrees" : c.verdict.toUpperCase(),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
  const aligned = (line: string[]) =>
    "  " +
    line.map((cell, i) => i < 2 || i === 6 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
      .trimEnd();
  return [head, widths.map((width) => "─".repeat(width)), ...lines].map(aligned).join("\n");
}

/** The whole of one figure. `all`: also what agrees. */
export function figureReport(
  figure: string,
  comparisons: readonly Comparison[],
  expected: Expected,
  all = false,
): string {
  const bad = failed(comparisons);
  if (comparisons.length === 0) {
    return `✗ ${figure}: nothing of what is expected was measured; the rows have other fields.`;
  }
  const [count, ...details] = summary(figure, comparisons, expected).split(" Expected: ");
  const lines = [`${bad.length === 0 ? "✓" : "✗"} ${figure}: ${count}`];
  if (bad.length > 0) lines.push(`  Expected: ${details.join(" Expected: ")}`);
  const shown = all ? comparisons : worst(bad);
  if (shown.length > 0) lines.push(comparisonTable(shown, referenceName(expected)));
  return lines.join("\n");
}

const isPublished = (expected: Expected) => expected.model === "gelu-4l";

const referenceName = (expected: Expected) => isPublished(expected) ? "published" : "expected";

/**
 * The known differences between post and code that bear on these figures; empty where the values are not the
 * post's.
 */
export function differencesReport(expected: Expected, figures: readonly string[]): string {
  const told = knownDifferences.filter((one) => one.figures.some((name) => figures.includes(name)));
  if (!isPublished(expected) || told.length === 0) return "";
  const lines = told.map(({ figures, say }) => `  • ${figures.join(", ")}: ${say}`);
  return ["Known differences between the post, its code and this project", ...lines].join("\n");
}
