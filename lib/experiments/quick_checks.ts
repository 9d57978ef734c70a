/**
 * Checks that take seconds and catch a wrong loader, a wrong weight processing or a wrong tokenizer before a
 * figure is measured: token ids, single neurons of the processed weights, and the length of the residual
 * stream.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { quantiles } from "../stats/quantiles.ts";
import { run, type RunOptions } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { feed, type Model } from "../transformer/model.ts";

/** One token of a text. */
export interface TokenRow {
  text: string;
  position: number;
  id: number;
  /** Tokens of the whole text. */
  length: number;
}

/**
 * The model's adversarial prompts begin with BOS, as they are run; other texts, such as answers, are encoded
 * as they are.
 */
export function tokenRows(model: Model, texts: Iterable<string>): TokenRow[] {
  const { tokenizer } = model;
  if (!tokenizer) {
    throw new Error(`model ${model.name} has no tokenizer.json, so its token ids cannot be checked`);
  }
  const prompts = new Set(model.adversarial.prompts.map(({ text }) => text));
  return [...new Set(texts)].flatMap((text) => {
    const ids = tokenizer.encode(text, { prependBos: prompts.has(text) && model.config.default_prepend_bos });
    return ids.map((id, position) => ({ text, position, id, length: ids.length }));
  });
}

/** The input weights w, output weights v and input bias of one neuron of an MLP, after weight processing. */
export interface NeuronRow {
  layer: number;
  neuron: number;
  /** w · v / (‖w‖ ‖v‖) */
  cosine: number;
  /** w · v */
  dot: number;
  normIn: number;
  normOut: number;
  bIn: number;
}

export async function neuronRows(
  model: Model,
  neurons: Iterable<{ layer: number; neuron: number }>,
): Promise<NeuronRow[]> {
  const forward = model.forward();
  const rows: NeuronRow[] = [];
  for (const { layer, neuron } of neurons) {
    const of = (name: string) => forward.weight(`blocks.${layer}.mlp.${name}`).select("d_mlp", neuron);
    const [w, v] = [of("W_in"), of("W_out")];
    const outputs = {
      dot: w.dot(v, "d_model"),
      normIn: w.sumSquares("d_model").sqrt(),
      normOut: v.sumSquares("d_model").sqrt(),
      bIn: of("b_in").add(0),
    };
    const values = await run(outputs, {});
    const [dot, normIn, normOut, bIn] = Object.keys(outputs).map((key) => values[key as "dot"].data[0]);
    rows.push({ layer, neuron, cosine: dot / (normIn * normOut), dot, normIn, normOut, bIn });
  }
  return rows;
}

/** Median over prompts × positions of ‖residual stream‖ at each location. */
export async function residualNorms(
  model: Model,
  prompts: Prompts,
  options: RunOptions = {},
): Promise<{ location: string; norm: number }[]> {
  const outputs: Record<string, Tensor> = {};
  for (const { location, value } of model.forward().residualStream()) {
    outputs[location] = value.sumSquares("d_model").sqrt();
  }
  const values = await run(outputs, feed(prompts, model.config), options);
  return Object.entries(values).map(([location, { data }]) => ({
    location,
    norm: quantiles(Float64Array.from(data), [0.5])[0],
  }));
}
