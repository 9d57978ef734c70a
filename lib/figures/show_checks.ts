/**
 * A figure's check cell: the measured rows beside the expected ones, or a line that says that none are known
 * for this model.
 */
import { checkGiven, checkOptionNames } from "../checkpoints/option_names.ts";
import { compare, type Expected, summary, worst } from "../experiments/expected.ts";
import { table } from "./table.ts";

/**
 * Shows the comparisons with the largest differences, whether they agree or not, and how many agree; `await`
 * it.
 * @param rows the measured rows of `figure` @param most how many comparisons are shown. Default 5
 * @param missing whether an expected row that was not measured counts as a comparison. Default true
 *
 * @example
 * ```ts
 * import { expectedRows, loadExpected } from "../experiments/expected.ts";
 * const expected = await loadExpected("gelu-4l");
 * await showChecks("fig1", expectedRows(expected, "fig1"), expected, { most: 2 });
 * ```
 */
export async function showChecks(
  figure: string,
  rows: readonly object[],
  expected: Expected,
  options: { most?: number; missing?: boolean } = {},
): Promise<void> {
  checkGiven("showChecks", "rows", rows, "the rows of an experiment");
  checkGiven("showChecks", "expected", expected, "what await loadExpected(MODEL) returns");
  checkOptionNames("showChecks", options, { most: true, missing: true });
  const { most = 5, missing = true } = options;
  if (!Object.hasOwn(expected.figures, figure)) {
    console.log(`No values of ${figure} are known for ${expected.model}: nothing to compare with.`);
    return;
  }
  const checks = compare(figure, rows, expected).filter((check) => missing || check.verdict !== "missing");
  if (checks.length > 0) await table(worst(checks, most), { digits: 6 });
  console.log(summary(figure, checks, expected));
  const others = checks.find(({ field, verdict }) => field === "n" && verdict === "differs");
  if (others) {
    console.log(
      `Expected is over n = ${others.expected}, measured over n = ${others.measured}: of other prompts other values ` +
        `are right.`,
    );
  }
}
