/**
 * A model's weights, by TransformerLens name, with named dims. They are kept in the order that matrix
 * products read best (W_Q [d_model, head, d_head], W_U [d_vocab, d_model]); names, not places, tell which dim
 * is which.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { storedDims } from "../checkpoints/weight_names.ts";
import type { Device } from "../tensor/device.ts";
import { param, type Tensor } from "../tensor/tensor.ts";

/** One weight. */
export interface Weight {
  /** Row-major. */
  data: Float32Array;
  /** Names and sizes, in memory order. */
  dims: readonly { name: string; size: number }[];
}

/** By TransformerLens' names. */
export type Weights = Map<string, Weight>;

/** Names of a weight's dims in memory order: one GEMM for all heads; rows of W_U that a gather can read. */
export function keptDims(name: string, config?: ModelConfig): string[] {
  const [first, second, ...rest] = storedDims(name, config);
  return /\.W_[QKVU]$/.test(name)
    ? [second, first, ...rest]
    : [first, second, ...rest].filter((n) => n !== undefined);
}

/** A weight given in the order of a TransformerLens state dict, brought into memory order. */
export function weight(
  name: string,
  data: Float32Array,
  shape: readonly number[],
  config?: ModelConfig,
): Weight {
  const [stored, kept] = [storedDims(name, config), keptDims(name, config)];
  const order = kept.map((n) => stored.indexOf(n));
  return {
    data: permute(data, shape, order),
    dims: kept.map((n, i) => ({ name: n, size: shape[order[i]] })),
  };
}

/** A weight that a model does not have, of a state dict's shape. */
export function zeros(name: string, shape: readonly number[], config?: ModelConfig): Weight {
  return weight(name, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape, config);
}

/** Rows and columns that are moved together: what they read and write stays in the processor's caches. */
const TILE = 64;

/**
 * Copies with the axes in the order `axes`, up to three of them; axes that are left out stand at `offset`.
 * Gives `data` itself when nothing moves. The loop runs over the result in memory order, in tiles where its
 * rows are columns there: a transposed matrix of 2048 × 8192 takes half the time.
 */
export function permute(
  data: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
  offset = 0,
): Float32Array {
  if (axes.length === shape.length && axes.every((axis, i) => axis === i)) return data;
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const [n, s] = [axes.map((a) => shape[a]), axes.map((a) => strides[a])];
  while (n.length < 3) {
    n.unshift(1);
    s.unshift(0);
  }
  const [planes, rows, columns] = n, [byPlane, byRow, byColumn] = s;
  const out = new Float32Array(planes * rows * columns);
  const width = byColumn === 1 ? columns : TILE;
  for (let i = 0; i < planes; i++) {
    for (let row = 0; row < rows; row += TILE) {
      for (let column = 0; column < columns; column += width) {
        const lastRow = Math.min(row + TILE, rows), lastColumn = Math.min(column + width, columns);
        for (let j = row; j < lastRow; j++) {
          let from = offset + i * byPlane + j * byRow + column * byColumn;
          const to = (i * rows + j) * columns;
          for (let k = column; k < lastColumn; k++, from += byColumn) out[to + k] = data[from];
        }
      }
    }
  }
  return out;
}

/**
 * The weights as tensors, made once for each model so that equal expressions are recognised.
 * @internal
 */
export class Parameters {
  #tensors: ReadonlyMap<string, Tensor>;

  constructor(tensors: ReadonlyMap<string, Tensor>) {
    this.#tensors = tensors;
  }

  /** Over arrays in memory. */
  static over(weights: Weights, device?: Device): Parameters {
    return new Parameters(
      new Map([...weights].map(([name, { data, dims }]) => [name, param(name, data, dims, device)])),
    );
  }

  /** How many numbers they are. */
  count(): number {
    const sizes = [...this.#tensors.values()].map(({ dims }) => dims.reduce((n, d) => n * Number(d.size), 1));
    return sizes.reduce((a, b) => a + b, 0);
  }

  names(): string[] {
    return [...this.#tensors.keys()];
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`the model has no weight "${name}"`);
    return tensor;
  }

  maybe(name: string): Tensor | undefined {
    return this.#tensors.get(name);
  }
}
