/**
 * Positions: a learned vector added to the embedding ("standard"), or rotary: pair i of q and of k at position t is turned by the
 * angle t · f_i, so that q · k depends on how far apart the two are. With half = rotary_dim / 2, f_i = rotary_base^(-i / half) and
 * pairs (i, half + i) of the first rotary_dim dims of a head, as in GPT-NeoX and Llama:
 *
 *     x_i → x_i cos - x_{half+i} sin        x_{half+i} → x_{half+i} cos + x_i sin
 *
 * Source: Su et al., arXiv 2104.09864. GPT-J's neighbouring pairs are not covered.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { concat, param, type Tensor } from "../tensor/tensor.ts";

/** f_i, in radians for each position: [rotary_dim / 2]. */
export function rotaryFrequencies(config: ModelConfig): Float64Array {
  const { rotary_dim = config.d_head, rotary_base = 10000, rotary_scaling } = config;
  const half = rotary_dim / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => rotary_base ** (-i / half));
  return rotary_scaling === undefined ? frequencies : frequencies.map((f) => f * slowing(f, rotary_scaling));
}

/** What a frequency is multiplied by for contexts longer than those of the first training. */
function slowing(frequency: number, scaling: NonNullable<ModelConfig["rotary_scaling"]>): number {
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

function rotaryTables(config: ModelConfig): { cos: Tensor; sin: Tensor } {
  const frequencies = rotaryFrequencies(config);
  const key = `${config.n_ctx}:${frequencies}`;
  let known = tables.get(key);
  if (known) return known;
  const half = frequencies.length;
  const [cos, sin] = [Math.cos, Math.sin].map((f) => {
    const values = new Float32Array(config.n_ctx * half);
    for (let t = 0; t < config.n_ctx; t++) {
      for (let i = 0; i < half; i++) values[t * half + i] = f(t * frequencies[i]);
    }
    const dims = [{ name: "pos", size: config.n_ctx }, { name: "d_head", size: half }];
    return param("rotary", values, dims).prefix("pos", "pos");
  });
  known = { cos, sin };
  tables.set(key, known);
  return known;
}

/** q or k [batch, pos, head or kv_head, d_head], each position's pairs turned. The dims after rotary_dim stay as they are. */
export function rotate(config: ModelConfig, x: Tensor): Tensor {
  const { rotary_dim = config.d_head, d_head } = config;
  const { cos, sin } = rotaryTables(config);
  const half = rotary_dim / 2;
  const [first, second] = [x.slice("d_head", 0, half), x.slice("d_head", half, rotary_dim)];
  const parts = [first.mul(cos).sub(second.mul(sin)), second.mul(cos).add(first.mul(sin))];
  if (rotary_dim < d_head) parts.push(x.slice("d_head", rotary_dim, d_head));
  return concat(parts, "d_head").order(...x.names);
}
