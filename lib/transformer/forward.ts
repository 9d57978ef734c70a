/**
 * One forward pass, as expressions: nothing is computed until a run asks for it, and then only what it asks
 * for.
 *
 * An intervention belongs to one forward pass: `model.forward({ hooks })` returns another pass and leaves the
 * first as it was. Parts that two passes have in common are computed once when both stand in one run.
 */
import { attentionOf, type Block, blocks, embeddings, embedNorm, finalNorm } from "../checkpoints/blocks.ts";
import { type ModelConfig, outputSize } from "../checkpoints/config.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { attend, attention, forEachHead } from "./attention.ts";
import type { Hooks } from "./hook_points.ts";
import { mlp } from "./mlp.ts";
import { findNode, headName, locations } from "./nodes.ts";
import { backThroughNorm, normalize, partThroughNorm } from "./normalize.ts";
import { Trace } from "./trace.ts";
import type { Parameters } from "./weights.ts";

/**
 * One forward pass: lazy tensors by hook name. Made by `model.forward()`.
 *
 * @example
 * ```ts
 * import type { Tensor } from "../tensor/tensor.ts";
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const clean = model.forward(); // expressions: nothing has run
 * console.log(clean.node("L1H5").names); // batch, pos, d_model
 * const hooks = { "blocks.1.hook_attn_out": (out: Tensor) => out.sub(clean.node("L1H5")) };
 * const without = model.forward({ hooks });
 * console.log(without.residualStream().at(-1)!.location); // resid_post3
 * ```
 */
export class Forward {
  /** The model's. */
  readonly config: ModelConfig;
  /** Token ids [batch, pos]. */
  readonly tokens: Tensor;
  /** What the unembedding reads: the stream through ln_final, with its w and b. */
  readonly unembedded: Tensor;
  #trace: Trace;

