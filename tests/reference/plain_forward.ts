/**
 * A forward pass in plain loops and double precision: the reference that the ONNX engine is compared with.
 *
 * It is written from the method's description alone (hook points, LayerNorm, attention scale 1/√d_head,
 * causal mask, exact erf GELU) and shares no code with lib/transformer or lib/tensor. It is slow and meant
 * for a few short prompts.
 *
 * Every hook point is recorded under its TransformerLens name, with the shape that TransformerLens gives it.
 * Masked attention scores are −∞, as there. `edits` change a value where it arises:
 * - hook_q_input, hook_k_input, hook_v_input [batch, pos, head, d_model]: copies of the residual stream
 *   before ln1. A changed copy is normalised with its own scale, unless ln1.hook_scale has an edit, which
 *   then holds for Q, K and V of every head.
 * - ln1.hook_normalized [batch, pos, d_model]: what Q, K and V of every head read (times ln1.w, plus ln1.b),
 *   unless their own input has an edit.
 */
import type { ModelConfig } from "../../lib/checkpoints/config.ts";
import { erf } from "./erf.ts";

/** Row-major values with their dims. */
export interface Plain {
  dims: number[];
  data: Float64Array<ArrayBuffer>;
}

/** Changes `value.data` in place. */
export type Edit = (value: Plain) => void;

type Weights = ReadonlyMap<string, ArrayLike<number>>;

export interface PlainForwardOptions {
  /** Hook name → change of the value there. */
  edits?: Record<string, Edit>;
}

/**
 * Runs `tokens` [batch][pos] through the model. Weights by TransformerLens name; a missing LayerNorm weight
 * is 1, a missing bias 0 (so that processed weights run too). Returns every hook point, and `logits` [batch,
 * pos, d_vocab].
 */
