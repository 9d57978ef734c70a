/** Checks on what an experiment tells of its progress. */
import { assert, assertEquals } from "@std/assert";

/** Parts of the whole, told in several steps: they never fall, and the last is all. */
export function assertRises(told: readonly number[]): void {
  assert(told.length > 3, `${told.length} steps`);
  told.forEach((part, i) => assert(part > 0 && (i === 0 || part >= told[i - 1] - 1e-9), told.join(" ")));
  assertEquals(told.at(-1), 1);
}
