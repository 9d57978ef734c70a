/** A census in a terminal: the table of the models, then each in words. */
import type { CensusResult } from "../experiments/census/census.ts";
import { censusInWords, modelsInWords } from "../experiments/census/words.ts";
import { modelColumns, shortName } from "./census_page.ts";
import { columns, wrap } from "./scan_text.ts";

export function censusText(results: readonly CensusResult[], width = 100): string {
  const rows = results.map((result) => modelColumns(result));
  const table = columns(rows[0].map(([heading]) => heading), rows.map((row) => row.map(([, cell]) => cell)));
  const each = results.flatMap((result) => [
    ...results.length > 1 ? [`${shortName(result)}:`] : [],
    ...censusInWords(result).map((paragraph) => wrap(paragraph, width)),
  ]);
  return [table, wrap(modelsInWords(results), width), ...each].join("\n\n");
}
