/**
 * The hook points of a model: TransformerLens' names, each with one shape for ever. What a model does not have, its hook points do
 * not have: no hook_pos_embed but hook_rot_q and hook_rot_k in rotary models, no hook_resid_mid where attention and MLP stand in
 * parallel, hook_pre_linear in gated MLPs. k and v (their inputs too) have a dim "kv_head" instead of "head" in grouped-query models,
 * so that a key's head is never taken for a query's. `hook_scale` is [batch, pos] as a lazy tensor
 * (a dimension of size 1 has no use where dims have names) and [batch, pos, 1] in what `runWithCache` returns.
 */
import { didYouMean } from "../checkpoints/nearest.ts";
import { keyValueHeads, type ModelConfig } from "../checkpoints/config.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What a hook does: a lazy tensor in, a lazy tensor out, with the same dims (missing ones are broadcast). */
export type Hook = (value: Tensor, point: { name: string }) => Tensor;
/** Hooks by name. `*` stands for any part between two dots: `"blocks.*.hook_resid_pre"`. */
export type Hooks = Readonly<Record<string, Hook>>;

const RESID = ["batch", "pos", "d_model"];
const MLP = ["batch", "pos", "d_mlp"];
const perHead = (head: string) => ["batch", "pos", head, "d_model"];
const inHead = (head: string) => ["batch", "pos", head, "d_head"];
const PATTERN = ["batch", "head", "query", "key"];
const SCALE = ["batch", "pos"];

/** Name of the dim that counts heads of k and v: "kv_head" where heads share them, else "head". */
export function keyValueDim(config: ModelConfig): "head" | "kv_head" {
  return keyValueHeads(config) < config.n_heads ? "kv_head" : "head";
}

/** Hook name → names of the dims, in the order of the forward pass. */
export function hookPoints(config: ModelConfig): Map<string, string[]> {
  const points = new Map<string, string[]>([["hook_embed", RESID]]);
  const rotary = config.positional_embedding_type === "rotary";
  if (!rotary) points.set("hook_pos_embed", RESID);
  const headOf = (x: string) => x === "q" ? "head" : keyValueDim(config);
  const norm = (name: string) => {
    points.set(`${name}.hook_scale`, SCALE);
    points.set(`${name}.hook_normalized`, RESID);
  };
  for (let layer = 0; layer < config.n_layers; layer++) {
    const block = `blocks.${layer}`;
    points.set(`${block}.hook_resid_pre`, RESID);
    for (const x of ["q", "k", "v"]) points.set(`${block}.hook_${x}_input`, perHead(headOf(x)));
    norm(`${block}.ln1`);
    for (const x of ["q", "k", "v"]) points.set(`${block}.attn.hook_${x}`, inHead(headOf(x)));
    if (rotary) { for (const x of ["q", "k"]) points.set(`${block}.attn.hook_rot_${x}`, inHead(headOf(x))); }
    points.set(`${block}.attn.hook_attn_scores`, PATTERN);
    points.set(`${block}.attn.hook_pattern`, PATTERN);
    points.set(`${block}.attn.hook_z`, inHead("head"));
    points.set(`${block}.attn.hook_result`, perHead("head"));
    points.set(`${block}.hook_attn_out`, RESID);
    if (!config.attn_only) {
      if (!config.parallel_attn_mlp) points.set(`${block}.hook_resid_mid`, RESID);
      norm(`${block}.ln2`);
      points.set(`${block}.mlp.hook_pre`, MLP);
      if (config.gated_mlp) points.set(`${block}.mlp.hook_pre_linear`, MLP);
      points.set(`${block}.mlp.hook_post`, MLP);
      points.set(`${block}.hook_mlp_out`, RESID);
    }
    points.set(`${block}.hook_resid_post`, RESID);
  }
  norm("ln_final");
  return points;
}

/** One hook for each name; a pattern with `*` is spread over the names that it matches. */
export function spreadHooks(hooks: Hooks, points: ReadonlyMap<string, unknown>): Map<string, Hook> {
  const spread = new Map<string, Hook>();
  for (const [pattern, hook] of Object.entries(hooks)) {
    for (const name of matching(pattern, points)) {
      if (spread.has(name)) {
        throw new Error(`two hooks for "${name}" (one by "${pattern}"): join them in one function`);
      }
      spread.set(name, hook);
    }
  }
  return spread;
}

/** The names that a name or a pattern with `*` stands for. @throws when there are none, with the nearest name. */
export function matching(pattern: string, points: ReadonlyMap<string, unknown>): string[] {
  if (points.has(pattern)) return [pattern];
  if (pattern.includes("*")) {
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    const found = [...points.keys()].filter((name) => new RegExp(`^${parts.join("[^.]*")}$`).test(name));
    if (found.length > 0) return found;
  }
  throw new Error(`no hook point "${pattern}".${didYouMean(pattern, points.keys())}`);
}
