/**
 * The sum check: DLA of all nodes and biases adds up to the model's logit difference, or the attribution is
 * not of this model.
 */
import { attributionTerms } from "../../metrics/attribution.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { modelNodes } from "../../transformer/nodes.ts";
import type { Question } from "./question.ts";
import type { SumRow, TermRow } from "./rows.ts";

/**
 * @throws when Σ DLA is not the logit difference, up to float32's rounding of so large terms. NaN is not
 * either
 */
export function checkSum(terms: ArrayLike<number>, logitDifference: number, where: string): number {
  let sum = 0, gross = 0;
  for (let i = 0; i < terms.length; i++) {
    sum += terms[i];
    gross += Math.abs(terms[i]);
  }
  const error = Math.abs(sum - logitDifference);
  if (error <= 1e-3 + 1e-4 * gross) return error;
  throw new Error(
    `checkAttribution: ${where}: DLA of all nodes and biases adds up to ${
      sum.toPrecision(6)
    }; expected the ` +
      `logit difference, ${
        logitDifference.toPrecision(6)
      }. The parts that DLA credits are not those of this model`,
  );
}

/** DLA of every node and bias where the question looks, and their sum beside the logit difference. */
export async function attributions(
  model: Model,
  { prompts, look, feeds }: Question,
  options: RunOptions,
): Promise<{ terms: TermRow[]; sum: SumRow }> {
  const clean = model.forward();
  const [first, second] = [model.tokens("first"), model.tokens("second")];
  const { names, values } = attributionTerms(clean, first, second);
  const logits = clean.linearLogits; // before a soft cap: what the terms add up to
  const difference = logits.pick("d_vocab", first).sub(logits.pick("d_vocab", second));
  const last = prompts.length - 1;
  const outputs = look === "last"
    ? { terms: values.slice("pos", last, last + 1), difference: difference.slice("pos", last, last + 1) }
    : { terms: values, difference };
  const [sums, squares] = [new Float64Array(names.length), new Float64Array(names.length)];
  let tokens = 0, total = 0, largestError = 0;
  for await (const { start, results: { terms, difference } } of stream(outputs, feeds, options)) {
    const width = look === "last" ? 1 : prompts.length;
    for (let t = 0; t < difference.data.length; t++) {
      if (look === "rest" && t % width === 0) continue; // position 0
      const row = terms.data.subarray(t * names.length, (t + 1) * names.length);
      const where = `prompt ${start + Math.floor(t / width)}, position ${look === "last" ? last : t % width}`;
      largestError = Math.max(largestError, checkSum(row, difference.data[t], where));
      row.forEach((dla: number, i: number) => {
        sums[i] += dla;
        squares[i] += dla * dla;
      });
      total += difference.data[t];
      tokens++;
    }
  }
  const rows = names.map((name, i) => ({
    name,
    mean: sums[i] / tokens,
    size: Math.sqrt(squares[i] / tokens),
  }));
  const nodeNames = new Set(modelNodes(model.config).map((node) => node.name));
  const part = (isNode: boolean) =>
    rows.filter(({ name }) => nodeNames.has(name) === isNode).reduce((sum, { mean }) => sum + mean, 0);
  const [nodes, biases] = [part(true), part(false)];
  return {
    terms: rows,
    sum: { nodes, biases, sum: nodes + biases, logitDifference: total / tokens, largestError },
  };
}
