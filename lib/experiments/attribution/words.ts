/**
 * What a check of an attribution says, in words. Every sentence stands on a condition that makes it true.
 * Over prompts a conclusion needs its whole interval; at a single position an amount is a fact about that
 * position, and only the comparison with the control is uncertain.
 */
import { listed } from "../numbers_in_words.ts";
import type { AttributionCheck } from "./check_attribution.ts";
import type { AttributionRow, Credit, StepRow } from "./rows.ts";

/** Shares of a node's DLA. */
const HARDLY = 0.1, HALF = 0.5, ABOUT = 0.25;
/** A DLA below this many logits is not worth a share. */
const SMALL_LOGITS = 0.05;
/** So many later nodes are named at most. */
const MOST_NAMED = 3;

const percent = (share: number) => `${Math.round(100 * share)} %`;
const logits = (x: number) => `${x.toFixed(2)} logits`.replace("-", "−");
const range = (interval: Credit["interval"], sign = 1) => {
  if (!interval) return "";
  const ends = interval.map((end) => percent(sign * end));
  return `; 95 %: ${(sign < 0 ? ends.reverse() : ends).join(" to ")}`.replaceAll("-", "−");
};
const between = (interval: Credit["interval"]) =>
  interval ? ` (95 %: ${interval.map(percent).join(" to ")})` : "";
const within = ({ share, interval }: Pick<Credit, "share" | "interval">, low: number, high: number) => {
  const [a, b] = interval ?? [share, share];
  return a >= low && b <= high;
};

/**
 * One paragraph on the whole, then one for each node.
 *
 * @example
 * ```ts
 * import { loadModel } from "../../transformer/load.ts";
 * import { checkAttribution } from "./check_attribution.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const options = { nodes: ["L1H5"], rotations: 4, samples: 0 };
 * const check = await checkAttribution(model, "I like tea and", options);
 * console.log(attributionInWords(check).join("\n"));
 * ```
 */
export function attributionInWords(check: AttributionCheck): string[] {
  return [opening(check), ...check.rows.map((row) => aboutNode(row, check))];
}

function opening({ answers, rows, sum }: AttributionCheck): string {
  const parts: string[] = [];
  if (answers) {
    const [a, b] = answers.map(({ token }) => JSON.stringify(token));
    parts.push(`${a} against ${b}: the model's logit difference is ${sum.logitDifference.toFixed(2)}.`);
  } else parts.push(`The logit difference is ${sum.logitDifference.toFixed(2)} in the mean.`);
  parts.push(
    `DLA of all nodes (${sum.nodes.toFixed(2)}) and biases (${sum.biases.toFixed(2)}) adds up to it.`,
  );
  const judged = rows.filter((row) => !tooSmall(row));
  const less = judged.filter(({ effect }) => within(effect, -Infinity, HALF)).map(({ node }) => node);
  if (less.length > 0) parts.push(`Removal shows less than half of what DLA says for ${listed(less)}.`);
  const own = judged.filter(({ specific }) => specific && specific.interval[0] > 0).map(({ node }) => node);
  if (own.length > 0) parts.push(`More than of a rotated output is taken back of ${listed(own)}.`);
  return parts.join(" ").replaceAll("-", "−");
}

const tooSmall = ({ dla }: AttributionRow) => !(Math.abs(dla) >= SMALL_LOGITS);

export function aboutNode(row: AttributionRow, check: AttributionCheck): string {
  const { node, dla, controlDla } = row;
  const single = row.n === 1;
  const credited = `${node}: DLA credits ${logits(dla)}${
    single ? "" : " (root mean square over positions)"
  }.`;
  if (tooSmall(row)) return `${credited} That is too little to say what becomes of it.`;
  const parts = [credited];
  if (controlDla !== undefined && Math.abs(dla) <= controlDla) {
    parts.push(`A vector of this length in a random direction has as much (± ${controlDla.toFixed(2)}).`);
  }
  const steps = check.steps.filter((step) => step.node === node);
  parts.push(takenBack(row, steps));
  if (steps.length > 0) parts.push(besideControl(row));
  parts.push(effect(row, check), resampled(row));
  return parts.filter(Boolean).join(" ");
}

