/**
 * Attention of one layer: z^h(i) = Σ_j A^h[i, j] v^h(j) with A = softmax over j of q(i) · k(j) / attn_scale,
 * j ≤ i; in local layers i - window_size < j ≤ i. Heads of q share those of k and v in grouped-query models:
 * head h reads kv_head ⌊h · n_kv / n_heads⌋.
 *
 * The fused form is used where no hook changes scores or pattern; both can be asked for in any case.
 */
import { type AttentionBranch, attentionOf, keyValueDim } from "../checkpoints/blocks.ts";
import { keyValueHeads, type ModelConfig } from "../checkpoints/config.ts";
import { attention as fusedAttention } from "../tensor/layers.ts";
import { memo } from "../tensor/memo.ts";
import { iota, param, type Tensor, where } from "../tensor/tensor.ts";
import { normalize } from "./normalize.ts";
import { rotate, slopesBeside } from "./positions.ts";
import type { Trace } from "./trace.ts";

/**
 * What the heads make of the stream [batch, pos, d_model]. q, k and v read one normalised input unless their
 * own input is hooked.
 */
export function attention(trace: Trace, branch: AttentionBranch): Tensor {
  const { config } = trace;
  const { block, norm, qkNorm, rotation } = branch;
  const weight = (name: string) => trace.params.get(`${block}.attn.${name}`);
  const stream = trace.get(branch.reads);
  const shared = norm ? normalize(trace, norm, stream) : stream;
  for (const x of ["q", "k", "v"]) {
    const point = `${block}.hook_${x}_input`;
    const [dim, heads] = x === "q" ? ["head", config.n_heads] : [keyValueDim(config), keyValueHeads(config)];
    let read = shared;
    if (trace.isHooked(point)) {
      read = trace.point(point, stream.expand(dim, heads));
      if (norm) read = normalize(trace, norm, read, { keep: false });
    } else trace.later(point, () => stream.expand(dim, heads));
    const X = x.toUpperCase();
    let made = trace.point(
      `${block}.attn.hook_${x}`,
      read.dot(weight(`W_${X}`), "d_model").add(weight(`b_${X}`)),
    );
    if (x === "v") continue;
    if (qkNorm) {
      const over = qkNorm === "all" ? [dim, "d_head"] : ["d_head"];
      made = normalize(trace, `${block}.attn.${x}_norm`, made, { over });
    }
    if (config.positional_embedding_type === "rotary") {
      trace.point(`${block}.attn.hook_rot_${x}`, rotation ? rotate(rotation, made) : made);
    }
  }
  keepPattern(trace, branch);
  const z = trace.point(
    `${block}.attn.hook_z`,
    attend(trace, branch.layer, trace.get(`${block}.attn.hook_v`)),
  );
  const result = `${block}.attn.hook_result`;
  const perHead = () => z.dot(weight("W_O"), "d_head");
  if (trace.isHooked(result)) return trace.point(result, perHead()).sum("head").add(weight("b_O"));
  trace.later(result, perHead);
  return z.dot(weight("W_O"), "head", "d_head").add(weight("b_O"));
}

/**
 * What the heads of one layer make of any values, with the pattern of this pass: values [batch, pos, head or
 * kv_head, d_head] → [batch, pos, head, d_head].
 */
export function attend(trace: Trace, layer: number, values: Tensor): Tensor {
  const branch = attentionOf(trace.config, layer);
  const attn = `${branch.block}.attn`;
  const spelled = ["attn_scores", "pattern"].some((x) => trace.isHooked(`${attn}.hook_${x}`));
  if (!spelled) {
    const [q, k] = queriesAndKeys(trace, branch);
    const asHeads = (t: Tensor) => t.names.includes("kv_head") ? t.rename({ kv_head: "head" }) : t;
    const { attn_scores_soft_cap: softCap } = trace.config;
    const { window } = branch;
    return fusedAttention(q, asHeads(k), asHeads(values), 1 / branch.divisor, { window, softCap });
  }
  const each = forEachHead(trace.config, values).rename({ pos: "key" });
  const z = trace.get(`${attn}.hook_pattern`).dot(each, "key").rename({ query: "pos" });
  return z.order("batch", "pos", "head", "d_head");
}

/**
 * What the scores are made of: after norm and rotation where the model has them, with ALiBi's two dims where
 * it has those.
 */
function queriesAndKeys(trace: Trace, { block, divisor }: AttentionBranch): [q: Tensor, k: Tensor] {
  const { config } = trace;
  const name = config.positional_embedding_type === "rotary" ? "hook_rot_" : "hook_";
  const [q, k] = ["q", "k"].map((x) => trace.get(`${block}.attn.${name}${x}`));
  return config.alibi_slopes ? slopesBeside(q, k, config, divisor) : [q, k];
}

/** The kv_head of each head. */
const sharing = memo((heads: number, shared: number) =>
  Int32Array.from({ length: heads }, (_, h) => Math.floor(h * shared / heads))
);

/** Keys or values of each head of q: as they are, or each kv_head repeated for the heads that share it. */
export function forEachHead(config: ModelConfig, x: Tensor): Tensor {
  if (!x.names.includes("kv_head")) return x;
  const [heads, shared] = [config.n_heads, keyValueHeads(config)];
  const dims = [{ name: "head", size: heads }];
  return x.gather("kv_head", param("kv_head of each head", sharing(heads, shared), dims));
}

/** hook_attn_scores and hook_pattern of one layer, built when asked for or hooked. */
function keepPattern(trace: Trace, branch: AttentionBranch): void {
  const { config } = trace;
  const attn = `${branch.block}.attn`;
  const scores = () => {
    const [q, k] = queriesAndKeys(trace, branch);
    const each = forEachHead(config, k).rename({ pos: "key" });
    // The queries are scaled, not the scores: those are many more.
    const all = q.mul(1 / branch.divisor).rename({ pos: "query" }).dot(each, "d_head");
    const cap = config.attn_scores_soft_cap;
    const capped = cap === undefined ? all : all.mul(1 / cap).tanh().mul(cap);
    return trace.point(
      `${attn}.hook_attn_scores`,
      masked(capped.order("batch", "head", "query", "key"), branch.window),
    );
  };
  trace.later(`${attn}.hook_attn_scores`, scores);
  trace.later(
    `${attn}.hook_pattern`,
    () => trace.point(`${attn}.hook_pattern`, trace.get(`${attn}.hook_attn_scores`).softmax("key")),
  );
}

/** −∞ where the key comes after the query, or `window` or more positions before it. */
function masked(scores: Tensor, window: number | undefined): Tensor {
  const [query, key] = ["query", "key"].map((name) =>
    iota(name, scores.dims.find((d) => d.name === name)!.size)
  );
  const [at, of] = [query.expand("key", "pos"), key.expand("query", "pos")];
  const causal = where(at, "GreaterOrEqual", of, scores, -Infinity);
  return window === undefined ? causal : where(at.sub(of), "Less", window, causal, -Infinity);
}
