/** A scan's result in a terminal: what was found in words, then a table of the writers and one of their cleaners. */
import type { ScanResult } from "../experiments/scan/scan.ts";
import { inWords } from "../experiments/scan/words.ts";

const digits = (x: number | undefined) => x === undefined || !Number.isFinite(x) ? "–" : x.toFixed(2);

/** Columns as wide as their widest cell; numbers to the right. */
export function columns(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const right = headings.map((_, i) => rows.every((row) => /^[-–\d.]*$/.test(row[i])));
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
    const rows = result.writers.map(({ candidate: c, verdict: v, causal }) => [
      c.name,
      digits(c.present),
      digits(c.drop),
      digits(v.groupRatio),
      digits(v.sharedAcrossPrompts),
      digits(causal?.patched.frozen.undone),
      digits(causal?.patched.control.undone),
      v.notFound ?? v.cleaners.map((n) => `${n.node} ${digits(n.ratio)}`).join(", "),
    ]);
    parts.push(columns(
      [
        "writer",
        "present",
        "drop",
        "erased",
        "shared",
        "undone",
        "control",
        "cleaners, or why it does not count",
      ],
      rows,
    ));
  }
  parts.push(
    `${result.passedOver.length} other nodes were passed over after the first half of the prompts.`,
  );
  return parts.join("\n\n");
}
