/**
 * What a census says of a model, in sentences. Each is printed on the condition that makes it true: the
 * intervals decide, and where they hold 0 the sentence says that nothing is known.
 */
import type { Estimate } from "../rows.ts";
import { foundWriters } from "../scan/scan.ts";
import { above, below, estimate, listed, number, percent } from "../numbers_in_words.ts";
import type { CensusResult } from "./census.ts";
import type { ContractionRow, EarlyRow, SelfRepairRow } from "./rows.ts";

/** Names that stand in a sentence; the tables have them all. */
const NAMED = 5;

const shares = ({ value, interval: [low, high] }: Estimate) =>
  `${percent(value)} (${percent(low)} to ${percent(high)})`;
const some = (names: readonly string[]) =>
  names.length > NAMED
    ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more`
    : listed(names);

/**
 * All paragraphs on one model.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { census } from "./census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(censusInWords(result).join("\n"));
 * ```
 */
export function censusInWords(result: CensusResult): string[] {
  return [
    contractionInWords(result.contraction),
    cosinesInWords(result),
    writersInWords(result),
    earlyInWords(result.early),
    selfRepairInWords(result.selfRepair),
    firstInWords(result),
  ].filter((text) => text !== "");
}

const nameOf = ({ kind, layer, node }: ContractionRow) =>
  kind === "head" ? `the heads of layer ${layer}` : node;

/** What is left of anything, early and late, and whether the model's own outputs fare otherwise. */
export function contractionInWords(rows: readonly ContractionRow[]): string {
  const heads = rows.filter(({ kind, wide }) => kind === "head" && !wide);
  if (heads.length === 0) {
    return "Nothing can be said of what is left of random vectors: what their absence changes elsewhere is larger than they are.";
  }
  const [first, middle] = [heads[0], heads[heads.length >> 1]];
  const at = ({ layer, random }: ContractionRow) => `${estimate(random)} of one written in layer ${layer}`;
  const depth = heads.length > 1 ? `${at(first)}, ${at(middle)}` : at(first);
  const apart = rows.filter(({ wide }) => !wide);
  const kept = apart.filter(({ own, random }) => own.interval[0] > random.interval[1]).map(nameOf);
  const lost = apart.filter(({ own, random }) => own.interval[1] < random.interval[0]).map(nameOf);
  const other = [
    ...kept.length > 0 ? [`more is left of what ${some(kept)} write`] : [],
    ...lost.length > 0 ? [`less of what ${some(lost)} write`] : [],
  ];
  const own = other.length > 0
    ? `Beside their rotated outputs, ${listed(other)}.`
    : "Of no layer's own outputs is surely more or less left than of the same rotated.";
  return `Contraction: of a random vector there is left at the end of the stream ${depth}. ${own}`;
}

/** Which sublayers write against the stream. */
export function cosinesInWords({ cosines }: Pick<CensusResult, "cosines">): string {
  const name = ({ sublayer, layer }: CensusResult["cosines"][number]) =>
    sublayer === "mlp" ? `MLP${layer}` : `attention ${layer}`;
  const against = cosines.filter(({ cosine }) => below(cosine));
  const along = cosines.filter(({ cosine }) => above(cosine));
  const more = against.filter(({ beyond }) => below(beyond)).map(name);
  const start =
    `Cosine with the stream: ${against.length} of ${cosines.length} sublayers write against it in the mean` +
    `${against.length > 0 ? ` (${some(against.map(name))})` : ""}, ${along.length} along it.`;
  if (against.length === 0) return start;
  if (more.length === 0) {
    return `${start} None is shown to be opposed more than what it adds on another text, so nothing shows that it ` +
      `answers to what the stream says.`;
  }
  return `${start} Beyond what they add on another text: ${some(more)}.`;
}

