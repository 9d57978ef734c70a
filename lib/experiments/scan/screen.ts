/**
 * The first pass of a scan: statistics of every pair (writer, later node) and (writer, location), folded batch by batch. Memory
 * grows with pairs × bins, never with tokens.
 *
 * For each pair: a histogram of the projection ratio, Σ a·b and Σ ‖b‖² by bin of positions, and Σ of the cosine. All of it comes from
 * one Gram matrix of the components for each token (metrics/components.ts): the residual stream needs no product of its own.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { type Component, decompose, gram, type PositionRange } from "../../metrics/components.ts";
import { Histograms } from "../../stats/histogram.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { cost, type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";

export const POSITION_BINS = 8;
/** A writer's output counts as zero below this part of the residual stream's norm: a ratio to it means nothing. */
export const ZERO_NORM = 1e-6;
/** All components of as many positions are written out at once as fit in this: more leaves the processor's caches. */
const PIECE_BYTES = 48 * 2 ** 20;

/** Everything that is folded: typed arrays only, so that it can be saved and taken up again. */
export interface ScreenState {
  /** Prompts folded so far. */
  prompts: Int32Array;
  /** By pair: histogram counts, Σ cosine. */
  nodeCounts: Int32Array;
  cosine: Float64Array;
  /** By position bin and pair: Σ a·b. */
  dot: Float64Array;
  /** By position bin and writer: Σ ‖b‖². */
  norm: Float64Array;
  /** By writer × location: histogram counts. The last one: what the writer itself reads, before it writes. */
  locationCounts: Int32Array;
  /** By writer: tokens that count, tokens with zero norm, Σ ‖w‖/‖residual stream after the write‖. */
  tokens: Int32Array;
  zeros: Int32Array;
  relativeNorm: Float64Array;
}

export class Screen {
  readonly components: Component[];
  readonly locations: { location: string; count: number }[];
  readonly state: ScreenState;
  readonly nodes: Histograms;
  readonly atLocations: Histograms;
  readonly pairs: number;
  #model: Model;

  /** @param state what an earlier, interrupted pass over the same prompts had folded */
  constructor(model: Model, state?: ScreenState) {
    this.#model = model;
    const { components, locations } = decompose(model.forward());
    this.components = components;
    this.locations = locations;
    const n = components.length, pairs = n * (n - 1) / 2;
    this.pairs = pairs;
    this.nodes = new Histograms(pairs, state?.nodeCounts);
    this.atLocations = new Histograms(n * (locations.length + 1), state?.locationCounts);
    this.state = state ?? {
      prompts: new Int32Array(1),
      nodeCounts: this.nodes.counts,
      cosine: new Float64Array(pairs),
      dot: new Float64Array(POSITION_BINS * pairs),
      norm: new Float64Array(POSITION_BINS * n),
      locationCounts: this.atLocations.counts,
      tokens: new Int32Array(n),
      zeros: new Int32Array(n),
      relativeNorm: new Float64Array(n),
    };
  }

  /** Index of the pair in the arrays by pair. `writer` < `node`; the pairs of one node stand together. */
  pair(writer: number, node: number): number {
    return node * (node - 1) / 2 + writer;
  }

  /** Index of the series in `atLocations`; `location` = locations.length: what the writer reads before it writes. */
  place(writer: number, location: number): number {
    return writer * (this.locations.length + 1) + location;
  }

  /** Whether `node` reads the residual stream after `writer` has written to it. */
  canRead(node: number, writer: number): boolean {
    return writer < this.components[node].reads;
  }

  /** Σ a·b / Σ ‖b‖² of a pair, over all tokens or over one bin of positions; NaN when the writer wrote nothing there. */
  ratio(writer: number, node: number, bin?: number): number {
    const { state: { dot, norm }, pairs, components: { length: n } } = this;
    let [above, below] = [0, 0];
    for (let p = bin ?? 0; p < (bin === undefined ? POSITION_BINS : bin + 1); p++) {
      above += dot[p * pairs + this.pair(writer, node)];
      below += norm[p * n + writer];
    }
    return below > 0 ? above / below : NaN;
  }

