/**
 * The ground that models of known truth are planted in: a seeded transformer with LayerNorm whose parts are
 * all known.
 *
 * The residual stream is split by a random orthonormal basis: one axis for each position, an 8-dimensional
 * subspace S that planted writers write to, another of that size, and the rest for tokens. Embeddings have
 * one norm and are much larger than all else, so LayerNorm divides by nearly the same number σ everywhere.
 * All heads and MLPs are random and small; they write into S as well.
 */
import type { ModelConfig } from "../../../../lib/checkpoints/mod.ts";
import { stateDictShapes } from "../../../../lib/checkpoints/state_dict.ts";
import { Random } from "../../../../lib/stats/random.ts";

export type Vector = Float64Array;

export const LENGTH = 16;
export const VOCABULARY = 64;
/** Dimensions of S. */
export const RANK = 8;
/** Norm of a token's embedding and of a position's. */
export const EMBED = 8, POSITION = 3;
/** About what the random heads and MLP of one layer add to the square of the stream's norm. */
const NOISE = 2;

const CONFIG: ModelConfig = {
  n_layers: 4,
  n_heads: 8,
  d_model: 64,
  d_head: 16,
  d_mlp: 64,
  n_ctx: LENGTH,
  d_vocab: VOCABULARY,
  act_fn: "gelu",
  attn_only: false,
  normalization: "LNPre",
  eps: 1e-5,
  default_prepend_bos: false,
};

/** Standard deviations of the random weights; all others are 0. */
const SPREAD: [name: RegExp, sd: number][] = [
  [/W_[QKV]$|W_in$/, 0.125],
  [/W_O$/, 0.025],
  [/W_out$/, 0.015],
  [/W_U$/, 0.2],
];

/** `d` orthonormal vectors; the first is constant, so the others have mean 0. Gram–Schmidt, done twice. */
function basis(random: Random, d: number): Vector[] {
  const vectors: Vector[] = [];
  for (let i = 0; i < d; i++) {
    const v = Float64Array.from({ length: d }, () => i === 0 ? 1 : random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const u of vectors) {
        const dot = u.reduce((sum, x, k) => sum + x * v[k], 0);
        u.forEach((x, k) => v[k] -= dot * x);
      }
    }
    const norm = Math.hypot(...v);
    vectors.push(v.map((x) => x / norm));
  }
  return vectors;
}

/** Each vector times `factor`. */
export function times(factor: number, vectors: readonly Vector[]): Vector[] {
  return vectors.map((v) => v.map((x) => factor * x));
}

/** factor · Σ_i parts[i] · vectors[i] */
export function sum(vectors: readonly Vector[], parts: ArrayLike<number>, factor = 1): Vector {
  const result = new Float64Array(vectors[0].length);
  vectors.forEach((v, i) => v.forEach((x, k) => result[k] += factor * parts[i] * x));
  return result;
}

export class World {
  readonly config: ModelConfig;
  /** The weights as a state dict stores them. */
  readonly arrays = new Map<string, Float32Array<ArrayBuffer>>();
  /** The whole basis. */
  readonly axes: readonly Vector[];
  readonly positions: readonly Vector[];
  readonly S: readonly Vector[];
  readonly S2: readonly Vector[];
  readonly tokens: readonly Vector[];
  readonly #tokenMap: Vector[];
  readonly #positionMap: Vector[];

  constructor(seed: number, size: Partial<ModelConfig> = {}) {
    const random = new Random(seed);
    this.config = { ...CONFIG, ...size };
    const { d_model } = this.config;
    this.axes = basis(random, d_model);
    const [s, s2, tokens] = [1 + LENGTH, 1 + LENGTH + RANK, 1 + LENGTH + 2 * RANK];
    [this.positions, this.S, this.S2, this.tokens] = [[1, s], [s, s2], [s2, tokens], [tokens, d_model]].map((
      [from, to],
    ) => this.axes.slice(from, to));
    for (const [name, shape] of stateDictShapes(this.config)) {
      const sd = SPREAD.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
      const draw = () => sd === 0 ? 0 : sd * random.normal();
      this.arrays.set(name, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw));
    }
    for (let token = 0; token < VOCABULARY; token++) {
      const parts = this.tokens.map(() => random.normal());
      this.row("embed.W_E", token, sum(this.tokens, parts, EMBED / Math.hypot(...parts)));
    }
    times(POSITION, this.positions).forEach((axis, t) => this.row("pos_embed.W_pos", t, axis));
    this.#tokenMap = this.S.map(() => Float64Array.from(this.tokens, () => random.normal()));
    this.#positionMap = this.S.map(() => Float64Array.from(this.positions, () => random.normal()));
  }

  /** Sets a row of a weight whose last dim is d_model. */
  row(name: string, row: number, vector: ArrayLike<number>): void {
    this.arrays.get(name)!.set(vector, row * this.config.d_model);
  }

  /** Sets a column of a weight [matrix, d_model, columns], or of [d_model, columns] with `matrix` 0. */
  column(name: string, columns: number, column: number, vector: Vector, matrix = 0): void {
    const array = this.arrays.get(name)!;
    vector.forEach((x, m) => array[(matrix * vector.length + m) * columns + column] = x);
  }

  /** LayerNorm's σ where layer `layer` reads; `written`: squared norm of what is planted and still there. */
  sigma(layer: number, written = 0): number {
    return Math.sqrt((EMBED ** 2 + POSITION ** 2 + NOISE * layer + written) / this.config.d_model);
  }

  /** What reads 8 numbers, together of norm about `size`, from a token's embedding: a random linear map. */
  fromToken(size: number, sigma = this.sigma(0)): Vector[] {
    const factor = size * sigma / Math.sqrt(RANK) / EMBED;
    return this.#tokenMap.map((map) => sum(this.tokens, map, factor));
  }

  /** The same from the position: alike in all prompts. */
  fromPosition(size: number, sigma = this.sigma(0)): Vector[] {
    const factor = size * sigma / Math.sqrt(RANK) / POSITION;
    return this.#positionMap.map((map) => sum(this.positions, map, factor));
  }

  /** What reads the number course(t) at position t. */
  course(course: (t: number) => number, sigma = this.sigma(0)): Vector {
    return sum(this.positions, this.positions.map((_, t) => course(t)), sigma / POSITION);
  }
}
