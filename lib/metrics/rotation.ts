/**
 * The control of retention: a writer's own output, rotated. δ_Q(t) = Q w(t) with Q a random orthogonal
 * matrix: as long as w at every token, with the same course over the tokens and as many dimensions; only the
 * direction, as later nodes see it, is another.
 *
 * Q is made of Haar-distributed blocks of at most 64 × 64 (one block where d_model is no larger: Q is
 * Haar-distributed then), a random permutation and such blocks once more, so that every entry of Q w depends
 * on every entry of w. A full Haar matrix costs d_model³, this one 64² · d_model. Where the model's
 * normalisation subtracts the mean, Q leaves the direction (1, …, 1) alone: what a node writes has no part
 * there that anybody reads, and its rotated output must have none either.
 */
import { Random } from "../stats/random.ts";
import { NdArray } from "../tensor/nd_array.ts";
import { input, param, type Tensor } from "../tensor/tensor.ts";
import { subtractsMean } from "../transformer/normalize.ts";

const BLOCK = 64;

/** What a rotation depends on: the stream's width, and whether its mean counts. */
export type RotatedConfig = { d_model: number; normalization: string };

/**
 * Haar-distributed orthogonal [n, n], row by row: Gaussian vectors, each freed of those before it (twice,
 * against rounding).
 */
function haar(n: number, random: Random): Float64Array[] {
  const rows: Float64Array[] = [];
  while (rows.length < n) {
    const row = Float64Array.from({ length: n }, () => random.normal());
    for (let time = 0; time < 2; time++) {
      for (const other of rows) {
        let dot = 0;
        for (let i = 0; i < n; i++) dot += row[i] * other[i];
        for (let i = 0; i < n; i++) row[i] -= dot * other[i];
      }
    }
    const length = Math.hypot(...row);
    rows.push(row.map((x) => x / length));
  }
  return rows;
}

/** Haar blocks along the diagonal of [n, n], as rows with the place of their first entry. */
function haarBlocks(n: number, random: Random): { start: number; row: Float64Array }[] {
  const rows: { start: number; row: Float64Array }[] = [];
  const count = Math.ceil(n / BLOCK);
  for (let block = 0; block < count; block++) {
    const [start, end] = [block, block + 1].map((b) => Math.floor(b * n / count)); // all nearly equally large
    for (const row of haar(end - start, random)) rows.push({ start, row });
  }
  return rows;
}

/** A random orthogonal matrix [n, n], row by row. The same seed gives the same matrix. */
export function randomOrthogonal(n: number, seed: number): Float64Array {
  const random = new Random(seed);
  const Q = new Float64Array(n * n);
  const first = haarBlocks(n, random);
  if (n <= BLOCK) {
    first.forEach(({ row }, i) => Q.set(row, i * n));
    return Q;
  }
  const order = random.permutation(n);
  const second = haarBlocks(n, random);
  first.forEach(({ start, row }, i) => {
    row.forEach((x, k) => {
      const next = second[order[start + k]];
      next.row.forEach((y, j) => Q[i * n + next.start + j] += x * y);
    });
  });
  return Q;
}

/**
 * The same for vectors without a mean: Q maps (1, …, 1) to itself. A reflection takes that direction to the
 * first axis and back.
 */
export function randomOrthogonalCentred(n: number, seed: number): Float64Array {
  const Q = new Float64Array(n * n);
  const rest = randomOrthogonal(n - 1, seed);
  Q[0] = 1;
  for (let i = 1; i < n; i++) {
    Q.set(rest.subarray((i - 1) * (n - 1), i * (n - 1)), i * n + 1);
  }
  // I - 2 v vᵀ / ‖v‖² with v = (1, 0, …, 0) - (1, …, 1) / √n swaps the two directions.
  const v = new Float64Array(n).fill(-1 / Math.sqrt(n));
  v[0] += 1;
  const square = v.reduce((sum, x) => sum + x * x, 0);
  if (square === 0) return Q;
  for (const [row, column] of [[n, 1], [1, n]]) {
    for (let i = 0; i < n; i++) {
      let dot = 0;
      for (let j = 0; j < n; j++) dot += Q[i * row + j * column] * v[j];
      for (let j = 0; j < n; j++) Q[i * row + j * column] -= 2 * dot * v[j] / square;
    }
  }
  return Q;
}

/** Q [rotated, d_model] for a model: of the centred subspace where its normalisation subtracts the mean. */
export function rotationMatrix(config: RotatedConfig, seed: number): Float64Array {
  const draw = subtractsMean(config) ? randomOrthogonalCentred : randomOrthogonal;
  return draw(config.d_model, seed);
}

/**
 * Q as a tensor [rotated, d_model]: one for all tokens of a run.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * console.log(rotation(model.config, 1).names); // rotated, d_model: the same for the same seed
 * ```
 */
export function rotation(config: RotatedConfig, seed: number): Tensor {
  const { d_model: n } = config;
  const dims = [{ name: "rotated", size: n }, { name: "d_model", size: n }];
  return param(`rotation ${seed}`, Float32Array.from(rotationMatrix(config, seed)), dims);
}

/** `count` rotations, with the seeds from `seed` on. */
export function rotationsFrom(config: RotatedConfig, seed: number, count: number): Tensor[] {
  return Array.from({ length: count }, (_, i) => rotation(config, seed + i));
}

/**
 * Several rotations for one prompt that stands in a run as many times, each row with its own Q; the first row
 * is not rotated. The tensor, and what the run is fed as "turns". One graph serves all draws; the matrices
 * take (draws + 1) · d_model² floats.
 */
export function rotationsByRow(
  config: RotatedConfig,
  seeds: readonly number[],
): { turns: Tensor; fed: NdArray } {
  const { d_model: n } = config;
  const all = new Float32Array((seeds.length + 1) * n * n);
  for (let i = 0; i < n; i++) all[i * n + i] = 1;
  seeds.forEach((seed, row) => all.set(rotationMatrix(config, seed), (row + 1) * n * n));
  const dims = [{ name: "batch", size: "batch" }, { name: "rotated", size: n }, { name: "d_model", size: n }];
  return {
    turns: input("turns", dims, { dtype: "float32" }),
    fed: new NdArray(all, ["batch", "rotated", "d_model"], [seeds.length + 1, n, n]),
  };
}

/**
 * Q w: w [batch, pos, d_model] → the same dims.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { run } from "../tensor/run.ts";
 * import { feed } from "../transformer/model.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * const w = model.forward().node("L1H5"), turned = rotated(w, rotation(model.config, 1));
 * const lengths = { own: w.sumSquares("d_model"), turned: turned.sumSquares("d_model") };
 * const { own, turned: after } = await run(lengths, feed(prompts));
 * console.log(own.data[1], after.data[1]); // equal but for rounding
 * ```
 */
export function rotated(w: Tensor, Q: Tensor): Tensor {
  return w.dot(Q, "d_model").rename({ rotated: "d_model" });
}
