/** Rows with numbers in the place of estimates, for tables and for comparison with expected values. */
import type { Estimate } from "./rows.ts";

const isEstimate = (value: unknown): value is Estimate =>
  typeof value === "object" && value !== null && "value" in value && "interval" in value;

/** Each row with the value of every estimate in its place; the intervals are left out. */
export function valuesOf(rows: readonly object[]): Record<string, unknown>[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, isEstimate(value) ? value.value : value]),
    )
  );
}
