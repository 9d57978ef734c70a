/**
 * The first pass of a scan: statistics of every pair (writer, later node) and (writer, location), folded batch by batch. Memory
 * grows with pairs × bins, never with tokens.
 *
 * For each pair: a histogram of the projection ratio, how often it is below 0, Σ a·b and Σ ‖b‖² by block of prompts (for the
 * bootstrap, and for the ratio of sums) and by bin of positions, and the mean cosine.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { type Component, decompose, gram } from "../../metrics/components.ts";
import { Histograms } from "../../stats/histogram.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import { feed, type Model } from "../../transformer/model.ts";

/** Prompts are dealt into this many blocks, which the bootstrap draws; memory stays bounded however many prompts there are. */
export const BLOCKS = 64;
export const POSITION_BINS = 8;
/** A writer's output counts as zero below this part of the residual stream's norm: a ratio to it means nothing. */
export const ZERO_NORM = 1e-6;

/** Everything that is folded: typed arrays only, so that it can be saved and taken up again. */
export interface ScreenState {
  prompts: Int32Array;
  /** By pair, writer × component: histogram counts, values below 0, Σ cosine. */
  nodeCounts: Int32Array;
  below: Int32Array;
  cosine: Float64Array;
  /** By pair and block, by pair and position bin: Σ a·b. */
  dotByBlock: Float64Array;
  dotByPosition: Float64Array;
  /** By writer and block, by writer and position bin: Σ ‖b‖². */
  normByBlock: Float64Array;
  normByPosition: Float64Array;
  /** By writer × location: histogram counts. The last one: what the writer itself reads, before it writes. */
  locationCounts: Int32Array;
  /** By writer: tokens that count, tokens with zero norm, Σ ‖w‖/‖residual stream after the write's sublayer‖. */
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
  #model: Model;

  constructor(model: Model, state?: ScreenState) {
    this.#model = model;
    const { components, locations } = decompose(model.forward());
    this.components = components;
    this.locations = locations;
    const n = components.length, pairs = n * n;
    const [nodes, places] = [
      new Histograms(pairs, state?.nodeCounts),
      new Histograms(n * (locations.length + 1), state?.locationCounts),
    ];
    this.nodes = nodes;
    this.atLocations = places;
    this.state = state ?? {
      prompts: new Int32Array(1),
      nodeCounts: nodes.counts,
      below: new Int32Array(pairs),
      cosine: new Float64Array(pairs),
      dotByBlock: new Float64Array(pairs * BLOCKS),
      dotByPosition: new Float64Array(pairs * POSITION_BINS),
      normByBlock: new Float64Array(n * BLOCKS),
      normByPosition: new Float64Array(n * POSITION_BINS),
      locationCounts: places.counts,
      tokens: new Int32Array(n),
      zeros: new Int32Array(n),
      relativeNorm: new Float64Array(n),
    };
  }

  /** Index of the pair (writer, node) in the arrays by pair. */
  pair(writer: number, node: number): number {
    return writer * this.components.length + node;
  }

  /** Whether `node` reads the residual stream after `writer` has written to it. */
  canRead(node: number, writer: number): boolean {
    return writer < this.components[node].reads;
  }

  /** Runs over the prompts that are not yet folded. `onBatch` comes after each batch: a place to save the state. */
  async fold(
    prompts: Prompts,
    options: RunOptions & { onBatch?: () => void | Promise<void> } = {},
  ): Promise<void> {
    const done = this.state.prompts[0];
    if (done >= prompts.count) return;
    const rest: Prompts = {
      ...prompts,
      tokens: prompts.tokens.subarray(done * prompts.length),
      count: prompts.count - done,
    };
    const outputs = { gram: gram(decompose(this.#model.forward())) };
    const { onProgress } = options;
    const progress: RunOptions["onProgress"] = onProgress &&
      ((p) => onProgress({ ...p, done: p.done + done, total: prompts.count }));
    for await (
      const { results } of stream(outputs, feed(rest, this.#model.config), {
        ...options,
        onProgress: progress,
      })
    ) {
      this.#add(results.gram, prompts.length);
      await options.onBatch?.();
    }
  }

  /** Folds Gram matrices [batch, pos, component, other]. */
  #add({ data, shape: [batch, length] }: NdArray, promptLength: number): void {
    const { state, components: { length: n } } = this;
    const values = data as Float32Array;
    const inverse = new Float64Array(n), prefix = new Float64Array(n);
    const square = n * n;
    for (let b = 0; b < batch; b++) {
      const block = (state.prompts[0] + b) % BLOCKS;
      for (let t = 0; t < length; t++) {
        const at = (b * length + t) * square;
        const bin = Math.min(POSITION_BINS - 1, Math.floor(t * POSITION_BINS / promptLength));
        this.#addToken(values.subarray(at, at + square), block, bin, inverse, prefix);
      }
    }
    state.prompts[0] += batch;
  }

  /**
   * One Gram matrix. Components are walked in the order in which they are written; `prefix[w]` is (what is written so far) · w, so
   * at each location it is the residual stream's projection, and no residual stream needs a product of its own.
   */
  #addToken(g: Float32Array, block: number, bin: number, inverse: Float64Array, prefix: Float64Array): void {
    const { state, nodes, atLocations, components, locations } = this;
    const n = components.length, places = locations.length + 1;
    let residual = 0; // ‖what is written so far‖²
    let location = 0;
    for (let c = 0; c < n; c++) {
      const row = c * n;
      const own = g[row + c];
      let before = 0, read = 0; // the stream before c was written · c, and the part of it that c could read
      const normOfC = own > 0 ? 1 / Math.sqrt(own) : 0;
      for (let w = 0; w < c; w++) {
        const dot = g[row + w];
        before += dot;
        if (w < components[c].reads) read += dot;
        prefix[w] += dot;
        if (inverse[w] === 0 || w >= components[c].reads) continue;
        const pair = w * n + c;
        const ratio = dot * inverse[w];
        nodes.add(pair, ratio);
        if (ratio < 0) state.below[pair]++;
        state.cosine[pair] += dot * normOfC * Math.sqrt(inverse[w]);
        state.dotByBlock[pair * BLOCKS + block] += dot;
        state.dotByPosition[pair * POSITION_BINS + bin] += dot;
      }
      residual += 2 * before + own;
      prefix[c] = before + own;
      inverse[c] = own > ZERO_NORM * ZERO_NORM * residual ? 1 / own : 0;
      if (inverse[c] === 0) {
        state.zeros[c]++;
      } else {
        state.tokens[c]++;
        state.normByBlock[c * BLOCKS + block] += own;
        state.normByPosition[c * POSITION_BINS + bin] += own;
        state.relativeNorm[c] += Math.sqrt(own / residual);
        atLocations.add(c * places + places - 1, read * inverse[c]);
      }
      while (location < locations.length && locations[location].count === c + 1) {
        for (let w = 0; w <= c; w++) {
          if (inverse[w] !== 0) atLocations.add(w * places + location, prefix[w] * inverse[w]);
        }
        location++;
      }
    }
  }
}
