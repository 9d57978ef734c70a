/**
 * The weights of a model by TransformerLens name, and their dims: which there are follows from the
 * description of its blocks.
 */
import { blocks, type Branch, embeddings, embedNorm, finalNorm, keyValueDim } from "./blocks.ts";
import { keyValueHeads, type ModelConfig, outputSize } from "./config.ts";
import { didYouMean } from "./nearest.ts";

/**
 * Names of a weight's dims as a state dict stores them, by its name without its layer; "kv_head" is "head"
 * where nothing is shared.
 */
const STORED: Record<string, string> = {
  "embed.W_E": "d_vocab d_model",
  "pos_embed.W_pos": "pos d_model",
  "attn.W_Q": "head d_model d_head",
  "attn.b_Q": "head d_head",
  "attn.W_K": "kv_head d_model d_head",
  "attn.b_K": "kv_head d_head",
  "attn.W_V": "kv_head d_model d_head",
  "attn.b_V": "kv_head d_head",
  "attn.W_O": "head d_head d_model",
  "attn.b_O": "d_model",
  "mlp.W_gate": "d_model d_mlp",
  "mlp.b_gate": "d_mlp",
  "mlp.W_in": "d_model d_mlp",
  "mlp.b_in": "d_mlp",
  "mlp.W_out": "d_mlp d_model",
  "mlp.b_out": "d_model",
  "unembed.W_U": "d_model d_vocab",
  "unembed.b_U": "d_vocab",
};
for (const norm of ["embed.ln", "ln1", "ln1_post", "ln2", "ln2_post", "ln_final"]) {
  for (const x of ["w", "b"]) STORED[`${norm}.${x}`] = "d_model";
}

/**
 * Names of a weight's dims in the order of a state dict. `config` matters where heads share keys, and for the
 * norms of q and k.
 */
export function storedDims(name: string, config?: ModelConfig): string[] {
  const short = name.replace(/^blocks\.\d+\./, "");
  const [, normed] = /^attn\.([qk])_norm\.w$/.exec(short) ?? [];
  const heads = normed === "q" ? "head" : "kv_head";
  const dims = normed ? (config?.qk_norm === "all" ? `${heads} d_head` : "d_head") : STORED[short];
  if (!dims) {
    throw new Error(`no weight of a model is called "${name}".${didYouMean(short, Object.keys(STORED))}`);
  }
  const shared = config ? keyValueDim(config) : "head";
  return dims.split(" ").map((dim) => dim === "kv_head" ? shared : dim);
}

/**
 * Sizes of the dims of one weight: as everywhere in a model, but that the unembedding may have a vocabulary
 * of its own.
 */
export function dimSizes(config: ModelConfig, name: string): Readonly<Record<string, number>> {
  const { n_heads, d_model, d_head, d_mlp, n_ctx, d_vocab } = config;
  return {
    d_model,
    d_head,
    d_mlp,
    d_vocab: name.startsWith("unembed.") ? outputSize(config) : d_vocab,
    head: n_heads,
    kv_head: keyValueHeads(config),
    pos: n_ctx,
  };
}

/** Names of all weights, in the order of the forward pass. */
export function weightNames(config: ModelConfig): string[] {
  const { normalization } = config;
  const norm = (name: string | undefined) => {
    if (name === undefined || normalization.endsWith("Pre")) return [];
    return normalization === "LN" ? [`${name}.w`, `${name}.b`] : [`${name}.w`];
  };
  const branch = (b: Branch) => [
    ...norm(b.norm),
    ...b.readers.flat(),
    ...(b.kind === "attn" && b.qkNorm ? ["q", "k"].map((x) => `${b.block}.attn.${x}_norm.w`) : []),
    ...b.output,
    ...norm(b.postNorm),
  ];
  return [
    ...embeddings(config).map(({ name }) => name === "embed" ? "embed.W_E" : "pos_embed.W_pos"),
    ...norm(embedNorm(config)),
    ...blocks(config).flatMap((block) => block.branches.flatMap(branch)),
    ...norm(finalNorm(config)),
    ...(outputSize(config) > 0 ? ["unembed.W_U", "unembed.b_U"] : []),
  ];
}
