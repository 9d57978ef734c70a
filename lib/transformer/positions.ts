/**
 * Positions: a learned vector added to the embedding ("standard"), or rotary: pair i of q and of k at position t is turned by the
 * angle t · f_i, so that q · k depends on how far apart the two are. With half = rotary_dim / 2, f_i = rotary_base^(-i / half) and
 * pairs (i, half + i) of the first rotary_dim dims of a head, as in GPT-NeoX and Llama:
 *
 *     x_i → x_i cos - x_{half+i} sin        x_{half+i} → x_{half+i} cos + x_i sin
 *
 * GPT-J's neighbouring pairs (2i, 2i + 1) are brought into this order when the weights are read (families/layout.ts).
 * Source: Su et al., arXiv 2104.09864. ALiBi ("alibi", Press et al., arXiv 2108.12409) adds to the scores: see `slopesBeside`.
 */
import type { Rotation } from "../checkpoints/blocks.ts";
import type { RotaryScaling } from "../checkpoints/config.ts";
import { concat, iota, param, type Tensor } from "../tensor/tensor.ts";

/** f_i, in radians for each position: [rotary_dim / 2]. */
export function rotaryFrequencies(rotation: Rotation): Float64Array {
  const { d_head, rotary_dim = d_head, rotary_base = 10000, rotary_scaling } = rotation;
  const half = rotary_dim / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => rotary_base ** (-i / half));
  return rotary_scaling === undefined ? frequencies : frequencies.map((f) => f * slowing(f, rotary_scaling));
}

/** What a frequency is multiplied by for contexts longer than those of the first training. */
function slowing(frequency: number, scaling: RotaryScaling): number {
  const { rope_type, factor } = scaling;
  if (rope_type === "linear") return 1 / factor;
  // llama3: turns over the original context length; fewer than low → divided, more than high → kept, between → in part.
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = scaling;
  if (low === undefined || high === undefined || length === undefined) {
    throw new Error(
      `rotary_scaling "llama3" needs low_freq_factor, high_freq_factor and the original length`,
    );
  }
  const turns = length * frequency / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
  return kept + (1 - kept) / factor;
}

/** cos and sin of every position and frequency, [pos n_ctx, d_head rotary_dim / 2]: one array for all that turn alike. */
const tables = new Map<string, { cos: Tensor; sin: Tensor }>();

function rotaryTables(rotation: Rotation): { cos: Tensor; sin: Tensor } {
  const frequencies = rotaryFrequencies(rotation);
  const key = `${rotation.n_ctx}:${frequencies}`;
  let known = tables.get(key);
  if (known) return known;
  const half = frequencies.length;
  const [cos, sin] = [Math.cos, Math.sin].map((f) => {
    const values = new Float32Array(rotation.n_ctx * half);
    for (let t = 0; t < rotation.n_ctx; t++) {
      for (let i = 0; i < half; i++) values[t * half + i] = f(t * frequencies[i]);
    }
    const dims = [{ name: "pos", size: rotation.n_ctx }, { name: "d_head", size: half }];
    return param("rotary", values, dims).prefix("pos", "pos");
  });
  known = { cos, sin };
  tables.set(key, known);
  return known;
}

/** q or k [batch, pos, head or kv_head, d_head], each position's pairs turned. The dims after rotary_dim stay as they are. */
export function rotate(rotation: Rotation, x: Tensor): Tensor {
  const { d_head, rotary_dim = d_head } = rotation;
  const { cos, sin } = rotaryTables(rotation);
  const half = rotary_dim / 2;
  const [first, second] = [x.slice("d_head", 0, half), x.slice("d_head", half, rotary_dim)];
  const parts = [first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))];
  if (rotary_dim < d_head) parts.push(x.slice("d_head", rotary_dim, d_head));
  return concat(parts, "d_head").order(...x.names);
}

/** Slopes as a parameter, one array for each list, so that equal expressions are recognised. */
const slopeArrays = new Map<string, Float32Array>();

/**
 * ALiBi by two dims of each head: q' = [q, slope · divisor], k' = [k, position of the key], so that q' · k' / divisor is
 * q · k / divisor + slope · position. (Adding slope · (key - query) would be the same: softmax does not see what is equal for all keys.)
 */
export function slopesBeside(
  q: Tensor,
  k: Tensor,
  slopes: readonly number[],
  divisor: number,
): [Tensor, Tensor] {
  const key = `${divisor}: ${slopes}`;
  if (!slopeArrays.has(key)) slopeArrays.set(key, Float32Array.from(slopes, (slope) => slope * divisor));
  const slope = param("ALiBi slopes", slopeArrays.get(key)!, [{ name: "head", size: slopes.length }]);
  const beside = (x: Tensor, more: Tensor) => {
    const one = x.dims.filter((d) => d.name !== "d_head" && !more.names.includes(d.name));
    const wide = one.reduce((t, d) => t.expand(d.name, d.size), more).expand("d_head", 1);
    return concat([x, wide.order(...x.names)], "d_head");
  };
  return [beside(q, slope), beside(k, iota("pos", "pos"))];
}
