/**
 * Where two JSON values differ: structure and text exactly, numbers within a tolerance. Says which file, row
 * and key, and names a row by its text fields, such as `rows[3] {node: "L2H2", run: "clean"} median: got 0.1,
 * expected 0.2`.
 */

/** Numbers agree when they differ by at most this, absolutely or as a share of the expected one. */
export const TOLERANCE = 2e-3;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The text fields of a row, which tell it from the others. */
function identity(value: Json): string {
  if (!isObject(value)) return "";
  const texts = Object.entries(value).filter(([, field]) => typeof field === "string");
  return texts.length ? ` {${texts.map(([key, text]) => `${key}: ${JSON.stringify(text)}`).join(", ")}}` : "";
}

const shown = (value: Json | undefined) => JSON.stringify(value)?.slice(0, 60) ?? "nothing";

/** All differences, each one line that begins with `path`. */
export function differences(actual: Json, expected: Json, path: string): string[] {
  if (typeof actual === "number" && typeof expected === "number") {
    const off = Math.abs(actual - expected);
    if (off <= TOLERANCE * Math.max(1, Math.abs(expected))) return [];
    return [`${path}: got ${actual}, expected ${expected} ± ${TOLERANCE * Math.max(1, Math.abs(expected))}`];
  }
  if (Array.isArray(actual) && Array.isArray(expected)) {
    if (actual.length !== expected.length) {
      return [`${path}: got ${actual.length} entries, expected ${expected.length}`];
    }
    return expected.flatMap((value, i) => differences(actual[i], value, `${path}[${i}]${identity(value)}`));
  }
  if (isObject(actual) && isObject(expected)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(actual)])];
    return keys.flatMap((key) => {
      if (!(key in actual)) return [`${path} ${key}: missing, expected ${shown(expected[key])}`];
      if (!(key in expected)) return [`${path} ${key}: got ${shown(actual[key])}, which is not expected`];
      return differences(actual[key], expected[key], `${path} ${key}`);
    });
  }
  if (actual === expected) return [];
  return [`${path}: got ${shown(actual)}, expected ${shown(expected)}`];
}
