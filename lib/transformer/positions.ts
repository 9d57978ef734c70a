/**
 * Positions: a learned vector added to the embedding ("standard"), or rotary: pair i of q and of k at
 * position t is turned by the angle t · f_i, so that q · k depends on how far apart the two are. With half =
 * rotary_dim / 2, f_i = rotary_base^(-i / half) and pairs (i, half + i) of the first rotary_dim dims of a
 * head, as in GPT-NeoX and Llama:
 *
 *     x_i → x_i cos - x_{half+i} sin        x_{half+i} → x_{half+i} cos + x_i sin
 *
 * GPT-J's neighbouring pairs (2i, 2i + 1) are brought into this order when the weights are read
 * (families/layout.ts). Source: Su et al., arXiv 2104.09864. ALiBi ("alibi", Press et al., arXiv 2108.12409)
 * adds to the scores: see `slopesBeside`.
 */
import type { Rotation } from "../checkpoints/blocks.ts";
import type { ModelConfig, RotaryScaling } from "../checkpoints/config.ts";
import { table } from "../tensor/table.ts";
import { concat, constant, type Tensor } from "../tensor/tensor.ts";

/** f_i, in radians for each position: [rotary_dim / 2]. */
export function rotaryFrequencies(rotation: Rotation): Float64Array {
  const { d_head, rotary_dim = d_head, rotary_base = 10000, rotary_scaling } = rotation;
  const half = rotary_dim / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => rotary_base ** (-i / half));
  if (rotary_scaling === undefined) return frequencies;
  const { rope_type, short_factor, factor = 1 } = rotary_scaling;
  if (rope_type === "longrope") return frequencies.map((f, i) => f / short_factor![i]);
  const kept = keptShare(rotary_scaling, frequencies, rotary_base);
  return frequencies.map((f, i) => f * (kept(i) + (1 - kept(i)) / factor));
}

/**
 * How much of turn i stays as it was; the rest is divided by `factor`. Source: transformers,
 * modeling_rope_utils.py.
 */
function keptShare(scaling: RotaryScaling, frequencies: Float64Array, base: number): (i: number) => number {
  const { rope_type, original_max_position_embeddings: length } = scaling;
  const between = (x: number) => Math.min(1, Math.max(0, x));
  if (rope_type === "linear") return () => 0;
  if (rope_type === "llama3") {
    const { low_freq_factor: low, high_freq_factor: high } = scaling;
    if (low === undefined || high === undefined || length === undefined) {
      throw new Error(
        `rotary_scaling "llama3" needs low_freq_factor, high_freq_factor and the original length`,
      );
    }
    // Turns over the original context length: fewer than low → divided, more than high → kept, between → in
    // part.
    return (i) => between((length * frequencies[i] / (2 * Math.PI) - low) / (high - low));
  }
  // yarn: the pair that makes `turns` turns over the original length, as a fraction of an index.
  const { beta_fast = 32, beta_slow = 1, truncate = true } = scaling;
  const dim = 2 * frequencies.length;
  const pair = (turns: number) => dim * Math.log(length! / (turns * 2 * Math.PI)) / (2 * Math.log(base));
  const [first, last] = [pair(beta_fast), pair(beta_slow)];
  const low = Math.max(0, truncate ? Math.floor(first) : first);
  const high = Math.min(dim - 1, truncate ? Math.ceil(last) : last);
  return (i) => 1 - between((i - low) / (high === low ? 0.001 : high - low));
}

/** cos or sin of every position and frequency, times `factor`: [pos, rotary_dim / 2]. */
const rotaryTable = table(
  "rotary",
  (length, wave: "cos" | "sin", factor: number, frequencies: readonly number[]) => {
    const half = frequencies.length, values = new Float32Array(length * half);
    for (let t = 0; t < length; t++) {
      for (let i = 0; i < half; i++) values[t * half + i] = factor * Math[wave](t * frequencies[i]);
    }
    return values;
  },
);

function rotaryTables(rotation: Rotation): { cos: Tensor; sin: Tensor } {
  const frequencies = rotaryFrequencies(rotation);
  const { attention_factor = 1 } = rotation.rotary_scaling ?? {};
  const dims = [{ name: "pos", size: "pos" }, { name: "d_head", size: frequencies.length }];
  const tensor = (wave: "cos" | "sin") => rotaryTable(dims, wave, attention_factor, [...frequencies]);
  return { cos: tensor("cos"), sin: tensor("sin") };
}

/**
 * q or k [batch, pos, head or kv_head, d_head], each position's pairs turned. The dims after rotary_dim stay
 * as they are.
 */
export function rotate(rotation: Rotation, x: Tensor): Tensor {
  const { d_head, rotary_dim = d_head } = rotation;
  const { cos, sin } = rotaryTables(rotation);
  const half = rotary_dim / 2;
  const [first, second] = [x.slice("d_head", 0, half), x.slice("d_head", half, rotary_dim)];
  const parts = [first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))];
  if (rotary_dim < d_head) parts.push(x.slice("d_head", rotary_dim, d_head));
  return concat(parts, "d_head").order(...x.names);
}

/** What ALiBi adds to the scores: [pos, head]. */
const alibiBiases = table(
  "ALiBi",
  (length, divisor: number, rounded: boolean, slopes: readonly number[]) => {
    const values = new Float32Array(length * slopes.length);
    for (let t = 0; t < length; t++) {
      for (const [h, slope] of slopes.entries()) {
        values[t * slopes.length + h] = rounded ? bfloat16(bfloat16(slope) * t) : slope * t * divisor;
      }
    }
    return values;
  },
);

/**
 * ALiBi by one more dim of each head: q' = [q, 1], k' = [k, slope · position · divisor], so that q' · k' /
 * divisor is q · k / divisor + slope · position of the key. (Adding slope · (key - query) would be the same:
 * softmax does not see what is equal for all keys.) Heads do not share keys in these models.
 */
export function slopesBeside(q: Tensor, k: Tensor, config: ModelConfig, divisor: number): [Tensor, Tensor] {
  const { alibi_slopes: slopes = [], alibi_before_scale_in_bfloat16: rounded = false } = config;
  const dims = [{ name: "pos", size: "pos" }, { name: "head", size: slopes.length }];
  const bias = alibiBiases(dims, divisor, rounded, slopes);
  const beside = (x: Tensor, one: Tensor) => {
    const missing = x.dims.filter((d) => !one.names.includes(d.name) && d.name !== "d_head");
    const wide = missing.reduce((t, d) => t.expand(d.name, d.size), one).expand("d_head", 1);
    return concat([x, wide.order(...x.names)], "d_head");
  };
  return [beside(q, constant(1)), beside(k, bias)];
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The nearest bfloat16, of two equally near the even one. */
function bfloat16(x: number): number {
  float[0] = x;
  bits[0] += 0x7fff + ((bits[0] >>> 16) & 1);
  bits[0] &= 0xffff0000;
  return float[0];
}