export function plainForward(
  config: ModelConfig,
  weights: Weights,
  tokens: readonly (readonly number[])[],
  { edits = {} }: PlainForwardOptions = {},
): Map<string, Plain> {
  const { n_layers, n_heads: H, d_model: D, d_head: K, d_mlp: M, eps } = config;
  const V = config.d_vocab_out ?? config.d_vocab;
  const none = config.normalization === "none"; // nothing is normalised, and there are no hook points of it
  const B = tokens.length;
  const T = tokens[0].length;
  const hooks = new Map<string, Plain>();
  const used = new Set<string>();
  const matrix = (name: string): ArrayLike<number> => {
    const found = weights.get(name);
    if (!found) throw new Error(`plainForward: no weight "${name}"`);
    return found;
  };
  const vector = (name: string, length: number, fill: number): ArrayLike<number> =>
    weights.get(name) ?? new Float64Array(length).fill(fill);
  const record = (
    name: string,
    dims: number[],
    data: Float64Array<ArrayBuffer>,
  ): Float64Array<ArrayBuffer> => {
    const value = { dims, data };
    edits[name]?.(value);
    if (edits[name]) used.add(name);
    hooks.set(name, { dims, data: value.data.slice() });
    return value.data;
  };

  /** Mean that the normalisation subtracts from row `at` of `x`: 0 for RMS. */
  const meanOf = (x: Float64Array, at: number): number => {
    if (!config.normalization.startsWith("LN")) return 0;
    let sum = 0;
    for (let m = 0; m < D; m++) sum += x[at + m];
    return sum / D;
  };
  const scaleOf = (x: Float64Array, at: number): number => {
    if (none) return 1;
    const mean = meanOf(x, at);
    let sum = 0;
    for (let m = 0; m < D; m++) sum += (x[at + m] - mean) ** 2;
    return Math.sqrt(sum / D + eps);
  };
  /** One row, normalised with `scale`, into `out`: without the learned weight and bias. */
  const normalise = (x: Float64Array, at: number, scale: number, out: Float64Array, to: number) => {
    const mean = meanOf(x, at);
    for (let m = 0; m < D; m++) out[to + m] = (x[at + m] - mean) / scale;
  };
  /** Learned weight and bias of a normalisation, on rows. */
  const affine = (x: Float64Array<ArrayBuffer>, name: string) => {
    const [w, b] = [vector(`${name}.w`, D, 1), vector(`${name}.b`, D, 0)];
    return x.map((value, i) => value * w[i % D] + b[i % D]);
  };
  const layerNorm = (x: Float64Array<ArrayBuffer>, name: string) => {
    if (none) return { scale: new Float64Array(B * T).fill(1), normalized: x.slice() };
    const scales = new Float64Array(B * T);
    for (let row = 0; row < B * T; row++) scales[row] = scaleOf(x, row * D);
    const scale = record(`${name}.hook_scale`, [B, T, 1], scales);
    const normalized = new Float64Array(B * T * D);
    for (let row = 0; row < B * T; row++) normalise(x, row * D, scale[row], normalized, row * D);
    return { scale, normalized: affine(record(`${name}.hook_normalized`, [B, T, D], normalized), name) };
  };
  const add = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]);

  const embed = new Float64Array(B * T * D);
  const position = new Float64Array(B * T * D);
  const [W_E, W_pos] = [matrix("embed.W_E"), matrix("pos_embed.W_pos")];
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      for (let m = 0; m < D; m++) {
        embed[(b * T + t) * D + m] = W_E[tokens[b][t] * D + m];
        position[(b * T + t) * D + m] = W_pos[t * D + m];
      }
    }
  }
  let resid = add(
    record("hook_embed", [B, T, D], embed),
    record("hook_pos_embed", [B, T, D], position),
  );

  for (let layer = 0; layer < n_layers; layer++) {
    const block = `blocks.${layer}`;
    resid = record(`${block}.hook_resid_pre`, [B, T, D], resid);

    // The three inputs, one copy of the residual stream for each head.
    const inputs = new Map<string, Float64Array>();
    for (const x of ["q", "k", "v"]) {
      const copies = new Float64Array(B * T * H * D);
      for (let row = 0; row < B * T; row++) {
        for (let h = 0; h < H; h++) copies.set(resid.subarray(row * D, (row + 1) * D), (row * H + h) * D);
      }
      inputs.set(x, record(`${block}.hook_${x}_input`, [B, T, H, D], copies));
    }
    const ln1 = layerNorm(resid, `${block}.ln1`);
    const frozen = edits[`${block}.ln1.hook_scale`] !== undefined;

    // q, k, v [batch, pos, head, d_head] = normalised input · W + b
    const projected = new Map<string, Float64Array>();
    for (const x of ["q", "k", "v"]) {
      const input = inputs.get(x)!;
      const edited = edits[`${block}.hook_${x}_input`] !== undefined;
      const W = matrix(`${block}.attn.W_${x.toUpperCase()}`);
      const bias = vector(`${block}.attn.b_${x.toUpperCase()}`, H * K, 0);
      const out = new Float64Array(B * T * H * K);
      let row = new Float64Array(D);
      for (let bt = 0; bt < B * T; bt++) {
        for (let h = 0; h < H; h++) {
          if (edited) {
            const at = (bt * H + h) * D;
            normalise(input, at, frozen ? ln1.scale[bt] : scaleOf(input, at), row, 0);
            row = affine(row, `${block}.ln1`);
          } else row.set(ln1.normalized.subarray(bt * D, (bt + 1) * D));
          for (let k = 0; k < K; k++) {
            let sum = bias[h * K + k];
            for (let m = 0; m < D; m++) sum += row[m] * W[(h * D + m) * K + k];
            out[(bt * H + h) * K + k] = sum;
          }
        }
      }
      projected.set(x, record(`${block}.attn.hook_${x}`, [B, T, H, K], out));
    }
    const [q, k, v] = ["q", "k", "v"].map((x) => projected.get(x)!);

    // scores [batch, head, query, key] = q·k / √d_head, −∞ where the key lies after the query
    const scores = new Float64Array(B * H * T * T).fill(-Infinity);
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < H; h++) {
        for (let i = 0; i < T; i++) {
          for (let j = 0; j <= i; j++) {
            let sum = 0;
            for (let d = 0; d < K; d++) {
              sum += q[((b * T + i) * H + h) * K + d] * k[((b * T + j) * H + h) * K + d];
            }
            scores[((b * H + h) * T + i) * T + j] = sum / Math.sqrt(K);
          }
        }
      }
    }
    const pattern = softmaxRows(record(`${block}.attn.hook_attn_scores`, [B, H, T, T], scores), T);
    const A = record(`${block}.attn.hook_pattern`, [B, H, T, T], pattern);

    // z [batch, pos, head, d_head] = Σ_j A[i, j] v_j
    const mixed = new Float64Array(B * T * H * K);
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < H; h++) {
        for (let i = 0; i < T; i++) {
          for (let d = 0; d < K; d++) {
            let sum = 0;
            for (let j = 0; j < T; j++) {
              sum += A[((b * H + h) * T + i) * T + j] * v[((b * T + j) * H + h) * K + d];
            }
            mixed[((b * T + i) * H + h) * K + d] = sum;
          }
        }
      }
    }
    const z = record(`${block}.attn.hook_z`, [B, T, H, K], mixed);

    // result [batch, pos, head, d_model] = z · W_O, without b_O
    const W_O = matrix(`${block}.attn.W_O`);
    const perHead = new Float64Array(B * T * H * D);
    for (let bt = 0; bt < B * T; bt++) {
      for (let h = 0; h < H; h++) {
        for (let m = 0; m < D; m++) {
          let sum = 0;
          for (let d = 0; d < K; d++) sum += z[(bt * H + h) * K + d] * W_O[(h * K + d) * D + m];
          perHead[(bt * H + h) * D + m] = sum;
        }
      }
    }
    const result = record(`${block}.attn.hook_result`, [B, T, H, D], perHead);
    const b_O = vector(`${block}.attn.b_O`, D, 0);
    const attnOut = new Float64Array(B * T * D);
    for (let bt = 0; bt < B * T; bt++) {
      for (let m = 0; m < D; m++) {
        let sum = b_O[m];
        for (let h = 0; h < H; h++) sum += result[(bt * H + h) * D + m];
        attnOut[bt * D + m] = sum;
      }
    }
    resid = add(resid, record(`${block}.hook_attn_out`, [B, T, D], attnOut));

    if (!config.attn_only) {
      resid = record(`${block}.hook_resid_mid`, [B, T, D], resid);
      const { normalized } = layerNorm(
        record(`${block}.hook_mlp_in`, [B, T, D], resid.slice()),
        `${block}.ln2`,
      );
      const pre = linear(normalized, matrix(`${block}.mlp.W_in`), vector(`${block}.mlp.b_in`, M, 0), D, M);
      const post = record(`${block}.mlp.hook_pre`, [B, T, M], pre).map((x) => activate(x, config.act_fn));
      const hidden = record(`${block}.mlp.hook_post`, [B, T, M], post);
      const out = linear(hidden, matrix(`${block}.mlp.W_out`), vector(`${block}.mlp.b_out`, D, 0), M, D);
      resid = add(resid, record(`${block}.hook_mlp_out`, [B, T, D], out));
    }
    resid = record(`${block}.hook_resid_post`, [B, T, D], resid);
  }

  const { normalized } = layerNorm(resid, "ln_final");
  const logits = linear(normalized, matrix("unembed.W_U"), vector("unembed.b_U", V, 0), D, V);
  record("logits", [B, T, V], logits);
  for (const name of Object.keys(edits)) {
    if (!used.has(name)) throw new Error(`plainForward: no hook point "${name}" was passed`);
  }
  return hooks;
}

