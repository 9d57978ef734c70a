/** The loss at positions 1 and later of runs whose every position has a next token. */
import type { Prompts } from "../checkpoints/mod.ts";
import { atPositions } from "../metrics/retention.ts";
import type { Feeds } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { cutPrompts } from "./prompt_feeds.ts";

/** Prompts without their last token, and the next token of each position as input "next". */
export function withNext(prompts: Prompts): Feeds {
  const length = prompts.length - 1;
  return { tokens: cutPrompts(prompts, 0, length), next: cutPrompts(prompts, 1, length) };
}

/** −log P(next token), 0 at position 0: [batch, pos], in nats. */
export function losses(forward: Forward, next: Tensor): Tensor {
  return atPositions(forward.logProbabilities().pick("d_vocab", next).neg());
}

/** Σ over positions 1 and later of −log P(next token): [batch], in nats. */
export function lossOf(forward: Forward, next: Tensor): Tensor {
  return losses(forward, next).sum("pos");
}