  /** The Gram matrices of the positions of a prompt, in pieces: "gram0", "gram1" … of about `pieceBytes` each. */
  outputs(length: number, pieceBytes = PIECE_BYTES): Record<string, Tensor> {
    const forward = this.#model.forward();
    const bytes = 4 * this.components.length * (2 * this.#model.config.d_model + this.components.length);
    const step = Math.min(length, Math.max(8, Math.floor(pieceBytes / bytes)));
    const ranges: PositionRange[] = [];
    for (let start = 0; start < length; start += step) {
      ranges.push({ start, end: Math.min(length, start + step) });
    }
    return Object.fromEntries(ranges.map((range, i) => [`gram${i}`, gram(decompose(forward, range))]));
  }

  /** FLOPs and peak bytes of one prompt. */
  cost(length: number): { flops: number; peakBytes: number } {
    return cost(this.outputs(length), { batch: 1, pos: length });
  }

  /** Runs over the prompts that are not yet folded. `onBatch` comes after each batch: a place to save the state. */
  async fold(
    prompts: Prompts,
    options: RunOptions & { onBatch?: () => void | Promise<void> } = {},
  ): Promise<void> {
    const done = this.state.prompts[0];
    if (done >= prompts.count) return;
    const rest: Prompts = {
      source: prompts.source,
      length: prompts.length,
      tokens: prompts.tokens.subarray(done * prompts.length),
      count: prompts.count - done,
    };
    const { onProgress } = options;
    const progress: RunOptions["onProgress"] = onProgress &&
      ((p) => onProgress({ ...p, done: p.done + done, total: prompts.count }));
    const runOptions = { ...options, onProgress: progress };
    const fed = feed(rest, this.#model.config);
    for await (const { results } of stream(this.outputs(prompts.length), fed, runOptions)) {
      this.#add(Object.values(results), prompts.length);
      await options.onBatch?.();
    }
  }

  /** Folds one batch: Gram matrices [batch, pos, component, other] of successive pieces of the prompts. */
  #add(grams: NdArray[], promptLength: number): void {
    const { state, pairs, components: { length: n } } = this;
    const [batch] = grams[0].shape;
    const scratch = new Scratch(n, pairs);
    for (let b = 0; b < batch; b++) {
      let t = 0, bin = 0;
      for (const { data, shape: [, length] } of grams) {
        for (let i = 0; i < length; i++, t++) {
          const now = Math.min(POSITION_BINS - 1, Math.floor(t * POSITION_BINS / promptLength));
          if (now !== bin) scratch.flush(state.dot, bin * pairs);
          bin = now;
          const at = (b * length + i) * n * n;
          this.#addToken((data as Float32Array).subarray(at, at + n * n), bin, scratch);
        }
      }
      scratch.flush(state.dot, bin * pairs);
    }
    state.prompts[0] += batch;
  }

  /**
   * One Gram matrix. Components are walked in the order in which they are written; `prefix[w]` is (what is written so far) · w, so
   * at each location it is the residual stream's projection.
   */
  #addToken(g: Float32Array, bin: number, { inverse, root, prefix, dots }: Scratch): void {
    const { state: { cosine, norm, tokens, zeros, relativeNorm }, nodes, atLocations, locations } = this;
    const n = this.components.length, places = locations.length + 1;
    let residual = 0; // ‖what is written so far‖²
    let location = 0;
    for (let c = 0; c < n; c++) {
      const row = c * n, base = c * (c - 1) / 2, reads = this.components[c].reads;
      const own = g[row + c];
      const rootOfC = own > 0 ? 1 / Math.sqrt(own) : 0;
      let read = 0; // the stream that c could read · c
      for (let w = 0; w < reads; w++) {
        const dot = g[row + w];
        read += dot;
        prefix[w] += dot;
        dots[base + w] += dot;
        cosine[base + w] += dot * rootOfC * root[w];
        if (inverse[w] !== 0) nodes.add(base + w, dot * inverse[w]);
      }
      let before = read; // the stream before c is written · c
      for (let w = reads; w < c; w++) { // written beside c: it cannot be read
        before += g[row + w];
        prefix[w] += g[row + w];
      }
      residual += 2 * before + own;
      prefix[c] = before + own;
      inverse[c] = own > ZERO_NORM * ZERO_NORM * residual ? 1 / own : 0;
      root[c] = Math.sqrt(inverse[c]);
      if (inverse[c] === 0) {
        zeros[c]++;
      } else {
        tokens[c]++;
        norm[bin * n + c] += own;
        relativeNorm[c] += Math.sqrt(own / residual);
        atLocations.add(c * places + places - 1, read * inverse[c]);
      }
      for (; location < locations.length && locations[location].count === c + 1; location++) {
        for (let w = 0; w <= c; w++) {
          if (inverse[w] !== 0) atLocations.add(w * places + location, prefix[w] * inverse[w]);
        }
      }
    }
  }
}

/** What one token's folding writes to, made once for a batch. */
class Scratch {
  /** By writer: 1 / ‖w‖², or 0 where its output counts as zero; the root of that; (what is written so far) · w. */
  readonly inverse: Float64Array;
  readonly root: Float64Array;
  readonly prefix: Float64Array;
  /** By pair: Σ a·b over the tokens since the last flush. */
  readonly dots: Float64Array;

  constructor(n: number, pairs: number) {
    this.inverse = new Float64Array(n);
    this.root = new Float64Array(n);
    this.prefix = new Float64Array(n);
    this.dots = new Float64Array(pairs);
  }

  /** Adds `dots` to `sums` from `at` on, and empties them. */
  flush(sums: Float64Array, at: number): void {
    for (let i = 0; i < this.dots.length; i++) sums[at + i] += this.dots[i];
    this.dots.fill(0);
  }
}
