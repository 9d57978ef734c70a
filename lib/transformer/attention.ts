/**
 * Attention of one layer: z^h(i) = Σ_j A^h[i, j] v^h(j) with A = softmax over j of q(i) · k(j) / attn_scale, j ≤ i; in local layers
 * i - window_size < j ≤ i. Heads of q share those of k and v in grouped-query models: head h reads kv_head ⌊h · n_kv / n_heads⌋.
 *
 * The fused form is used where no hook changes scores or pattern; both can be asked for in any case.
 */
import { keyValueHeads, type ModelConfig } from "../checkpoints/config.ts";
import { attention as fusedAttention } from "../tensor/layers.ts";
import { iota, param, type Tensor, where } from "../tensor/tensor.ts";
import { keyValueDim } from "./hook_points.ts";
import { normalize } from "./normalize.ts";
import { rotate } from "./positions.ts";
import type { Trace } from "./trace.ts";

/** attn_out [batch, pos, d_model]. q, k and v read one normalised input unless their own input is hooked. */
export function attention(trace: Trace, layer: number, residPre: Tensor): Tensor {
  const { config } = trace;
  const block = `blocks.${layer}`;
  const weight = (name: string) => trace.params.get(`${block}.attn.${name}`);
  const shared = normalize(trace, `${block}.ln1`, residPre);
  for (const x of ["q", "k", "v"]) {
    const point = `${block}.hook_${x}_input`;
    const [dim, heads] = x === "q" ? ["head", config.n_heads] : [keyValueDim(config), keyValueHeads(config)];
    let read = shared;
    if (trace.isHooked(point)) {
      read = normalize(trace, `${block}.ln1`, trace.point(point, residPre.expand(dim, heads)), false);
    } else trace.later(point, () => residPre.expand(dim, heads));
    const X = x.toUpperCase();
    const projected = trace.point(
      `${block}.attn.hook_${x}`,
      read.dot(weight(`W_${X}`), "d_model").add(weight(`b_${X}`)),
    );
    if (x !== "v" && config.positional_embedding_type === "rotary") {
      trace.point(`${block}.attn.hook_rot_${x}`, rotate(config, projected));
    }
  }
  keepPattern(trace, layer);
  const z = trace.point(`${block}.attn.hook_z`, attend(trace, layer, trace.get(`${block}.attn.hook_v`)));
  const result = `${block}.attn.hook_result`;
  const perHead = () => z.dot(weight("W_O"), "d_head");
  if (trace.isHooked(result)) return trace.point(result, perHead()).sum("head").add(weight("b_O"));
  trace.later(result, perHead);
  return z.dot(weight("W_O"), "head", "d_head").add(weight("b_O"));
}

/**
 * What the heads of one layer make of any values, with the pattern of this pass: values [batch, pos, head or kv_head, d_head] →
 * [batch, pos, head, d_head].
 */
export function attend(trace: Trace, layer: number, values: Tensor): Tensor {
  const attn = `blocks.${layer}.attn`;
  const spelled = ["attn_scores", "pattern"].some((x) => trace.isHooked(`${attn}.hook_${x}`));
  if (!spelled) {
    const [q, k] = queriesAndKeys(trace, layer);
    const asHeads = (t: Tensor) => t.names.includes("kv_head") ? t.rename({ kv_head: "head" }) : t;
    return fusedAttention(
      q,
      asHeads(k),
      asHeads(values),
      1 / scoreDivisor(trace.config, layer),
      window(trace.config, layer),
    );
  }
  const each = forEachHead(trace.config, values).rename({ pos: "key" });
  const z = trace.get(`${attn}.hook_pattern`).dot(each, "key").rename({ query: "pos" });
  return z.order("batch", "pos", "head", "d_head");
}

/** What q · k is divided by in one layer. */
export function scoreDivisor(config: ModelConfig, layer: number): number {
  const { attn_scale = Math.sqrt(config.d_head), scale_attn_by_inverse_layer_idx } = config;
  return scale_attn_by_inverse_layer_idx ? attn_scale * (layer + 1) : attn_scale;
}

/** How many positions the heads of a layer see, the own one among them; undefined: all before. */
function window(config: ModelConfig, layer: number): number | undefined {
  return config.attn_types?.[layer] === "local" ? config.window_size : undefined;
}

/** What the scores are made of: turned by their position in rotary models. */
function queriesAndKeys(trace: Trace, layer: number): [q: Tensor, k: Tensor] {
  const name = trace.config.positional_embedding_type === "rotary" ? "hook_rot_" : "hook_";
  const [q, k] = ["q", "k"].map((x) => trace.get(`blocks.${layer}.attn.${name}${x}`));
  return [q, k];
}

/** The kv_head of each head, one array for each pair of counts, so that equal expressions are recognised. */
const sharing = new Map<string, Int32Array>();

/** Keys or values of each head of q: as they are, or each kv_head repeated for the heads that share it. */
export function forEachHead(config: ModelConfig, x: Tensor): Tensor {
  if (!x.names.includes("kv_head")) return x;
  const [heads, shared] = [config.n_heads, keyValueHeads(config)];
  const key = `${heads}:${shared}`;
  if (!sharing.has(key)) {
    sharing.set(key, Int32Array.from({ length: heads }, (_, h) => Math.floor(h * shared / heads)));
  }
  const dims = [{ name: "head", size: heads }];
  return x.gather("kv_head", param("kv_head of each head", sharing.get(key)!, dims));
}

/** hook_attn_scores and hook_pattern of one layer, built when asked for or hooked. */
function keepPattern(trace: Trace, layer: number): void {
  const { config } = trace;
  const attn = `blocks.${layer}.attn`;
  const scores = () => {
    const [q, k] = queriesAndKeys(trace, layer);
    const each = forEachHead(config, k).rename({ pos: "key" });
    // The queries are scaled, not the scores: those are many more.
    const all = q.mul(1 / scoreDivisor(config, layer)).rename({ pos: "query" }).dot(each, "d_head");
    return trace.point(
      `${attn}.hook_attn_scores`,
      masked(all.order("batch", "head", "query", "key"), window(config, layer)),
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