/** Who writes what is specifically erased. */
export function writersInWords({ writers, screened, settings }: CensusResult): string {
  const found = foundWriters({ writers });
  const examined = `of ${screened.length} nodes, ${writers.length} examined`;
  if (found.length === 0) {
    return `Writers: none whose output is surely erased by ${settings.specific} or more beyond its control (${examined}).`;
  }
  const largest = found.reduce((a, b) => b.specific.value > a.specific.value ? b : a);
  return `Writers: ${found.length} (${examined}) ${found.length === 1 ? "is" : "are"} specifically erased: ` +
    `${some(found.map(({ writer }) => writer))}. The most: ${largest.writer}, ${
      estimate(largest.specific)
    } of its output.`;
}

/** Whether DLA of early heads is taken back beyond any such vector's. */
export function earlyInWords(rows: readonly EarlyRow[]): string {
  const all = rows.find(({ node }) => node === "all");
  if (!all) return "";
  const own = rows.filter((row) => row !== all && above(row.beyond)).map(({ node }) => node);
  const beside =
    `Early heads: of the DLA of ${rows.length - 1}, ${
      shares(all.takenBack)
    } is taken back by later nodes, of that of the ` +
    `same outputs rotated ${shares(all.control)}.`;
  const verdict = above(all.beyond)
    ? `That is surely more: ${shares(all.beyond)}.`
    : below(all.beyond)
    ? "That is surely less."
    : "The difference is not sure.";
  return `${beside} ${verdict}${own.length > 0 ? ` Head by head it is surely more of ${some(own)}.` : ""}`;
}

/**
 * Whether the model makes up for what a node no longer writes, beyond what it makes up for of any
 * exchanged vector.
 */
export function selfRepairInWords(rows: readonly SelfRepairRow[]): string {
  const all = rows.find(({ node }) => node === "all");
  if (!all) return "";
  const { total, heads, mlps, norm } = all.share;
  const own = rows.filter((row) => row !== all && above(row.beyond)).map(({ node }) => node);
  const parts = `heads ${percent(heads)}, MLPs ${percent(mlps)}, final norm and rest ${percent(norm)}`;
  const beside =
    `Self-repair: of the exchanged direct effect of ${rows.length - 1} nodes ${
      shares(total)
    } is made up for (${parts}), ` +
    `of the same rotated ${shares(all.control)}.`;
  const verdict = above(all.beyond)
    ? `So ${shares(all.beyond)} goes beyond what happens to any such vector.`
    : below(all.beyond)
    ? "So less is made up for than of any such vector: it is no answer to what these nodes say."
    : "So none is shown beyond what happens to any such vector.";
  return `${beside} ${verdict}${own.length > 0 ? ` Node by node it is surely beyond in ${some(own)}.` : ""}`;
}

/** Position 0. */
function firstInWords({ sink }: CensusResult): string {
  if (!sink) return "";
  return `Position 0: at ${sink.location} the stream is ${
    number(sink.times, 0)
  } times as long there as elsewhere, an attention sink that ` +
    `${sink.writer} writes.`;
}

/**
 * How often clean-up occurs among several models.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { census } from "./census.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const options = { settings: { examine: 1, rotations: 2 }, early: 1, repair: 1 };
 * const result = await census(model, prompts, options);
 * console.log(modelsInWords([result])); // of one model or several
 * ```
 */
export function modelsInWords(results: readonly CensusResult[]): string {
  const some = results.filter((result) => foundWriters(result).length > 0);
  const early = results.filter(({ early }) =>
    early.some(({ node, beyond }) => node === "all" && above(beyond))
  );
  const repair = results.filter(({ selfRepair }) =>
    selfRepair.some(({ node, beyond }) => node === "all" && above(beyond))
  );
  const of = (count: number) => `${count} of ${results.length} ${results.length === 1 ? "model" : "models"}`;
  return `Writers whose output is specifically erased occur in ${
    of(some.length)
  }. DLA of early heads is taken back beyond the control's in ` +
    `${of(early.length)}. Self-repair goes beyond the control's in ${of(repair.length)}.`;
}
