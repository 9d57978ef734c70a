/** A scan's result in a terminal: what was found in words, then a table of the writers. */
import type { ScanResult } from "../experiments/scan/scan.ts";
import { number } from "../experiments/numbers_in_words.ts";
import { inWords } from "../experiments/scan/words.ts";

/** Columns as wide as their widest cell; numbers to the right. */
export function columns(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const right = headings.map((_, i) => rows.every((row) => /^[-−–\d. %]*$/.test(row[i])));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ").trimEnd();
  return all.map(line).join("\n");
}

/** Words broken at spaces into lines of at most `width` characters. */
export function wrap(text: string, width: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (lines[last] !== "" && lines[last].length + 1 + word.length > width) lines.push(word);
    else lines[last] += (lines[last] === "" ? "" : " ") + word;
  }
  return lines.join("\n");
}

export function scanText(result: ScanResult, width = 100): string {
  const parts = inWords(result).map((paragraph) => wrap(paragraph, width));
  if (result.writers.length > 0) {
    const rows = result.writers.map((w) => [
      w.writer,
      `${number(100 * w.share, 1)} %`,
      number(w.left.value),
      number(w.control.value),
      number(w.specific.value),
      w.notFound ?? (w.cleaners.map((c) => c.node).join(", ") || "many, a little each"),
    ]);
    const headings = [
      "writer",
      "of the stream",
      "left",
      "control",
      "specific",
      "erased by, or why it does not count",
    ];
    parts.push(columns(headings, rows));
  }
  parts.push(`${result.passedOver.length} other nodes were not examined; the report says why.`);
  return parts.join("\n\n");
}