function takenBack({ node, takenBack: all }: AttributionRow, steps: readonly StepRow[]): string {
  if (steps.length === 0) return `No later node reads what ${node} writes: nothing can take it back.`;
  const { share } = all, amount = `${percent(Math.abs(share))}${range(all.interval, share < 0 ? -1 : 1)}`;
  const by = () => above(steps, share);
  if (within(all, -Infinity, -1 - HARDLY / 2)) {
    return `Later nodes take back more than all of it (${amount})${by()}.`;
  }
  if (within(all, -1 - HARDLY / 2, -1 + HARDLY / 2)) {
    return `Later nodes take all of it back (${amount})${by()}.`;
  }
  if (within(all, -Infinity, -HALF)) {
    const most = share <= -1 ? "as much of it back as there is, or nearly" : "most of it back";
    return `Later nodes take ${most} (${amount})${by()}.`;
  }
  if (within(all, -Infinity, -HARDLY)) return `Later nodes take part of it back (${amount})${by()}.`;
  if (within(all, -HARDLY, HARDLY)) {
    return `In sum later nodes take hardly anything back and add hardly anything.`;
  }
  if (within(all, -Infinity, 0)) return `Later nodes take some of it back (${amount})${by()}.`;
  if (within(all, 0, Infinity)) return `Later nodes do not take it back, they add to it (${amount}).`;
  const says = share < 0 ? "take some of it back" : "add to it";
  return `Whether later nodes ${says} is not sure (${amount}).`;
}

/** The few nodes that take back at least half of what is taken back, where there are so few. */
function above(steps: readonly StepRow[], share: number): string {
  const takers = steps.filter((step) => step.share < 0).sort((a, b) => a.share - b.share);
  const named: string[] = [];
  let sum = 0;
  for (const { by, share: step } of takers) {
    if (sum <= HALF * share) break;
    sum += step;
    named.push(by);
  }
  return named.length <= MOST_NAMED ? `, above all ${listed(named)}` : "; no few of them do most of it";
}

function besideControl({ node, n, takenBack, specific }: AttributionRow): string {
  if (!specific || takenBack.control === undefined) return "";
  const control = percent(-takenBack.control).replace("-", "−");
  const [low, high] = specific.interval;
  if (low > 0) {
    return `Of its rotated output ${control} is: so it matters what ${node} writes, not only that it writes.`;
  }
  if (high < 0) return `Of its rotated output ${control} is: what ${node} writes is spared.`;
  if (n > 1) {
    return `Of its rotated output ${control} is, which is not surely another share: it may happen to any vector.`;
  }
  const [a, b] = takenBack.controlInterval!.map((end) => percent(-end).replace("-", "−"));
  return `Of its rotated output ${control} is, of single draws with this DLA ${b} to ${a}: ` +
    `so at this one position it may happen to any vector of its length.`;
}

function effect({ dla, effect: e, n }: AttributionRow, { answers, sum }: AttributionCheck): string {
  const control = e.control === undefined ? "" : `, of its rotated output's ${percent(e.control)}`;
  const size = Math.abs(e.logits).toFixed(2), moves = e.logits < 0 ? "rises" : "falls";
  const says = n > 1
    ? `Of what DLA says ${percent(e.share)} is lost without it${between(e.interval)}${control}`
    : size === "0.00"
    ? `Without it the logit difference stays as it is`
    : `Without it the logit difference ${moves} by ${size} (${percent(e.share)} of the DLA${control})`;
  const flips = answers && sum.logitDifference > 0 && sum.logitDifference < e.logits;
  const end = flips ? ". The other answer wins then." : ".";
  return (says + verdict(e, dla) + end).replaceAll("-", "−");
}

function verdict(e: Credit, dla: number): string {
  if (within(e, -Infinity, -HARDLY)) return ": DLA has the wrong sign";
  if (within(e, -HARDLY, HARDLY)) return ": DLA says what does not happen";
  if (within(e, -Infinity, HALF)) return `: less than half of what DLA ${dla < 0 ? "says" : "credits"}`;
  if (within(e, 1 - ABOUT, 1 + ABOUT)) return ": about what DLA says";
  return within(e, 1 + ABOUT, Infinity) ? ": more than DLA says" : "";
}

function resampled({ n, resampled: r }: AttributionRow): string {
  if (!r) return "";
  const place = `With ${n === 1 ? "other texts' outputs" : "the next prompt's output"} in its place`;
  const kept = `${percent(r.keptShare)} of the DLA`;
  const size = Math.abs(r.effect).toFixed(2);
  const moved = n > 1
    ? `${percent(r.share)} of it is lost${between(r.interval)}`
    : size === "0.00"
    ? "the logit difference stays as it is"
    : `the logit difference ${r.effect < 0 ? "rises" : "falls"} by ${size} in the mean`;
  const stays = Math.abs(r.keptShare - 1) <= ABOUT;
  const about = n === 1 ? "it is not about this text" : "it is not about the prompt";
  const says = stays
    ? `${kept} is there all the same, so ${about}`
    : Math.abs(r.keptShare) <= ABOUT
    ? `the DLA is gone (${kept} is there)`
    : `${kept} is there`;
  return `${place} ${says}; ${moved}.`.replaceAll("-", "−");
}
