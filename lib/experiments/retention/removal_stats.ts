/**
 * What is kept of one removal (a writer's output, or a control's, taken out of a run): sums, so that memory does not grow with prompts
 * and parts of a measurement are joined by adding. Positions of one prompt depend on each other and prompts do not, so what an interval
 * is wanted of is kept by block of prompts, and a bootstrap draws blocks.
 */
import { BlockQuantile } from "../../stats/block_quantile.ts";
import { Histograms } from "../../stats/histogram.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";

/** Prompts are dealt into at most so many blocks: prompt i stands in block i mod 64. */
export const BLOCKS = 64;

export interface Shape {
  /** Locations from the write on, and how many later nodes are written by then. */
  locations: readonly { location: string; after: number }[];
  /** Names of the later nodes. */
  nodes: readonly string[];
  blocks: number;
}

export class RemovalStats {
  readonly shape: Shape;
  /** R of each token: one series for each location; at the end of the stream, one for each block. */
  readonly retained: Histograms;
  readonly ends: Histograms;
  /** ρ of each token: one series for each later node. */
  readonly responses: Histograms;
  /** Σ (c - c̃)·δ by later node and block, and Σ ‖δ‖² by block. */
  readonly dots: Float64Array;
  readonly squares: Float64Array;
  #quantiles?: BlockQuantile;

  constructor(shape: Shape) {
    this.shape = shape;
    const { locations, nodes, blocks } = shape;
    this.retained = new Histograms(locations.length);
    this.ends = new Histograms(blocks);
    this.responses = new Histograms(nodes.length);
    this.dots = new Float64Array(nodes.length * blocks);
    this.squares = new Float64Array(blocks);
  }

  /** One token: (c - c̃)·δ of each later node from `at` on, and ‖δ‖². A token at which δ is zero does not count. */
  add(dots: ArrayLike<number>, at: number, square: number, prompt: number): void {
    if (!(square > 0)) return;
    const { locations, blocks } = this.shape;
    const block = prompt % blocks;
    this.squares[block] += square;
    let retained = 1, node = 0;
    for (let i = 0; i < locations.length; i++) {
      for (; node < locations[i].after; node++) {
        const response = dots[at + node] / square;
        retained += response;
        this.dots[node * blocks + block] += dots[at + node];
        this.responses.add(node, response);
      }
      this.retained.add(i, retained);
    }
    this.ends.add(block, retained);
    this.#quantiles = undefined;
  }

  /** Several measurements of one shape, added up. */
  static joined(parts: readonly RemovalStats[]): RemovalStats {
    const sum = new RemovalStats(parts[0].shape);
    for (const part of parts) {
      const pairs = [
        [sum.retained.counts, part.retained.counts],
        [sum.ends.counts, part.ends.counts],
        [sum.responses.counts, part.responses.counts],
        [sum.dots, part.dots],
        [sum.squares, part.squares],
      ];
      for (const [to, from] of pairs) from.forEach((x, i) => to[i] += x);
    }
    return sum;
  }

  /** Tokens that count. */
  get tokens(): number {
    return this.retained.total(0);
  }

  /** Median R at the end of the stream, over all blocks or over those drawn. */
  end(draw?: Int32Array): number {
    this.#quantiles ??= new BlockQuantile(this.ends);
    return this.#quantiles.at(0.5, draw);
  }

  /** Σ (c - c̃)·δ / Σ ‖δ‖²: the response of a later node to the whole text. These add up: 1 + Σ = `ratioAt` the end. */
  response(node: number, draw?: Int32Array): number {
    const { blocks } = this.shape;
    return sumOfBlocks(this.dots.subarray(node * blocks, (node + 1) * blocks), draw) /
      sumOfBlocks(this.squares, draw);
  }

  /** Σ (x_L - x̃_L)·δ / Σ ‖δ‖². */
  ratioAt(location: number, draw?: Int32Array): number {
    let ratio = 1;
    for (let node = 0; node < this.shape.locations[location].after; node++) {
      ratio += this.response(node, draw);
    }
    return ratio;
  }
}
