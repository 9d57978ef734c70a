/**
 * The hook points of a model: TransformerLens' names, each with one shape for ever. What a model does not
 * have, its hook points do not have: no hook_pos_embed but hook_rot_q and hook_rot_k in rotary models, no
 * hook_resid_mid where attention and MLP stand in parallel, hook_pre_linear in gated MLPs. k and v (their
 * inputs too) have a dim "kv_head" instead of "head" in grouped-query models, so that a key's head is never
 * taken for a query's. `hook_scale` is [batch, pos] as a lazy tensor (a dimension of size 1 has no use where
 * dims have names) and [batch, pos, 1] in what `runWithCache` returns.
 *
 * hook_attn_out and hook_mlp_out are what is added to the stream: after the norms ln1_post and ln2_post where
 * a model has them. hook_result is before them. hook_q and hook_k are before q_norm and k_norm, hook_rot_q
 * and hook_rot_k after norm and rotation.
 */
import {
  type AttentionBranch,
  blocks,
  embeddings,
  embedNorm,
  finalNorm,
  keyValueDim,
  type MlpBranch,
} from "../checkpoints/blocks.ts";
import type { ModelConfig } from "../checkpoints/config.ts";
import { didYouMean } from "../checkpoints/nearest.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What a hook does: a lazy tensor in, a lazy tensor out, with the same dims (missing ones are broadcast). */
export type Hook = (value: Tensor, point: { name: string }) => Tensor;
/** Hooks by name. `*` stands for any part between two dots: `"blocks.*.hook_resid_pre"`. */
export type Hooks = Readonly<Record<string, Hook>>;

type Point = readonly [name: string, dims: string[]];

const RESID = ["batch", "pos", "d_model"];
const MLP = ["batch", "pos", "d_mlp"];
const PATTERN = ["batch", "head", "query", "key"];
const perHead = (head: string) => ["batch", "pos", head, "d_model"];
const inHead = (head: string) => ["batch", "pos", head, "d_head"];

/** The two points of a norm; `over` are the dims that it takes the mean of. */
function norm(name: string | undefined, dims = RESID, over: readonly string[] = ["d_model"]): Point[] {
  if (name === undefined) return [];
  const scale = dims.filter((dim) => !over.includes(dim));
  return [[`${name}.hook_scale`, scale], [`${name}.hook_normalized`, dims]];
}

/**
 * Hook name → names of the dims, in the order of the forward pass.
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(hookPoints(model.config).get("blocks.0.attn.hook_pattern")); // batch, head, query, key
 * ```
 */
export function hookPoints(config: ModelConfig): Map<string, string[]> {
  const points: Point[] = [
    ...norm(embedNorm(config)),
    ...embeddings(config).map(({ hook }): Point => [hook, RESID]),
  ];
  for (const { residPre, branches } of blocks(config)) {
    points.push([residPre, RESID]);
    for (const branch of branches) {
      points.push(...branch.kind === "attn" ? attentionPoints(config, branch) : mlpPoints(branch));
      points.push(...norm(branch.postNorm), [branch.writes, RESID]);
      if (branch.makes) points.push([branch.makes, RESID]);
    }
  }
  points.push(...norm(finalNorm(config)));
  return new Map(points);
}

function attentionPoints(config: ModelConfig, { block, norm: ln1, qkNorm }: AttentionBranch): Point[] {
  const attn = `${block}.attn`;
  const headOf = (x: string) => x === "q" ? "head" : keyValueDim(config);
  const over = (x: string) => qkNorm === "all" ? [headOf(x), "d_head"] : ["d_head"];
  const turned = config.positional_embedding_type === "rotary" ? ["q", "k"] : [];
  return [
    ...["q", "k", "v"].map((x): Point => [`${block}.hook_${x}_input`, perHead(headOf(x))]),
    ...norm(ln1),
    ...["q", "k", "v"].map((x): Point => [`${attn}.hook_${x}`, inHead(headOf(x))]),
    ...(qkNorm ? ["q", "k"] : []).flatMap((x) => norm(`${attn}.${x}_norm`, inHead(headOf(x)), over(x))),
    ...turned.map((x): Point => [`${attn}.hook_rot_${x}`, inHead(headOf(x))]),
    [`${attn}.hook_attn_scores`, PATTERN],
    [`${attn}.hook_pattern`, PATTERN],
    [`${attn}.hook_z`, inHead("head")],
    [`${attn}.hook_result`, perHead("head")],
  ];
}

function mlpPoints({ block, norm: ln2, gated }: MlpBranch): Point[] {
  return [
    [`${block}.hook_mlp_in`, RESID],
    ...norm(ln2),
    [`${block}.mlp.hook_pre`, MLP],
    ...(gated ? [[`${block}.mlp.hook_pre_linear`, MLP] as Point] : []),
    [`${block}.mlp.hook_post`, MLP],
  ];
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

/**
 * The names that a name or a pattern with `*` stands for. @throws when there are none, with the nearest name.
 */
export function matching(pattern: string, points: ReadonlyMap<string, unknown>): string[] {
  if (points.has(pattern)) return [pattern];
  if (pattern.includes("*")) {
    const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
    const found = [...points.keys()].filter((name) => new RegExp(`^${parts.join("[^.]*")}$`).test(name));
    if (found.length > 0) return found;
  }
  throw new Error(`no hook point "${pattern}".${didYouMean(pattern, points.keys())}`);
}
