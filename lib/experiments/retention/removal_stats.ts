/**
 * What is kept of one removal (a writer's output, or a control's, taken out of a run): sums, so that memory
 * does not grow with prompts and parts of a measurement are joined by adding. Positions of one prompt depend
 * on each other and prompts do not, so what an interval is wanted of is kept by block of prompts, and a
 * bootstrap draws blocks.
 */
import { BlockQuantile } from "../../stats/block_quantile.ts";
import { Histograms } from "../../stats/histogram.ts";
import { type Entry, join, MOST_TOKENS, type Part, tooMany } from "./sums.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";

/** Prompts are dealt into at most so many blocks: prompt i stands in block i mod 64. */
export const BLOCKS = 64;

/**
 * Of what single tokens are kept, as histograms: every response and R at every location; R everywhere; R at
 * the end of the stream.
 */
export type Kept = "responses" | "locations" | "end";

export interface Shape {
  /** Locations from the write on, and how many later nodes are written by then. */
  locations: readonly { location: string; after: number }[];
  /** Names of the later nodes. */
  nodes: readonly string[];
  blocks: number;
}

/** @internal */
export class RemovalStats implements Entry {
  prompts = 0;
  readonly shape: Shape;
  readonly kept: Kept;
  /** R of each token: one series for each location; at the end of the stream, one for each block. */
  readonly retained?: Histograms;
  readonly ends: Histograms;
  /** ρ of each token: one series for each later node. */
  readonly responses?: Histograms;
  /** By later node: tokens on which it writes back. */
  readonly negative: Int32Array;
  /** Σ (c - c̃)·δ by later node and block, and Σ ‖δ‖² by block. */
  readonly dots: Float64Array;
  readonly squares: Float64Array;
  #quantiles?: BlockQuantile;

  constructor(shape: Shape, kept: Kept = "responses") {
    [this.shape, this.kept] = [shape, kept];
    const { locations, nodes, blocks } = shape;
    if (kept !== "end") this.retained = new Histograms(locations.length);
    if (kept === "responses") this.responses = new Histograms(nodes.length);
    this.ends = new Histograms(blocks);
    this.negative = new Int32Array(nodes.length);
    this.dots = new Float64Array(nodes.length * blocks);
    this.squares = new Float64Array(blocks);
  }

  /**
   * One token: (c - c̃)·δ of each later node from `at` on, and ‖δ‖². A token at which δ is zero does not
   * count.
   * @returns false when a number is not finite: nothing is to be said then
   */
  add(dots: ArrayLike<number>, at: number, square: number, prompt: number): boolean {
    if (square === 0) return true;
    const { locations, blocks } = this.shape, block = prompt % blocks;
    const { dots: sums, negative, responses } = this;
    this.squares[block] += square;
    let retained = 1, node = 0, most = 0;
    for (let i = 0; i < locations.length; i++) {
      for (const { after } = locations[i]; node < after; node++) {
        const dot = dots[at + node], response = dot / square;
        retained += response;
        sums[node * blocks + block] += dot;
        // no branch, which would be mispredicted half the time
        const count = negative[node] + Number(response < 0);
        negative[node] = count;
        most = Math.max(most, count);
        responses?.add(node, response);
      }
      this.retained?.add(i, retained);
    }
    if (most > MOST_TOKENS) throw tooMany();
    if (!Number.isFinite(retained + square)) return false;
    this.ends.add(block, retained);
    this.#quantiles = undefined;
    return true;
  }

  /** The arrays behind it, by name: what is saved, and added when parts are joined. */
  get arrays(): Record<string, Int32Array | Float64Array> {
    const { ends, negative, dots, squares, retained, responses } = this;
    const tokens = {
      ...(retained && { retained: retained.counts }),
      ...(responses && { responses: responses.counts }),
    };
    return { ends: ends.counts, negative, dots, squares, ...tokens };
  }

  /** Several measurements of one shape, added up. */
  static joined(parts: readonly RemovalStats[]): RemovalStats {
    const sum = new RemovalStats(parts[0].shape, parts[0].kept);
    for (const part of parts) join(sum, part);
    return sum;
  }

  /** Tokens that count. */
  get tokens(): number {
    let sum = 0;
    for (let block = 0; block < this.shape.blocks; block++) sum += this.ends.total(block);
    return sum;
  }

  /** Median R at the end of the stream, or another quantile, over all blocks or over those drawn. */
  end(draw?: Int32Array, p = 0.5): number {
    if (this.shape.nodes.length === 0) return this.tokens > 0 ? 1 : NaN; // exactly: nothing comes after it
    this.#quantiles ??= new BlockQuantile(this.ends);
    return this.#quantiles.at(p, draw);
  }

  /** Share of tokens on which a later node's response is below 0. */
  below(node: number): number {
    return this.negative[node] / this.tokens;
  }

  /**
   * Σ (c - c̃)·δ / Σ ‖δ‖²: the response of a later node to the whole text. These add up: 1 + Σ = `ratioAt`
   * the end.
   */
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

/** The removals of a part, by their keys. */
export function removalStats(part: Part = new Map()): Map<string, RemovalStats> {
  const found = new Map<string, RemovalStats>();
  for (const [key, entry] of part) if (entry instanceof RemovalStats) found.set(key, entry);
  return found;
}
