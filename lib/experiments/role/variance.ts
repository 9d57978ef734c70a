/**
 * What does a node's output depend on? The share of its variance over tokens that position, token, previous
 * token and prompt explain: each alone, and what is lost without it beside the others (type II sums of
 * squares). Labels of many values explain something by chance: the same is done with shuffled labels.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { Random } from "../../stats/random.ts";
import { explained, type Labels } from "../../stats/variance_shares.ts";
import { spanTensor } from "../../metrics/span.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { outputSpans } from "../output_span.ts";
import { inParts } from "../part_progress.ts";
import type { Estimate } from "../rows.ts";
import type { Factor, VarianceRow } from "./rows.ts";

const FACTORS: readonly Factor[] = ["position", "token", "previous", "prompt"];
/** Directions that hold this part of the output's energy are looked at. */
const ENERGY = 0.99;
/** Groups of prompts for the jackknife. */
const GROUPS = 10;

/** Labels of the tokens at positions 1 and later, in order. */
function labelsOf({ tokens, count, length }: Prompts): Record<Factor, Labels> {
  const each = (label: (prompt: number, pos: number) => number) => {
    const labels = new Int32Array(count * (length - 1));
    for (let i = 0; i < labels.length; i++) {
      labels[i] = label(Math.floor(i / (length - 1)), 1 + i % (length - 1));
    }
    return labels;
  };
  return {
    position: each((_, pos) => pos),
    token: each((prompt, pos) => tokens[prompt * length + pos]),
    previous: each((prompt, pos) => tokens[prompt * length + pos - 1]),
    prompt: each((prompt) => prompt),
  };
}

/** Shares from some of the tokens: all together, and by factor alone and last. */
interface Shares {
  all: number;
  alone: number[];
  last: number[];
}

function sharesOf(y: Float32Array, width: number, labels: readonly Labels[]): Shares {
  const all = explained(y, width, labels);
  return {
    all,
    alone: labels.map((own) => explained(y, width, [own])),
    last: labels.map((own) => all - explained(y, width, labels.filter((other) => other !== own))),
  };
}

/** One factor's labels shuffled over the tokens, the others as they are: alone, and last. */
function shuffledShares(y: Float32Array, width: number, labels: readonly Labels[], seed: number) {
  const random = new Random(seed);
  return labels.map((own) => {
    const order = random.permutation(own.length);
    const shuffled = own.map((_, i) => own[order[i]]);
    const others = labels.filter((other) => other !== own);
    return {
      alone: explained(y, width, [shuffled]),
      last: explained(y, width, [...others, shuffled]) - explained(y, width, others),
    };
  });
}

/**
 * A share by the jackknife: without each group of prompts in turn; ±1.96 standard errors, as far as a share
 * can be (0 to 1): with few tokens of a kind each, the error is larger than that.
 */
export function jackknife(whole: number, without: readonly number[]): Estimate {
  const n = without.length;
  const mean = without.reduce((a, b) => a + b, 0) / n;
  const error = Math.sqrt((n - 1) / n * without.reduce((sum, x) => sum + (x - mean) ** 2, 0));
  return { value: whole, interval: [Math.max(0, whole - 1.96 * error), Math.min(1, whole + 1.96 * error)] };
}

/** @returns rows by factor, all together last, and the part of the output's energy that is looked at */
export async function varianceRows(
  model: Model,
  prompts: Prompts,
  writer: string,
  seed: number,
  options: RunOptions,
): Promise<{ rows: VarianceRow[]; directions: number }> {
  const part = inParts(options, 2);
  const [span] = await outputSpans(model, prompts, [writer], { energy: ENERGY }, part(0));
  const S = spanTensor([span.directions], span.k, model.config.d_model).select("span", 0);
  const w = model.forward().node(writer).slice("pos", 1, prompts.length).dot(S, "d_model");
  const { y } = await run({ y: w }, feed(prompts, model.config), part(1));
  const values = y.data as Float32Array, labels = Object.values(labelsOf(prompts));
  const whole = sharesOf(values, span.k, labels);
  const shuffled = shuffledShares(values, span.k, labels, seed);
  const groups = Math.min(GROUPS, prompts.count);
  const without = Array.from({ length: groups }, (_, group) => {
    const kept = [...labels[3].keys()].filter((i) => labels[3][i] % groups !== group);
    const part = new Float32Array(kept.length * span.k);
    kept.forEach((from, to) => part.set(values.subarray(from * span.k, (from + 1) * span.k), to * span.k));
    return sharesOf(part, span.k, labels.map((own) => Int32Array.from(kept, (i) => own[i])));
  });
  const of = (pick: (shares: Shares) => number) => jackknife(pick(whole), without.map(pick));
  const rows = FACTORS.map((factor, i): VarianceRow => ({
    factor,
    alone: of(({ alone }) => alone[i]),
    last: of(({ last }) => last[i]),
    shuffledAlone: shuffled[i].alone,
    shuffledLast: shuffled[i].last,
  }));
  const all = of((shares) => shares.all);
  const chance = shuffled.reduce((sum, { last }) => sum + last, 0);
  rows.push({ factor: "all", alone: all, last: all, shuffledAlone: chance, shuffledLast: chance });
  return { rows, directions: span.k };
}