/** y[row, o] = Σ_i x[row, i] · W[i, o] + b[o] */
function linear(
  x: Float64Array,
  W: ArrayLike<number>,
  b: ArrayLike<number>,
  inputs: number,
  outputs: number,
) {
  const rows = x.length / inputs;
  const y = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outputs; o++) y[row * outputs + o] = b[o];
    for (let i = 0; i < inputs; i++) {
      const value = x[row * inputs + i];
      for (let o = 0; o < outputs; o++) y[row * outputs + o] += value * W[i * outputs + o];
    }
  }
  return y;
}

/** Softmax of every row of `width` values; −∞ becomes 0. */
function softmaxRows(x: Float64Array, width: number): Float64Array<ArrayBuffer> {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) {
    const largest = Math.max(...x.subarray(at, at + width));
    let sum = 0;
    for (let j = at; j < at + width; j++) sum += y[j] = Math.exp(x[j] - largest);
    for (let j = at; j < at + width; j++) y[j] /= sum;
  }
  return y;
}

/** The MLP's activation; "gelu" is x·Φ(x) with the exact error function. */
function activate(x: number, act_fn: ModelConfig["act_fn"]): number {
  switch (act_fn) {
    case "gelu":
      return x * 0.5 * (1 + erf(x / Math.SQRT2));
    case "gelu_new":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "relu2":
      return Math.max(0, x) ** 2;
    case "relu":
      return Math.max(0, x);
    case "silu":
      return x / (1 + Math.exp(-x));
  }
}
