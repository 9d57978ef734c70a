/**
 * Sums over tokens of a DLA x and of amounts y that are compared with it, by block of prompts: shares are
 * slopes through 0, Σ x·y / Σ x², and a bootstrap draws blocks. Large DLA values count for most, and no token
 * is divided by a DLA near 0.
 */
import { sumOfBlocks } from "../../stats/block_sums.ts";

export class Credits {
  readonly columns: number;
  readonly blocks: number;
  tokens = 0;
  readonly #xx: Float64Array;
  /** [column * blocks + block] */
  readonly #xy: Float64Array;
  readonly #yy: Float64Array;
  readonly #y: Float64Array;
  #x = 0;

  constructor(columns: number, blocks: number) {
    [this.columns, this.blocks] = [columns, blocks];
    this.#xx = new Float64Array(blocks);
    [this.#xy, this.#yy, this.#y] = [0, 1, 2].map(() => new Float64Array(columns * blocks));
  }

  /** One token of one prompt: its DLA, and the amount of each column. */
  add(prompt: number, x: number, amounts: ArrayLike<number>): void {
    const block = prompt % this.blocks;
    this.tokens++;
    this.#x += x;
    this.#xx[block] += x * x;
    for (let column = 0; column < this.columns; column++) {
      const y = amounts[column], at = column * this.blocks + block;
      this.#xy[at] += x * y;
      this.#yy[at] += y * y;
      this.#y[at] += y;
    }
  }

  static joined(parts: readonly Credits[]): Credits {
    const sum = new Credits(parts[0].columns, parts[0].blocks);
    for (const part of parts) {
      sum.tokens += part.tokens;
      sum.#x += part.#x;
      part.#xx.forEach((value, i) => sum.#xx[i] += value);
      part.#xy.forEach((value, i) => sum.#xy[i] += value);
      part.#yy.forEach((value, i) => sum.#yy[i] += value);
      part.#y.forEach((value, i) => sum.#y[i] += value);
    }
    return sum;
  }

  #of(sums: Float64Array, column: number, draw?: Int32Array): number {
    return sumOfBlocks(sums.subarray(column * this.blocks, (column + 1) * this.blocks), draw);
  }

  /** Σ x². */
  get square(): number {
    return sumOfBlocks(this.#xx);
  }

  /** Root mean square of the DLA; of equal ones, such as that of one token, the DLA itself with its sign. */
  get dla(): number {
    const mean = this.#x / this.tokens, size = Math.sqrt(this.square / this.tokens);
    return Math.abs(mean) > (1 - 1e-9) * size ? mean : size;
  }

  /** Σ x·y / Σ x² over all blocks, or over those drawn. NaN where all x are 0. */
  share(column: number, draw?: Int32Array): number {
    return this.#of(this.#xy, column, draw) / sumOfBlocks(this.#xx, draw);
  }

  /** Share of the DLA in logits: at one token the amount itself, also where the DLA is 0. */
  logits(column: number): number {
    return this.tokens === 1 ? this.#of(this.#y, column) : this.share(column) * this.dla;
  }

  mean(column: number): number {
    return this.#of(this.#y, column) / this.tokens;
  }

  /** Standard deviation of the amounts around share · x. NaN for fewer than two tokens. */
  spread(column: number): number {
    const rest = this.#of(this.#yy, column) - this.share(column) * this.#of(this.#xy, column);
    return Math.sqrt(Math.max(0, rest) / (this.tokens - 1));
  }
}
