/**
 * What a model is made of, layer by layer: one description, from which hook points, weights and their dims,
 * the forward pass, weight processing, nodes, locations and the exact decomposition follow.
 *
 * A block is a list of branches, in the order in which they write: attention, then the MLP. Each branch reads
 * one place of the residual stream, through a norm or as it is, and adds what it makes, through a norm or as
 * it is:
 *
 *     stream += postNorm( branch( norm( stream at `reads` ) ) )
 *
 * A family that differs in these respects differs here and nowhere else.
 */
import { keyValueHeads, type ModelConfig, type RotaryScaling } from "./config.ts";

/** What all branches have. Names are those of hook points and of weights, such as "blocks.2.ln1". */
interface CommonBranch {
  layer: number;
  /** "blocks.2": stands before all its names. */
  block: string;
  /** Hook point of the place of the stream that it reads. */
  reads: string;
  /** The norm of what it reads; undefined: it reads the stream as it is. */
  norm?: string;
  /** The norm of what it makes, before that is added; undefined: it is added as it is. */
  postNorm?: string;
  /** Weights and biases that multiply what it reads. */
  readers: readonly (readonly [W: string, b: string])[];
  /** The weight and the bias that make its output. */
  output: readonly [W: string, b: string];
  /** Hook point of what is added to the stream, after the post-norm. */
  writes: string;
  /** Hook point of the stream with that added; undefined where the branch beside it is still to come. */
  makes?: string;
}

export interface AttentionBranch extends CommonBranch {
  kind: "attn";
  /** What q · k is divided by. */
  divisor: number;
  /** How many positions the heads see, the own one among them; undefined: all before. */
  window?: number;
  /** How q and k are turned by their position; undefined: not at all. */
  rotation?: Rotation;
  /** Norms of q and k before they are turned. */
  qkNorm?: ModelConfig["qk_norm"];
}

export interface MlpBranch extends CommonBranch {
  kind: "mlp";
  gated: boolean;
}

export type Branch = AttentionBranch | MlpBranch;

/** Settings of a rotation: see `rotaryFrequencies` (lib/transformer/positions.ts). */
export interface Rotation {
  n_ctx: number;
  d_head: number;
  rotary_dim?: number;
  rotary_base?: number;
  rotary_scaling?: RotaryScaling;
}

export interface Block {
  layer: number;
  /** Hook points of the stream before and after it. */
  residPre: string;
  residPost: string;
  branches: readonly Branch[];
}

/** The norm of what the unembedding reads; undefined in models without norms. */
export function finalNorm({ normalization }: ModelConfig): string | undefined {
  return normalization === "none" ? undefined : "ln_final";
}

/** The norm of the token embedding before it is written, in models that have one. */
export function embedNorm(config: ModelConfig): string | undefined {
  return config.post_embedding_ln ? "embed.ln" : undefined;
}

/** Name of the dim that counts heads of k and v: "kv_head" where heads share them, else "head". */
export function keyValueDim(config: ModelConfig): "head" | "kv_head" {
  return keyValueHeads(config) < config.n_heads ? "kv_head" : "head";
}

/** The hook points of what the embeddings add. */
export function embeddings(config: ModelConfig): { name: "embed" | "pos_embed"; hook: string }[] {
  const all: { name: "embed" | "pos_embed"; hook: string }[] = [{ name: "embed", hook: "hook_embed" }];
  const { positional_embedding_type: type = "standard" } = config;
  if (type === "standard") all.push({ name: "pos_embed", hook: "hook_pos_embed" });
  return all;
}

/** All blocks, in the order of the forward pass. */
export function blocks(config: ModelConfig): Block[] {
  return Array.from({ length: config.n_layers }, (_, layer) => blockOf(config, layer));
}

export function blockOf(config: ModelConfig, layer: number): Block {
  const block = `blocks.${layer}`;
  const [residPre, residMid, residPost] = ["pre", "mid", "post"].map((at) => `${block}.hook_resid_${at}`);
  const attn = attentionOf(config, layer);
  if (config.attn_only) return { layer, residPre, residPost, branches: [{ ...attn, makes: residPost }] };
  const mlp: MlpBranch = {
    kind: "mlp",
    gated: config.gated_mlp ?? false,
    layer,
    block,
    reads: config.parallel_attn_mlp ? residPre : residMid,
    ...norms(config, `${block}.ln2`),
    readers: (config.gated_mlp ? ["gate", "in"] : ["in"]).map((
      x,
    ) => [`${block}.mlp.W_${x}`, `${block}.mlp.b_${x}`]),
    output: [`${block}.mlp.W_out`, `${block}.mlp.b_out`],
    writes: `${block}.hook_mlp_out`,
    makes: residPost,
  };
  const first = config.parallel_attn_mlp ? attn : { ...attn, makes: residMid };
  return { layer, residPre, residPost, branches: [first, mlp] };
}

/** The attention branch of one layer. */
export function attentionOf(config: ModelConfig, layer: number): AttentionBranch {
  const block = `blocks.${layer}`;
  const { attn_scale = Math.sqrt(config.d_head), scale_attn_by_inverse_layer_idx } = config;
  const local = config.attn_types?.[layer] === "local";
  const rotation = rotationOf(config, layer, local);
  return {
    kind: "attn",
    divisor: scale_attn_by_inverse_layer_idx ? attn_scale * (layer + 1) : attn_scale,
    ...(local && { window: config.window_size }),
    ...(rotation && { rotation }),
    ...(config.qk_norm && { qkNorm: config.qk_norm }),
    layer,
    block,
    reads: `${block}.hook_resid_pre`,
    ...norms(config, `${block}.ln1`),
    readers: ["Q", "K", "V"].map((x) => [`${block}.attn.W_${x}`, `${block}.attn.b_${x}`]),
    output: [`${block}.attn.W_O`, `${block}.attn.b_O`],
    writes: `${block}.hook_attn_out`,
  };
}

/** Which norms stand around a branch. */
function norms(
  { normalization, norm_placement = "before" }: ModelConfig,
  name: string,
): Pick<Branch, "norm" | "postNorm"> {
  if (normalization === "none") return {};
  return {
    ...(norm_placement !== "after" && { norm: name }),
    ...(norm_placement !== "before" && { postNorm: `${name}_post` }),
  };
}

function rotationOf(config: ModelConfig, layer: number, local: boolean): Rotation | undefined {
  if (config.positional_embedding_type !== "rotary" || config.rotary_layers?.[layer] === false) {
    return undefined;
  }
  const { n_ctx, d_head, rotary_dim, rotary_base, rotary_scaling, rotary_local } = config;
  const common = { n_ctx, d_head, ...(rotary_dim !== undefined && { rotary_dim }) };
  if (local && rotary_local) return { ...common, ...rotary_local };
  return {
    ...common,
    ...(rotary_base !== undefined && { rotary_base }),
    ...(rotary_scaling && { rotary_scaling }),
  };
}
