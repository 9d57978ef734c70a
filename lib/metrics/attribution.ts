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
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { first, second } = topTwo(model.forward());
 * const got = await run({ first, second }, feed(model.prompts(["I like tea and"])));
 * console.log(got.first.data.at(-1), got.second.data.at(-1)); // token ids
 * ```
 */
export function topTwo(forward: Forward): { first: Tensor; second: Tensor; logitDifference: Tensor } {
  const { values, indices } = forward.linearLogits.topK("d_vocab", 2);
  const pair = (t: Tensor) => [t.select("d_vocab", 0), t.select("d_vocab", 1)] as const;
  const [[a, b], [first, second]] = [pair(values), pair(indices)];
  return { first, second, logitDifference: a.sub(b) };
}

/**
 * W_U[:, token] for each token id: [batch, pos] → [batch, pos, d_model].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), { first } = topTwo(clean);
 * console.log(unembedding(clean, first).names); // batch, pos, d_model
 * ```
 */
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
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), { first, second } = topTwo(clean);
 * const direction = unembedding(clean, first).sub(unembedding(clean, second));
 * console.log(attributionVector(clean, direction).names); // batch, pos, d_model: DLA is a product with it
 * ```
 */
export function attributionVector(forward: Forward, direction: Tensor): Tensor {
  return forward.backThroughNorm(finalNorm(forward.config), direction);
}

/**
 * DLA of a node's output c [batch, pos, d_model] → [batch, pos], in logits.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward(), writer = clean.node("L1H5");
 * const vector = attributionVector(clean, topTwoDirection(clean));
 * const { dla } = await run({ dla: directLogitAttribution(writer, vector) }, feed(prompts));
 * console.log(dla.names); // batch, pos: logits
 * ```
 */
export function directLogitAttribution(c: Tensor, vector: Tensor): Tensor {
  return c.dot(vector, "d_model");
}

/**
 * The difference of two logits (before a soft cap) without b_U, which no node changes: [batch, pos], in
 * logits. Unlike the logits themselves it costs no product with the whole of W_U. `direction`: W_U[:, t1] -
 * W_U[:, t2], [batch, pos, d_model].
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const clean = model.forward();
 * const difference = readDifference(clean, topTwoDirection(clean));
 * const got = await run({ difference }, feed(prompts));
 * console.log(got.difference.data.every((x: number) => x > -1e-3)); // the first is the most probable
 * ```
 */
export function readDifference(forward: Forward, direction: Tensor): Tensor {
  return forward.unembedded.dot(direction, "d_model");
}

/**
 * DLA of everything that adds up to logit(first) - logit(second): nodes and b_O in the order of the forward
 * pass, then ln_final.b where it is not folded away, and b_U. b_out is part of its MLP. `first`, `second`:
 * token ids [batch, pos].
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(), { first, second } = topTwo(clean);
 * const { names, values } = attributionTerms(clean, first, second);
 * const { last } = await run({ last: values.select("pos", 4) }, feed(model.prompts(["I like tea and"])));
 * names.forEach((name, i) => console.log(name, last.data[i]));
 * ```
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
