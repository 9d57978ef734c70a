/**
 * One forward pass, as expressions: nothing is computed until a run asks for it, and then only what it asks for.
 *
 * An intervention belongs to one forward pass: `model.forward({ hooks })` returns another pass and leaves the first as it was.
 * Parts that two passes have in common are computed once when both stand in one run.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { didYouMean } from "../checkpoints/nearest.ts";
import { unify } from "../tensor/dims.ts";
import { attention, layerNorm, rmsNorm } from "../tensor/layers.ts";
import { iota, Tensor, where } from "../tensor/tensor.ts";
import { type Hook, hookPoints, type Hooks, spreadHooks } from "./hook_points.ts";
import { findNode, headName, locations } from "./nodes.ts";
import type { Parameters } from "./weights.ts";

export class Forward {
  readonly config: ModelConfig;
  /** Token ids [batch, pos]. */
  readonly tokens: Tensor;
  /** Logits of the next token [batch, pos, d_vocab]. */
  readonly logits: Tensor;
  #params: Parameters;
  #dims: Map<string, string[]>;
  #hooks: Map<string, Hook>;
  #points = new Map<string, Tensor | (() => Tensor)>();

  constructor(config: ModelConfig, params: Parameters, tokens: Tensor, hooks: Hooks = {}) {
    this.config = config;
    this.tokens = tokens;
    this.#params = params;
    this.#dims = hookPoints(config);
    this.#hooks = spreadHooks(hooks, this.#dims);

    const embed = this.#point("hook_embed", params.get("embed.W_E").gather("d_vocab", tokens));
    const position = params.get("pos_embed.W_pos").prefix("pos", "pos").expand("batch", "batch");
    let resid = embed.add(this.#point("hook_pos_embed", position));
    for (let layer = 0; layer < config.n_layers; layer++) resid = this.#block(layer, resid);
    const normalized = this.#normalize("ln_final", resid);
    this.logits = normalized.dot(params.get("unembed.W_U"), "d_model").add(params.get("unembed.b_U"));
  }

  /** A value by its hook name, such as "blocks.2.attn.hook_pattern". Dims as in `hookPoints`. */
  hook(name: string): Tensor {
    const point = this.#points.get(name);
    if (!point) throw new Error(`no hook point "${name}".${didYouMean(name, this.#dims.keys())}`);
    if (point instanceof Tensor) return point;
    const value = point();
    this.#points.set(name, value);
    return value;
  }

  /** A weight by its TransformerLens name, after processing. */
  weight(name: string): Tensor {
    return this.#params.get(name);
  }

  /** A weight that processing may have folded away, such as "ln_final.w". */
  maybeWeight(name: string): Tensor | undefined {
    return this.#params.maybe(name);
  }

  /** Whether an intervention stands at this hook point. */
  isHooked(name: string): boolean {
    return this.#hooks.has(name);
  }

  /** What q · k is multiplied by. */
  get attentionScale(): number {
    return 1 / Math.sqrt(this.config.d_head);
  }

  /** What one head writes, z · W_O without b_O: [batch, pos, d_model]. */
  headResult(layer: number, head: number): Tensor {
    findNode(this.config, headName(layer, head));
    if (this.#hooks.has(`blocks.${layer}.attn.hook_result`)) {
      return this.hook(`blocks.${layer}.attn.hook_result`).select("head", head);
    }
    const W_O = this.#params.get(`blocks.${layer}.attn.W_O`).select("head", head);
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
    return this.logits.sub(this.logits.logSumExp("d_vocab"));
  }

  #record(name: string, value: Tensor): Tensor {
    this.#points.set(name, value);
    return value;
  }

  /** Passes a value through its hook point. `record` is off for the per-head copies that q, k and v may read. */
  #point(name: string, value: Tensor, record = true): Tensor {
    const dims = this.#dims.get(name)!;
    const perHead = value.dims.length > dims.length; // ln1 of a changed hook_v_input has a head dim
    const ordered = perHead ? value : value.order(...dims);
    const hook = this.#hooks.get(name);
    const after = hook ? this.#checked(name, ordered, hook(ordered, { name })) : ordered;
    return record ? this.#record(name, after) : after;
  }

  #checked(name: string, before: Tensor, after: Tensor): Tensor {
    if (!(after instanceof Tensor)) {
      throw new Error(`hook "${name}" returned no tensor; expected ${before.names}`);
    }
    const foreign = after.names.filter((n) => !before.names.includes(n));
    if (foreign.length > 0) {
      throw new Error(`hook "${name}": got [${after.names}]; expected dims among [${before.names}]`);
    }
    unify(`hook "${name}": before and after`, before.dims, after.dims);
    return new Tensor({ node: after.node, dims: before.dims }); // dims that it lacks are broadcast
  }

  /** ln1, ln2 or ln_final of x, through its two hook points. */
  #normalize(name: string, x: Tensor, record = true): Tensor {
    const [weight, bias] = [this.#params.maybe(`${name}.w`), this.#params.maybe(`${name}.b`)];
    const { eps, d_model, normalization } = this.config;
    const centred = normalization.startsWith("LN");
    const fused = centred ? layerNorm(x, "d_model", eps, { weight, bias }) : {
      normalized: rmsNorm(x, "d_model", eps, weight),
      scale: x.sumSquares("d_model").mul(1 / d_model).add(eps).sqrt(),
    };
    const scale = this.#point(`${name}.hook_scale`, fused.scale, record);
    let normalized = fused.normalized;
    if (scale.node !== fused.scale.node) { // a hook gave another scale: spell the division out
      normalized = (centred ? x.sub(x.mean("d_model")) : x).div(scale);
      if (weight) normalized = normalized.mul(weight);
      if (bias) normalized = normalized.add(bias);
    }
    return this.#point(`${name}.hook_normalized`, normalized, record);
  }

  #block(layer: number, input: Tensor): Tensor {
    const block = `blocks.${layer}`;
    const residPre = this.#point(`${block}.hook_resid_pre`, input);
    const attnOut = this.#point(`${block}.hook_attn_out`, this.#attention(layer, residPre));
    let resid = residPre.add(attnOut);
    if (!this.config.attn_only) {
      resid = this.#point(`${block}.hook_resid_mid`, resid);
      resid = resid.add(this.#point(`${block}.hook_mlp_out`, this.#mlp(`${block}`, resid)));
    }
    return this.#point(`${block}.hook_resid_post`, resid);
  }

  #mlp(block: string, residMid: Tensor): Tensor {
    const weight = (name: string) => this.#params.get(`${block}.mlp.${name}`);
    const normalized = this.#normalize(`${block}.ln2`, residMid);
    const pre = this.#point(
      `${block}.mlp.hook_pre`,
      normalized.dot(weight("W_in"), "d_model").add(weight("b_in")),
    );
    const post = this.#point(`${block}.mlp.hook_post`, this.#activate(pre));
    return post.dot(weight("W_out"), "d_mlp").add(weight("b_out"));
  }

  #activate(x: Tensor): Tensor {
    switch (this.config.act_fn) {
      case "gelu":
        return x.gelu();
      case "gelu_new":
        return x.gelu("tanh");
      case "relu":
        return x.relu();
      case "silu":
        return x.mul(x.sigmoid());
    }
  }

  /** attn_out [batch, pos, d_model]. q, k and v read one normalised input unless their own input is hooked. */
  #attention(layer: number, residPre: Tensor): Tensor {
    const block = `blocks.${layer}`;
    const weight = (name: string) => this.#params.get(`${block}.attn.${name}`);
    const shared = this.#normalize(`${block}.ln1`, residPre);
    const [q, k, v] = ["q", "k", "v"].map((x) => {
      const point = `${block}.hook_${x}_input`;
      const perHead = residPre.expand("head", this.config.n_heads).order("batch", "pos", "head", "d_model");
      const hooked = this.#hooks.has(point);
      const input = hooked ? this.#point(point, perHead) : this.#record(point, perHead);
      const read = hooked ? this.#normalize(`${block}.ln1`, input, false) : shared;
      const X = x.toUpperCase();
      return this.#point(
        `${block}.attn.hook_${x}`,
        read.dot(weight(`W_${X}`), "d_model").add(weight(`b_${X}`)),
      );
    });
    const z = this.#point(`${block}.attn.hook_z`, this.#attend(`${block}.attn`, q, k, v));
    const result = `${block}.attn.hook_result`;
    if (this.#hooks.has(result)) {
      return this.#point(result, z.dot(weight("W_O"), "d_head")).sum("head").add(weight("b_O"));
    }
    this.#points.set(result, () => z.dot(weight("W_O"), "d_head").order("batch", "pos", "head", "d_model"));
    return z.dot(weight("W_O"), "head", "d_head").add(weight("b_O"));
  }

  /** z [batch, pos, head, d_head]: fused, unless a hook changes scores or pattern. Both can be asked for in either case. */
  #attend(attn: string, q: Tensor, k: Tensor, v: Tensor): Tensor {
    const scale = this.attentionScale;
    const scores = () => {
      const all = q.rename({ pos: "query" }).dot(k.rename({ pos: "key" }), "d_head").mul(scale);
      return this.#point(`${attn}.hook_attn_scores`, causal(all.order("batch", "head", "query", "key")));
    };
    const pattern = () =>
      this.#point(`${attn}.hook_pattern`, this.hook(`${attn}.hook_attn_scores`).softmax("key"));
    this.#points.set(`${attn}.hook_attn_scores`, scores);
    this.#points.set(`${attn}.hook_pattern`, pattern);
    if (!this.#hooks.has(`${attn}.hook_attn_scores`) && !this.#hooks.has(`${attn}.hook_pattern`)) {
      return attention(q, k, v, scale);
    }
    return this.hook(`${attn}.hook_pattern`).dot(v.rename({ pos: "key" }), "key").rename({ query: "pos" });
  }
}

/** −∞ where the key comes after the query. */
function causal(scores: Tensor): Tensor {
  const [query, key] = ["query", "key"].map((name) =>
    iota(name, scores.dims.find((d) => d.name === name)!.size)
  );
  const ahead = [query.expand("key", "pos"), key.expand("query", "pos")] as const;
  return where(ahead[0], "GreaterOrEqual", ahead[1], scores, -Infinity);
}
