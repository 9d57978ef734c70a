/**
 * One forward pass, as expressions: nothing is computed until a run asks for it, and then only what it asks for.
 *
 * An intervention belongs to one forward pass: `model.forward({ hooks })` returns another pass and leaves the first as it was.
 * Parts that two passes have in common are computed once when both stand in one run.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { attend, attention, forEachHead } from "./attention.ts";
import type { Hooks } from "./hook_points.ts";
import { mlp } from "./mlp.ts";
import { findNode, headName, locations } from "./nodes.ts";
import { normalize } from "./normalize.ts";
import { Trace } from "./trace.ts";
import type { Parameters } from "./weights.ts";

export class Forward {
  readonly config: ModelConfig;
  /** Token ids [batch, pos]. */
  readonly tokens: Tensor;
  /** Logits of the next token [batch, pos, d_vocab]. */
  readonly logits: Tensor;
  #trace: Trace;

  constructor(config: ModelConfig, params: Parameters, tokens: Tensor, hooks: Hooks = {}) {
    this.config = config;
    this.tokens = tokens;
    const trace = this.#trace = new Trace(config, params, hooks);

    let resid = trace.point("hook_embed", params.get("embed.W_E").gather("d_vocab", tokens));
    if (config.positional_embedding_type !== "rotary") {
      const position = params.get("pos_embed.W_pos").prefix("pos", "pos").expand("batch", "batch");
      resid = resid.add(trace.point("hook_pos_embed", position));
    }
    for (let layer = 0; layer < config.n_layers; layer++) resid = this.#block(layer, resid);
    const normalized = normalize(trace, "ln_final", resid);
    this.logits = normalized.dot(params.get("unembed.W_U"), "d_model").add(params.get("unembed.b_U"));
  }

  #block(layer: number, input: Tensor): Tensor {
    const { attn_only, parallel_attn_mlp } = this.config;
    const point = (name: string, value: Tensor) => this.#trace.point(`blocks.${layer}.${name}`, value);
    const residPre = point("hook_resid_pre", input);
    let resid = residPre.add(point("hook_attn_out", attention(this.#trace, layer, residPre)));
    if (!attn_only) {
      if (!parallel_attn_mlp) resid = point("hook_resid_mid", resid);
      const read = parallel_attn_mlp ? residPre : resid;
      resid = resid.add(point("hook_mlp_out", mlp(this.#trace, layer, read)));
    }
    return point("hook_resid_post", resid);
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
   * What the heads of one layer make of any values, with the attention pattern of this pass: values [batch, pos, head or kv_head,
   * d_head] → [batch, pos, head, d_head].
   */
  attend(layer: number, values: Tensor): Tensor {
    return attend(this.#trace, layer, values);
  }

  /** Keys or values for each head: in grouped-query models, dim kv_head becomes head, each repeated for the heads that share it. */
  forEachHead(values: Tensor): Tensor {
    return forEachHead(this.config, values);
  }

  /** What one head writes, z · W_O without b_O: [batch, pos, d_model]. */
  headResult(layer: number, head: number): Tensor {
    findNode(this.config, headName(layer, head));
    if (this.isHooked(`blocks.${layer}.attn.hook_result`)) {
      return this.hook(`blocks.${layer}.attn.hook_result`).select("head", head);
    }
    const W_O = this.#trace.params.get(`blocks.${layer}.attn.W_O`).select("head", head);
    return this.hook(`blocks.${layer}.attn.hook_z`).select("head", head).dot(W_O, "d_head");
  }

  /** What a node ("L2H3", "MLP0", "embed", "pos_embed") writes: [batch, pos, d_model]. */
  node(name: string): Tensor {
    const node = findNode(this.config, name);
    if (node.kind === "embed") return this.hook(`hook_${node.name}`);
    if (node.kind === "mlp") return this.hook(`blocks.${node.layer}.hook_mlp_out`);
    return this.headResult(node.layer, node.head);
  }

  /** The residual stream after each write: resid_pre0, resid_mid0, resid_post0, … each [batch, pos, d_model]. */
  residualStream(): { location: string; value: Tensor }[] {
    return locations(this.config).map(({ location, hook }) => ({ location, value: this.hook(hook) }));
  }

  /** log P(token) [batch, pos, d_vocab]. */
  logProbabilities(): Tensor {
    return this.logits.logSoftmax("d_vocab");
  }
}
