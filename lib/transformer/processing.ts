/**
 * Weight processing, as TransformerLens does by default and as the post's numbers need it. The model computes
 * the same log-probabilities afterwards; what changes is where the residual stream's mean and the LayerNorm
 * weights are accounted for.
 *
 * Steps: 1. b_U = 0 where absent (done when reading). 2.–4. Fold ln1 into Q, K, V, ln2 into W_in (and
 * W_gate), ln_final into W_U: biases take W · ln.b, then W *= ln.w, then W -= mean over d_model. Every
 * LayerNorm is then centre-and-scale only. (Norms of what a branch writes, of q and k and of the embedding
 * keep their weights: nothing linear reads what they make alone.) 5. Centre what writes to the residual
 * stream. 6. Centre the unembedding over the vocabulary. 7. Fold value biases into b_O.
 *
 * RMSNorm reads the mean of the residual stream like any other direction: nothing is centred but the
 * unembedding, and step 5 is not done, whatever is asked for (`possibleSteps`). Nor is step 6 under a soft
 * cap of the logits, which sees what all of them share, nor what concerns an unembedding that a model does
 * not have. Source: ../../README.md, "Weight processing"; TransformerLens `fold_layer_norm`,
 * `center_writing_weights`, `center_unembed`, `fold_value_biases`.
 */
import { blocks, type Branch, embeddings, embedNorm, finalNorm } from "../checkpoints/blocks.ts";
import { type ModelConfig, outputSize } from "../checkpoints/config.ts";
import type { Algebra } from "./algebra.ts";
import { arrays } from "./array_algebra.ts";
import { subtractsMean } from "./normalize.ts";
import type { Weights } from "./weights.ts";

/** Which steps are done. All are, by default. */
export interface Processing {
  /** ln1's w and b go into W_Q, W_K, W_V. */
  foldLn1: boolean;
  /** ln2's w and b go into W_in. */
  foldLn2: boolean;
  /** ln_final's w and b go into W_U. */
  foldLnFinal: boolean;
  /** Needs LayerNorm: a normalisation that subtracts the mean. */
  centerWritingWeights: boolean;
  /** The mean over the vocabulary is taken out of W_U and b_U. */
  centerUnembed: boolean;
  /** b_V goes, through W_O, into b_O. */
  foldValueBiases: boolean;
}

export const ALL_STEPS: Processing = {
  foldLn1: true,
  foldLn2: true,
  foldLnFinal: true,
  centerWritingWeights: true,
  centerUnembed: true,
  foldValueBiases: true,
};

export const NO_STEPS: Processing = {
  foldLn1: false,
  foldLn2: false,
  foldLnFinal: false,
  centerWritingWeights: false,
  centerUnembed: false,
  foldValueBiases: false,
};

/** The steps among `steps` that a model of this kind admits: what `processWeights` really does. */
export function possibleSteps(config: ModelConfig, steps: Processing): Processing {
  const unembeds = outputSize(config) > 0;
  return {
    ...steps,
    foldLnFinal: steps.foldLnFinal && unembeds,
    centerWritingWeights: steps.centerWritingWeights && subtractsMean(config),
    centerUnembed: steps.centerUnembed && unembeds && config.output_logits_soft_cap === undefined,
  };
}

/**
 * Returns processed copies; `weights` is not changed. A folded LayerNorm's `.w` and `.b` are gone from the
 * result.
 */
export function processWeights(weights: Weights, config: ModelConfig, steps: Processing): Weights {
  return processed(weights, config, steps, arrays);
}

/** The same for weights of any kind. */
export function processed<W>(
  weights: ReadonlyMap<string, W>,
  config: ModelConfig,
  steps: Processing,
  algebra: Algebra<W>,
): Map<string, W> {
  const result = new Map(weights);
  const centred = subtractsMean(config);
  const copied = new Set<string>();
  const get = (name: string): W => {
    const found = result.get(name);
    if (found === undefined) throw new Error(`weight processing: the model has no weight "${name}"`);
    return found;
  };
  /** Changes a weight. */
  const change = (name: string, to: (weight: W) => W) => {
    const own = copied.has(name) ? get(name) : algebra.copy(get(name));
    copied.add(name);
    result.set(name, to(own));
  };
  const center = (name: string, dim: string) => change(name, (W) => algebra.center(W, dim));
  const fold = (norm: string, readers: Branch["readers"]) => {
    const [w, b] = [result.get(`${norm}.w`), result.get(`${norm}.b`)];
    for (const [W, bias] of readers) {
      if (b) change(bias, (into) => algebra.addProduct(into, get(W), "d_model", b));
      if (w) change(W, (own) => algebra.scaleBy(own, "d_model", w));
      if (centred && (w || b)) center(W, "d_model");
    }
    result.delete(`${norm}.w`);
    result.delete(`${norm}.b`);
  };

  const branches = blocks(config).flatMap((block) => block.branches);
  for (const { kind, norm, readers } of branches) {
    if (norm && (kind === "attn" ? steps.foldLn1 : steps.foldLn2)) fold(norm, readers);
  }
  const unembeds = outputSize(config) > 0;
  const final = finalNorm(config);
  if (steps.foldLnFinal && unembeds && final) fold(final, [["unembed.W_U", "unembed.b_U"]]);
  if (steps.centerWritingWeights && centred) {
    for (const name of writers(config)) center(name, "d_model");
  }
  if (possibleSteps(config, steps).centerUnembed) {
    center("unembed.W_U", "d_vocab");
    center("unembed.b_U", "d_vocab");
  }
  if (steps.foldValueBiases) {
    for (let layer = 0; layer < config.n_layers; layer++) {
      const attn = `blocks.${layer}.attn`;
      change(
        `${attn}.b_O`,
        (b_O) => algebra.addThroughHeads(b_O, get(`${attn}.b_V`), get(`${attn}.W_O`), config),
      );
      change(`${attn}.b_V`, algebra.zero);
    }
  }
  return result;
}

/**
 * Weights and biases whose product is added to the stream as it is: what a norm makes has the mean of that
 * norm's w and b.
 */
function writers(config: ModelConfig): string[] {
  const branches = blocks(config).flatMap((block) => block.branches).filter((branch) => !branch.postNorm);
  const positions = embeddings(config).some(({ name }) => name === "pos_embed") ? ["pos_embed.W_pos"] : [];
  return [
    ...(embedNorm(config) ? [] : ["embed.W_E"]),
    ...positions,
    ...branches.flatMap((b) => b.output),
  ];
}
