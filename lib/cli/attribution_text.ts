/** A check of an attribution in a terminal: a table of the nodes, then what it says in words. */
import type { AttributionCheck } from "../experiments/attribution/check_attribution.ts";
import { attributionInWords } from "../experiments/attribution/words.ts";
import { columns, wrap } from "./scan_text.ts";

const digits = (x: number | undefined) => x === undefined || !Number.isFinite(x) ? "–" : x.toFixed(2);
const percent = (x: number | undefined) =>
  x === undefined || !Number.isFinite(x) ? "–" : (100 * x).toFixed(0);

/** The nodes with the largest steps on what is left of a node's DLA, each with its sign. */
function largestSteps({ steps }: AttributionCheck, node: string, most = 3): string {
  return steps.filter((step) => step.node === node && Math.abs(step.share) >= 0.05)
    .sort((a, b) => Math.abs(b.logits) - Math.abs(a.logits)).slice(0, most)
    .map(({ by, logits }) => `${by} ${logits > 0 ? "+" : ""}${logits.toFixed(2)}`).join(", ");
}

export function attributionText(check: AttributionCheck, width = 100): string {
  const table = columns(
    [
      "node",
      "DLA",
      "left",
      "effect",
      "resampled",
      "left %",
      "control %",
      "effect %",
      "control %",
      "largest later steps",
    ],
    check.rows.map((row) => [
      row.node,
      digits(row.dla),
      digits(row.left.logits),
      digits(row.effect.logits),
      digits(row.resampled?.effect),
      percent(row.left.share),
      percent(row.left.control),
      percent(row.effect.share),
      percent(row.effect.control),
      largestSteps(check, row.node),
    ]),
  );
  const assumed = Object.entries(check.assumptions).map(([name, text]) => wrap(`${name}: ${text}`, width));
  const words = attributionInWords(check).map((paragraph) => wrap(paragraph, width));
  return [
    table,
    wrap(
      "In logits; % of the node's DLA. Control: the node's own output, rotated. Effect: fall of the logit difference without the node.",
      width,
    ),
    ...words,
    assumed.join("\n"),
  ].join("\n\n");
}
