/**
 * What the rows of cleaners in detail say, in sentences. Each is printed on the condition that makes it
 * true: intervals decide, and where they hold 0 the sentence says that nothing is known.
 */
import { above, below, estimate, listed, number, percent } from "../numbers_in_words.ts";
import type { CleanersResult } from "./cleaners.ts";
import type { DirectionRow, LensRow, NeuronRow, PartsRow, SuppressionRow } from "./rows.ts";

/** Below this part of what was said little of it is left; above it what has become of it is not silent. */
const ERASED = 0.5;

/**
 * One paragraph for each question.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { cleanersInDetail } from "./cleaners.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * console.log(cleanersInDetailInWords(result).join("\n"));
 * ```
 */
export function cleanersInDetailInWords(result: CleanersResult): string[] {
  return [
    ...result.cleaners.map((row) => partsInWords(row, [...result.neurons, ...result.directions])),
    suppressionInWords(result.suppression),
    lensInWords(result.lens),
  ].filter((text) => text !== "");
}

/** How many parts of one cleaner do it, which is first, and whether weights alone would have told. */
export function partsInWords(row: PartsRow, parts: readonly (NeuronRow | DirectionRow)[]): string {
  const { node, kind, specific, response, control, parts: count, half, weakening, ofWeakening } = row;
  const beside = `${node} writes back ${number(-response.value)} of the output, of the same rotated ${
    number(-control.value)
  }`;
  if (half === undefined) return `${beside}: not surely more, so nothing is said of its parts.`;
  const part = kind === "mlp" ? "neuron" : "singular direction";
  const first = parts.find((one) => one.node === node);
  const name = first && ("neuron" in first ? first.neuron : first.direction);
  const most = first?.share !== undefined
    ? ` The first, ${part} ${name}, makes up ${percent(first.share)} (cosine of what it reads and writes ${
      number(first.cosine)
    }).`
    : "";
  const words = `${beside}. Half of what goes beyond that (${
    estimate(specific)
  }) is made up by ${half} of its ${count} ${part}s.${most}`;
  if (weakening === 0) return `${words} None has a cosine below −0.4.`;
  const theirs = ofWeakening.specific;
  const verdict = above(theirs)
    ? `take back ${estimate(theirs)} beyond the control`
    : below(theirs)
    ? "take back surely less than of the control"
    : "do not surely take back more than of the control";
  return `${words} The ${weakening} with a cosine below −0.4 ${verdict}.`;
}

/** Which cleaners erase a direction, and which suppress what is predicted. */
export function suppressionInWords(rows: readonly SuppressionRow[]): string {
  if (rows.length === 0) return "";
  const suppress = rows.filter(({ beyond, opposed }) => above(beyond) && above(opposed));
  const names = suppress.map(({ node, beyond }) => `${node} (${percent(beyond.value)} beyond the control)`);
  const others = rows.filter((row) => !suppress.includes(row)).map(({ node }) => node);
  const opposed = "what the other earlier nodes predict";
  if (suppress.length === 0) {
    return `None of ${
      listed(others)
    } is shown to oppose ${opposed}, and that more than on another text: that any suppresses predictions is not shown.`;
  }
  const verb = suppress.length === 1 ? "opposes" : "oppose";
  const rest = others.length === 0 ? "" : ` Of ${listed(others)} that is not shown.`;
  return `${listed(names)} ${verb} ${opposed}: that suppresses predictions, whoever made them.${rest}`;
}

/** What has become of what the writer said. */
export function lensInWords(rows: readonly LensRow[]): string {
  const end = (run: LensRow["run"]) => rows.findLast((row) => row.run === run);
  const own = end("writer"), control = end("control");
  if (!own || !Number.isFinite(own.logits.value)) return "";
  const beside = control
    ? ` (of the same rotated ${number(control.stream.value)}, ${number(control.logits.value)}, ${
      number(control.size.value)
    })`
    : "";
  const words = `At the end ${number(own.stream.value)} of the output is left along itself in the stream, ` +
    `${number(own.logits.value)} of what it said, and what has become of it says ${
      number(own.size.value)
    } times as much` +
    `${beside}.`;
  const [, high] = own.logits.interval;
  const gone = high < ERASED, loud = own.size.interval[0] > ERASED;
  const taken = control !== undefined && high < control.logits.interval[0];
  if (gone && loud) {
    const what = taken
      ? "what it said is taken away"
      : "little of what it said is left, though not surely less than of any such vector";
    const also = control !== undefined && control.size.interval[0] > ERASED
      ? ", as does what becomes of any such vector"
      : "";
    return `${words} So ${what}. But its place is not empty: what it has become says something else${also}.`;
  }
  if (gone) return `${words} So little of it is left to be read by the unembedding.`;
  return words;
}
