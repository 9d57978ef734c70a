/**
 * Where the weights of a family stand, said in names: what differs between families is what their authors
 * called things, which matrices are joined, and which factors are left outside. {@linkcode sourcesOf} makes a
 * source of each weight from it.
 */
import { embedNorm, finalNorm, keyValueDim } from "../../checkpoints/blocks.ts";
import type { ModelConfig } from "../../checkpoints/config.ts";
import type { Source } from "./layout.ts";

/**
 * Names without what stands before all of them, without the layer's prefix, and without ".weight" or ".bias".
 */
export interface Stored {
  embed: string;
  /** A table of positions, in models that add them. */
  positions?: { from: string } & Pick<Source, "rows">;
  embedNorm?: string;
  finalNorm: string;
  /** What stands before a layer's number: "layers". */
  layers: string;
  /** Norm → its name: { ln1: "input_layernorm", … }. */
  norms: Readonly<Record<string, string>>;
  /** Norms have biases. */
  normBias?: boolean;
  /** What is added to the weights of norms. */
  normAdd?: number;
  /** Where q, k or v stands: "self_attn.q_proj"; or a part of one matrix for all three. */
  qkv(x: "Q" | "K" | "V"): { from: string } & Pick<Source, "part" | "rows"> & { axis?: string };
  W_O: string;
  /** Without it the MLP is not gated. */
  W_gate?: { from: string } & Pick<Source, "rows">;
  W_in: { from: string } & Pick<Source, "rows">;
  W_out: string;
  /** Of "QKVO", those that have biases. */
  attentionBias?: string;
  mlpBias?: boolean;
  /** Norms of q and k: "self_attn.q_norm". */
  qkNorm?(x: "q" | "k"): string;
  /** Matrices are stored [in, out] instead of [out, in]. */
  transposed?: boolean;
  /** Factors of W_E, and of what attention and MLP write. */
  scales?: { embed?: number; residual?: number };
}

/** All weights but those of the unembedding. `prefix`: what stands before all names. */
export function sourcesOf(config: ModelConfig, prefix: string, stored: Stored): Map<string, Source> {
  const { scales = {}, attentionBias = "", normAdd: add } = stored;
  const found = new Map<string, Source>();
  const put = (name: string, from: string, axes: string, more: Partial<Source> = {}) =>
    found.set(name, { from: prefix + from, axes, ...more });
  const linear = (
    name: string,
    from: string,
    [out, into]: [string, string],
    biased: boolean,
    more: Partial<Source> = {},
  ) => {
    put(name, `${from}.weight`, stored.transposed ? `${into} ${out}` : `${out} ${into}`, more);
    if (biased) put(name.replace(".W_", ".b_"), `${from}.bias`, out, more);
  };
  const norm = (name: string, from: string) => {
    if (config.normalization.endsWith("Pre")) return;
    put(`${name}.w`, `${from}.weight`, "d_model", { add });
    if (stored.normBias) put(`${name}.b`, `${from}.bias`, "d_model");
  };

  put("embed.W_E", `${stored.embed}.weight`, "d_vocab d_model", { scale: scales.embed });
  if (stored.positions) {
    put("pos_embed.W_pos", `${stored.positions.from}.weight`, "pos d_model", { rows: stored.positions.rows });
  }
  if (stored.embedNorm) norm(embedNorm(config)!, stored.embedNorm);
  norm(finalNorm(config)!, stored.finalNorm);
  for (let layer = 0; layer < config.n_layers; layer++) {
    const [block, at] = [`blocks.${layer}`, `${stored.layers}.${layer}`];
    for (const [name, from] of Object.entries(stored.norms)) norm(`${block}.${name}`, `${at}.${from}`);
    for (const x of ["Q", "K", "V"] as const) {
      const heads = x === "Q" ? "head" : keyValueDim(config);
      const { from, axis = `(${heads} d_head)`, ...part } = stored.qkv(x);
      linear(`${block}.attn.W_${x}`, `${at}.${from}`, [axis, "d_model"], attentionBias.includes(x), part);
    }
    for (const x of config.qk_norm ? ["q", "k"] as const : []) {
      const heads = x === "q" ? "head" : keyValueDim(config);
      const axes = config.qk_norm === "all" ? `(${heads} d_head)` : "d_head";
      put(`${block}.attn.${x}_norm.w`, `${at}.${stored.qkNorm!(x)}.weight`, axes, { add });
    }
    const { W_gate, W_in } = stored;
    const [biased, added] = [stored.mlpBias ?? false, { scale: scales.residual }];
    const out: [string, string] = ["d_model", "(head d_head)"];
    linear(`${block}.attn.W_O`, `${at}.${stored.W_O}`, out, attentionBias.includes("O"), added);
    if (W_gate) {
      linear(`${block}.mlp.W_gate`, `${at}.${W_gate.from}`, ["d_mlp", "d_model"], biased, {
        rows: W_gate.rows,
      });
    }
    linear(`${block}.mlp.W_in`, `${at}.${W_in.from}`, ["d_mlp", "d_model"], biased, { rows: W_in.rows });
    linear(`${block}.mlp.W_out`, `${at}.${stored.W_out}`, ["d_model", "d_mlp"], biased, added);
  }
  return found;
}

/**
 * Rows of q, k or v in a matrix that holds, for each head of k and v, its heads of q, then k, then v:
 * (kv_head (n_rep + 2) d_head). With one q for each k that is (head (q k v) d_head); with one k for all, q, k
 * and v one after the other.
 */
export function groupedRows(config: ModelConfig, x: "Q" | "K" | "V"): Required<Pick<Source, "rows">> {
  const { n_heads, n_key_value_heads = n_heads, d_head } = config;
  const each = n_heads / n_key_value_heads;
  const row = (head: number) =>
    x === "Q"
      ? Math.floor(head / each) * (each + 2) + head % each
      : head * (each + 2) + each + (x === "K" ? 0 : 1);
  const of = (n_heads + 2 * n_key_value_heads) * d_head;
  return { rows: { of, at: (i) => row(Math.floor(i / d_head)) * d_head + i % d_head } };
}

/** Rows of q, k or v in a matrix that holds all of q, then all of k, then all of v. */
export function joinedRows(config: ModelConfig, x: "Q" | "K" | "V"): Required<Pick<Source, "rows">> {
  const { n_heads, n_key_value_heads = n_heads, d_head } = config;
  const [q, kv] = [n_heads * d_head, n_key_value_heads * d_head];
  const first = { Q: 0, K: q, V: q + kv }[x];
  return { rows: { of: q + 2 * kv, at: (i) => first + i } };
}

/**
 * Rows of q or k that are turned in neighbouring pairs (2i, 2i + 1), in the order of the pairs (i, half + i)
 * of this library: q · k stays what it is. `rows`: where the rows stand before that.
 */
export function pairedRows(
  config: ModelConfig,
  x: "Q" | "K" | "V",
  rows?: Source["rows"],
): Pick<Source, "rows"> {
  if (x === "V") return { rows };
  const { n_heads, n_key_value_heads = n_heads, d_head, rotary_dim = d_head } = config;
  const half = rotary_dim / 2;
  const within = (k: number) => k < half ? 2 * k : k < rotary_dim ? 2 * (k - half) + 1 : k;
  const { of, at } = rows ?? { of: (x === "Q" ? n_heads : n_key_value_heads) * d_head, at: (i: number) => i };
  return { rows: { of, at: (i) => at(i - i % d_head + within(i % d_head)) } };
}
