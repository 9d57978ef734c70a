/**
 * Does a cleaner erase one writer's direction, or does it suppress whatever is predicted? Its whole
 * output c, held over all logits against what every earlier node but the writer says: P = x − w, with x
 * the stream that the cleaner reads,
 *
 *     opposed = −Σ ⟨c, P⟩ / Σ ⟨P, P⟩       sums over tokens, ⟨·,·⟩ as in metrics/logit_metric.ts
 *
 * An eraser of w leaves P alone. A suppressor (such as GPT-2 small's L10H7: McDougall et al., arXiv
 * 2310.04625) takes a part of P back. What it writes on another text, against this text's P, is the
 * control: what it does whatever is predicted, such as keeping frequent tokens down.
 */
import { attentionOf } from "../../checkpoints/blocks.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { logitDot, throughFinalNorm } from "../../metrics/logit_metric.ts";
import { mlpOf } from "../../metrics/neurons.ts";
import { atPositions } from "../../metrics/retention.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { draws, estimate } from "../estimates.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import { measureSums, Sums, wholeOf } from "../retention/sums.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import type { SuppressionRow } from "./rows.ts";

export async function suppression(
  model: Model,
  prompts: Prompts,
  writer: string,
  nodes: readonly string[],
  G: Tensor,
  options: RunOptions & { seed: number },
): Promise<SuppressionRow[]> {
  const { seed, ...runOptions } = options;
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const w = clean.node(writer);
  const outputs: Record<string, Tensor> = {};
  for (const name of nodes) {
    const { kind, layer } = findNode(model.config, name);
    const { reads } = kind === "head" ? attentionOf(model.config, layer) : mlpOf(model.config, layer);
    const P = throughFinalNorm(clean, atPositions(clean.hook(reads).sub(w)));
    const against = (forward: typeof clean) =>
      logitDot(G, throughFinalNorm(clean, forward.node(name)), P).sum("pos");
    outputs[`${name} own`] = against(clean);
    outputs[`${name} control`] = against(other);
    outputs[`${name} square`] = logitDot(G, P, P).sum("pos");
  }
  const blocks = Math.min(BLOCKS, prompts.count), drawn = draws(blocks, seed);
  const sums = new Sums(Object.keys(outputs), blocks);
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  await measureSums(sums, outputs, feeds, wholeOf(prompts), runOptions);
  return nodes.map((node) => {
    const [own, control, square] = ["own", "control", "square"].map((key) => sums.of(`${node} ${key}`));
    const ratio = (of: Float64Array, draw?: Int32Array) => -sumOfBlocks(of, draw) / sumOfBlocks(square, draw);
    return {
      writer,
      node,
      opposed: estimate((draw) => ratio(own, draw), drawn),
      control: estimate((draw) => ratio(control, draw), drawn),
      beyond: estimate((draw) => ratio(own, draw) - ratio(control, draw), drawn),
    };
  });
}