  /** Internal: see `model.forward()`. */
  constructor(config: ModelConfig, params: Parameters, tokens: Tensor, hooks: Hooks = {}) {
    this.config = config;
    this.tokens = tokens;
    this.#trace = new Trace(config, params, hooks);
    let resid = embeddings(config).map(({ name, hook }) => this.#trace.point(hook, this.#embedding(name)))
      .reduce((a, b) => a.add(b));
    for (const block of blocks(config)) resid = this.#block(block, resid);
    const norm = finalNorm(config);
    this.unembedded = norm ? normalize(this.#trace, norm, resid) : resid;
  }

  #embedding(name: "embed" | "pos_embed"): Tensor {
    const { params, config } = this.#trace;
    if (name === "pos_embed") {
      return params.get("pos_embed.W_pos").prefix("pos", "pos").expand("batch", "batch");
    }
    const read = params.get("embed.W_E").gather("d_vocab", this.tokens);
    const norm = embedNorm(config);
    return norm ? normalize(this.#trace, norm, read) : read;
  }

  #block({ residPre, branches }: Block, input: Tensor): Tensor {
    const trace = this.#trace;
    let resid = trace.point(residPre, input);
    for (const branch of branches) {
      const made = branch.kind === "attn" ? attention(trace, branch) : mlp(trace, branch);
      const added = branch.postNorm ? normalize(trace, branch.postNorm, made) : made;
      resid = resid.add(trace.point(branch.writes, added));
      if (branch.makes) resid = trace.point(branch.makes, resid);
    }
    return resid;
  }

  /** Logits of the next token [batch, pos, d_vocab]. @throws in a model without unembedding. */
  get logits(): Tensor {
    const { output_logits_soft_cap: cap } = this.config;
    return cap === undefined ? this.linearLogits : this.linearLogits.mul(1 / cap).tanh().mul(cap);
  }

  /**
   * The logits before the soft cap, in models that have one: linear in what ln_final makes. Without a cap the
   * logits.
   */
  get linearLogits(): Tensor {
    if (outputSize(this.config) === 0) {
      throw new Error(
        "the model has no unembedding (its files hold a base model), so it has no logits and no direct logit attribution; " +
          "residual stream, heads and patches can be measured",
      );
    }
    const { params } = this.#trace;
    return this.unembedded.dot(params.get("unembed.W_U"), "d_model").add(params.get("unembed.b_U"));
  }

  /** A value by its hook name, such as "blocks.2.attn.hook_pattern". Dims as in `hookPoints`. */
  hook(name: string): Tensor {
    return this.#trace.get(name);
  }

  /** A weight by its TransformerLens name, after processing. */
  weight(name: string): Tensor {
    return this.#trace.params.get(name);
  }

  /** A weight that processing may have folded away, such as "ln_final.w". */
  maybeWeight(name: string): Tensor | undefined {
    return this.#trace.params.maybe(name);
  }

  /** Whether an intervention stands at this hook point. */
  isHooked(name: string): boolean {
    return this.#trace.isHooked(name);
  }

  /**
   * What the heads of one layer make of any values, with the attention pattern of this pass: values [batch,
   * pos, head or kv_head, d_head] → [batch, pos, head, d_head].
   */
  attend(layer: number, values: Tensor): Tensor {
    return attend(this.#trace, layer, values);
  }

  /**
   * Keys or values for each head: in grouped-query models, dim kv_head becomes head, each repeated for the
   * heads that share it.
   */
  forEachHead(values: Tensor): Tensor {
    return forEachHead(this.config, values);
  }

  /**
   * What the norm `name` ("blocks.2.ln1") makes of a part of its input [… d_model], with the scale of this
   * pass and without b: linear, so the parts add up to the whole. Without a name (a branch that has no such
   * norm) the part itself. `positions`: those of the part, `start … end - 1`, where it does not have all.
   */
  partThroughNorm(
    name: string | undefined,
    part: Tensor,
    positions?: { start: number; end: number },
  ): Tensor {
    return partThroughNorm(this.#trace, name, part, positions);
  }

  /** The transposed map: partThroughNorm(name, x) · vector = x · backThroughNorm(name, vector). */
  backThroughNorm(name: string | undefined, vector: Tensor): Tensor {
    return backThroughNorm(this.#trace, name, vector);
  }

  /**
   * What the heads of one layer write, without b_O: [batch, pos, head, d_model]. z · W_O, through the
   * post-norm where there is one.
   */
  headResults(layer: number): Tensor {
    return this.partThroughNorm(
      attentionOf(this.config, layer).postNorm,
      this.hook(`blocks.${layer}.attn.hook_result`),
    );
  }

  /** What one head writes, without b_O: [batch, pos, d_model]. */
  headResult(layer: number, head: number): Tensor {
    findNode(this.config, headName(layer, head));
    const { postNorm, block } = attentionOf(this.config, layer);
    const before = () => {
      if (this.isHooked(`${block}.attn.hook_result`)) {
        return this.hook(`${block}.attn.hook_result`).select("head", head);
      }
      const W_O = this.#trace.params.get(`${block}.attn.W_O`).select("head", head);
      return this.hook(`${block}.attn.hook_z`).select("head", head).dot(W_O, "d_head");
    };
    return this.partThroughNorm(postNorm, before());
  }

  /** What a node ("L2H3", "MLP0", "embed", "pos_embed") writes: [batch, pos, d_model]. */
  node(name: string): Tensor {
    const node = findNode(this.config, name);
    if (node.kind === "head") return this.headResult(node.layer, node.head);
    return this.hook(node.kind === "embed" ? `hook_${node.name}` : `blocks.${node.layer}.hook_mlp_out`);
  }

  /**
   * The residual stream after each write: resid_pre0, resid_mid0, resid_post0, … each [batch, pos, d_model].
   */
  residualStream(): { location: string; value: Tensor }[] {
    return locations(this.config).map(({ location, hook }) => ({ location, value: this.hook(hook) }));
  }

  /** log P(token) [batch, pos, d_vocab]. */
  logProbabilities(): Tensor {
    return this.logits.logSoftmax("d_vocab");
  }
}
