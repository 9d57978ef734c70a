/**
 * Whether clean-up occurs in a model, above all in its early heads; and what is otherwise than in the
 * post.
 */
import { above, estimate, listed, number, percent } from "../numbers_in_words.ts";
import type { Estimate } from "../rows.ts";
import { type Claim, claim } from "./claim.ts";
import type { Findings } from "./rows.ts";

/** Names that stand in a sentence. */
const NAMED = 6;

/** Of a whole model: outputs that are erased, and what becomes of the attribution of early heads. */
export function occurrence({ writers, count, threshold, early }: Findings, model: string): Claim[] {
  const claims: Claim[] = [], found = writers.filter((one) => one.found);
  const subject = { question: "occurrence" as const, model };
  const most =
    (found.length > 0 ? found : writers).toSorted((a, b) => b.specific.value - a.specific.value)[0];
  if (most) {
    const who = `${found.length} of ${writers.length} examined nodes (of ${count})`;
    const names = found.length > 0 && found.length <= NAMED
      ? `, ${listed(found.map(({ writer }) => writer))},`
      : "";
    const { writer: node, left: own, control, specific } = most;
    claims.push(claim(
      {
        ...subject,
        node,
        asked: "left of the most erased output",
        unit: "retention",
        refutedIf: "on other texts as little is left of the rotated outputs of these nodes",
        expected: "less",
      },
      { own, control, more: negative(specific) },
      {
        more:
          `Of none of ${writers.length} examined nodes (of ${count}) is less left than of its rotated output`,
        less:
          `The outputs of ${who}${names} are erased by ${threshold} or more beyond their control, surely by more than 0; of the most erased, ${node}, there is left`,
        "not shown":
          `That any of ${writers.length} examined nodes (of ${count}) is erased by ${threshold} or more beyond its control is not shown; of the nearest, ${node}, there is left`,
      },
      "of it rotated",
      found.length > 0 ? "less" : "not shown",
    ));
  }
  const all = early.find(({ node }) => node === "all");
  if (all) {
    const each = early.filter((row) => row !== all), names = each.map(({ node }) => node);
    const single = each.filter(({ beyond }) => above(beyond)).map(({ node }) => node);
    const layers = [...new Set(names.map(layerOf))];
    const where = names.length > 1 && layers.length === 1 ? `, all of layer ${layers[0]},` : "";
    const erased = found.map(({ writer }) => writer).filter((name) => names.includes(name));
    const which = erased.length > 0 && names.length > 1 ? ` (found above: ${listed(erased)})` : "";
    const heads = names.length === 1
      ? "the early head with the largest"
      : `the ${names.length} early heads with the largest${which}${where}`;
    const some = single.length > 0
      ? ` for all together; one by one, each at 95 %, it is of ${listed(single)}`
      : "";
    claims.push(claim(
      {
        ...subject,
        node: "all",
        asked: "early heads’ DLA that is taken back",
        unit: "share",
        refutedIf:
          "on other texts as much is taken back of the attribution of the same heads' rotated outputs",
      },
      { own: all.takenBack, control: all.control, more: all.beyond },
      {
        more: `Of the attribution of ${heads} more is taken back than of their rotated outputs'`,
        less: `Of the attribution of ${heads} less is taken back than of their rotated outputs'`,
        "not shown":
          `That of the attribution of ${heads} more is taken back than of their rotated outputs' is not shown${some}`,
      },
      "rotated",
    ));
  }
  return claims;
}

const negative = ({ value, interval: [low, high] }: Estimate): Estimate => ({
  value: -value,
  interval: [-high, -low],
});

/**
 * Where what was found is otherwise than in the post, one sentence each.
 *
 * @example
 * ```ts
 * import { knownFindings } from "./known.ts";
 * console.log(besideThePost(await knownFindings(), "SmolLM2-135M").join("\n"));
 * ```
 */
export function besideThePost({ writers, model: { layers } }: Findings, model: string): string[] {
  const found = writers.filter((one) => one.found), said: string[] = [];
  if (found.length === 0) return [`${model}: no writer is found, so nothing stands beside the post's.`];
  const [most] = found;
  const fall = 1 - most.left.value;
  // Where the rotated output does not fall at all, all of it is specific.
  const part = most.control.value < 1 ? percent(most.specific.value / fall) : "all";
  if (fall > 0) {
    const [left, control] = [most.left, most.control].map(({ value }) => number(value));
    said.push(
      `The post rotates nothing. In ${model} ${left} of what ${most.writer} writes is left at the end, ${control} ` +
        `of the same rotated: ${part} of the fall from 1 goes beyond that (specific erasure ` +
        `${estimate(most.specific)}).`,
    );
  }
  const third = Math.ceil(layers / 3);
  const early = found.filter(({ writer }) => layerOf(writer) >= 0 && layerOf(writer) < third);
  said.push(
    `The post's writer is in the first layer. In ${model} ${early.length} of ${found.length} found are in the ` +
      `first ${third} of ${layers} layers${
        early.length > 0 ? ` (${listed(early.map(({ writer }) => writer))})` : ""
      }.`,
  );
  const cleaners = found.flatMap((one) => one.cleaners), mlps = cleaners.filter((name) => /^MLP/.test(name));
  if (cleaners.length > 0) {
    said.push(
      `The post's cleaners are heads of one layer. In ${model} ${mlps.length} of ${cleaners.length} cleaners ` +
        `(writer by writer) are MLPs.`,
    );
  }
  return said;
}

/** Of embeddings −1. */
const layerOf = (node: string): number => Number(/^(?:L|MLP)(\d+)/.exec(node)?.[1] ?? -1);
