/**
 * Direct logit attribution (DLA): what a node's output contributes to the difference of two logits if nothing
 * came after it, ((c - mean(c)) / s) · (W_U[:, t1] - W_U[:, t2]), with s the clean run's final LayerNorm
 * scale and b_U left out. In logits. Source: the post, section "Direct logit attribution". It leaves out all
 * that later nodes do with c: that is the post's point.
 *
 * Where logits pass a soft cap (Gemma 2), DLA is of the logits before it: those are linear in what the nodes
 * write, and the cap keeps their order. Results say so among their assumptions.
 *
 * Centring is symmetric, so DLA(c) = c · u with u = centre(W_U[:, t1] - W_U[:, t2]) / s: one vector for all
 * nodes.
 */
import { attentionOf, finalNorm } from "../checkpoints/blocks.ts";
import { concat, type Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { modelNodes } from "../transformer/nodes.ts";
import { headDots } from "./projection.ts";

/**
 * The two most probable next tokens: ids [batch, pos] each, and the difference of their logits (before a soft
 * cap).
 */
export function topTwo(forward: Forward): { first: Tensor; second: Tensor; logitDifference: Tensor } {
  const { values, indices } = forward.linearLogits.topK("d_vocab", 2);
  const pair = (t: Tensor) => [t.select("d_vocab", 0), t.select("d_vocab", 1)] as const;
  const [[a, b], [first, second]] = [pair(values), pair(indices)];
  return { first, second, logitDifference: a.sub(b) };
}

/** W_U[:, token] for each token id: [batch, pos] → [batch, pos, d_model]. */
export function unembedding(forward: Forward, tokens: Tensor): Tensor {
  return forward.weight("unembed.W_U").gather("d_vocab", tokens);
}

/** W_U[:, first] - W_U[:, second] for the two most probable next tokens: [batch, pos, d_model]. */
export function topTwoDirection(forward: Forward): Tensor {
  const { first, second } = topTwo(forward);
  return unembedding(forward, first).sub(unembedding(forward, second));
}

/**
 * u [batch, pos, d_model], with DLA(c) = c · u. `direction`: W_U[:, t1] - W_U[:, t2], or W_U[:, t] for one
 * logit. `forward`: the clean run, whose scale is used.
 */
export function attributionVector(forward: Forward, direction: Tensor): Tensor {
  return forward.backThroughNorm(finalNorm(forward.config), direction);
}

/** DLA of a node's output c [batch, pos, d_model] → [batch, pos], in logits. */
export function directLogitAttribution(c: Tensor, vector: Tensor): Tensor {
  return c.dot(vector, "d_model");
}

/**
 * The difference of two logits (before a soft cap) without b_U, which no node changes: [batch, pos], in
 * logits. Unlike the logits themselves it costs no product with the whole of W_U. `direction`: W_U[:, t1] -
 * W_U[:, t2], [batch, pos, d_model].
 */
export function readDifference(forward: Forward, direction: Tensor): Tensor {
  return forward.unembedded.dot(direction, "d_model");
}

/**
 * DLA of everything that adds up to logit(first) - logit(second): nodes and b_O in the order of the forward
 * pass, then ln_final.b where it is not folded away, and b_U. b_out is part of its MLP. `first`, `second`:
 * token ids [batch, pos].
 */
export function attributionTerms(
  forward: Forward,
  first: Tensor,
  second: Tensor,
): { names: string[]; values: Tensor } {
  const direction = unembedding(forward, first).sub(unembedding(forward, second));
  const vector = attributionVector(forward, direction);
  const names: string[] = [];
  const parts: Tensor[] = [];
  const add = (name: string, dla: Tensor) => {
    names.push(name);
    parts.push(dla.expand("term", 1).order("batch", "pos", "term"));
  };
  for (const node of modelNodes(forward.config)) {
    if (node.kind !== "head") {
      add(node.name, directLogitAttribution(forward.node(node.name), vector));
      continue;
    }
    names.push(node.name);
    if (node.head < forward.config.n_heads - 1) continue; // a layer's heads stand together
    parts.push(headDots(forward, node.layer, vector).rename({ head: "term" }));
    const { postNorm, output: [, b_O] } = attentionOf(forward.config, node.layer);
    add(`b_O${node.layer}`, forward.backThroughNorm(postNorm, vector).dot(forward.weight(b_O), "d_model"));
  }
  const bias = forward.maybeWeight("ln_final.b");
  if (bias) add("ln_final.b", direction.dot(bias, "d_model"));
  const b_U = forward.weight("unembed.b_U");
  add("b_U", b_U.gather("d_vocab", first).sub(b_U.gather("d_vocab", second)));
  return { names, values: concat(parts, "term") };
}
