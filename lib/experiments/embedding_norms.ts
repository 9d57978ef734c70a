/**
 * Figure 6: what can the heads of the writer's layer write from an embedding alone? ‖LN(embedding) · W_V ·
 * W_O‖ for every token and every positional embedding. A head that writes much from positions and little from
 * tokens is about positions.
 *
 * "Scaled" is read as: each embedding divided by its own LayerNorm scale √(mean(e²) + eps), as if it stood
 * alone (in models whose heads read the stream as it is: the embedding itself). In the model token and
 * position are added first and share one scale, so what is small stays small: `scale: "shared"` divides all
 * embeddings by the root mean square √(mean(token²) + mean(position²) + eps) over the vocabulary and the
 * positions. A norm of what the heads write is left out. Weights only, no prompts.
 */
import { attentionOf, embeddings } from "../checkpoints/blocks.ts";
import { histogram } from "../stats/equal_bins.ts";
import { quantiles } from "../stats/quantiles.ts";
import type { NdArray } from "../tensor/nd_array.ts";
import { run } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { centred } from "../transformer/normalize.ts";
import type { Model } from "../transformer/model.ts";
import { headName } from "../transformer/nodes.ts";
import { checkArguments, checkChoice, checkOptions } from "./options.ts";
import type { Band, NormRow } from "./rows.ts";

/** mean(e²) of each embedding, after the mean is subtracted where the model does so: [row]. */
function meanSquares(forward: Forward, table: Tensor): Tensor {
  const own = centred(forward.config, table);
  return own.mul(own).mean("d_model");
}

/**
 * ‖e/scale · W_V · W_O‖ by embedding and head: table [row, d_model] → [row, head]. `shared`: a scale; default
 * each one's own.
 */
function writtenNorms(forward: Forward, layer: number, table: Tensor, shared?: number): Tensor {
  const { norm } = attentionOf(forward.config, layer);
  const own = centred(forward.config, table);
  const scale = meanSquares(forward, table).add(forward.config.eps).sqrt();
  const scaled = !norm ? table : shared === undefined ? own.div(scale) : own.mul(1 / shared);
  const weight = forward.maybeWeight(`${norm}.w`);
  const values = forward.forEachHead(
    (weight ? scaled.mul(weight) : scaled).dot(forward.weight(`blocks.${layer}.attn.W_V`), "d_model"),
  );
  const W_O = forward.weight(`blocks.${layer}.attn.W_O`);
  const gram = W_O.dot(W_O.rename({ d_head: "other" }), "d_model");
  // ‖v W_O‖² = v (W_O W_Oᵀ) vᵀ: no [d_vocab, head, d_model] result is written out.
  return values.dot(gram, "d_head").rename({ other: "d_head" }).dot(values, "d_head").atLeast(0).sqrt();
}

/**
 * One head and kind of embedding in four numbers: median and quartiles over the embeddings, and the peak of
 * the histogram.
 */
export interface NormSummary extends Band {
  /** The node, such as "L1H3" or "MLP2". */
  node: string;
  /** Token or positional embeddings. */
  embedding: NormRow["embedding"];
  /** The middle of the fullest bin (of equal ones the first): comparable with a peak read off a figure. */
  norm: number;
}

/** Figure 6's histograms, and a line of numbers for each. */
export interface EmbeddingNorms {
  /** One object a measured number or point. */
  rows: NormRow[];
  /** Median and spread of each histogram. */
  summary: NormSummary[];
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/** Of Figure 6. */
export interface EmbeddingNormOptions {
  /** Bins of the histograms, from 0 to the largest norm. Default 60. */
  bins?: number;
  /**
   * Default: the writer's. In a layer after the first, embeddings reach the heads with what was written
   * since.
   */
  layer?: number;
  /**
   * What an embedding is divided by: its own LayerNorm scale (default, as if it stood alone), or one scale
   * for tokens and positions.
   */
  scale?: NormRow["scale"];
}

/**
 * Figure 6: the norm of what each head of the writer's layer would write from an embedding alone.
 *
 * @example
 * ```ts
 * import { loadModel } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { summary } = await embeddingNorms(model);
 * for (const { node, embedding, median } of summary) console.log(node, embedding, median);
 * ```
 */
export async function embeddingNorms(
  model: Model,
  options: EmbeddingNormOptions = {},
): Promise<EmbeddingNorms> {
  checkArguments("embeddingNorms", { model });
  checkOptions("embeddingNorms", options, { bins: true, layer: true, scale: true });
  const { bins = 60, layer = model.writersLayer, scale = "own" } = options;
  checkChoice("embeddingNorms", "scale", scale, ["own", "shared"]);
  const forward = model.forward();
  const tokens = forward.weight("embed.W_E").rename({ d_vocab: "row" });
  const tables: [NormRow["embedding"], Tensor][] = [["token", tokens]];
  if (embeddings(model.config).some(({ name }) => name === "pos_embed")) {
    tables.push(["position", forward.weight("pos_embed.W_pos").rename({ pos: "row" })]);
  }
  const values: Record<string, NdArray> = {};
  const shared = scale === "shared"
    ? await sharedScale(forward, tables.map(([, table]) => table))
    : undefined;
  for (const [embedding, table] of tables) {
    const { norms } = await run(
      { norms: writtenNorms(forward, layer, table, shared).order("row", "head") },
      {},
    );
    values[embedding] = norms;
  }
  const rows: NormRow[] = [];
  const summary: NormSummary[] = [];
  for (let head = 0; head < model.config.n_heads; head++) {
    const node = headName(layer, head);
    for (const [embedding] of tables) {
      const { data, shape: [count, heads] } = values[embedding];
      const column = Float64Array.from({ length: count }, (_, i) => data[i * heads + head]);
      const counted = histogram(column, bins);
      for (const { from, to, count: n } of counted) {
        rows.push({ node, embedding, scale, from, to, share: n / count });
      }
      const fullest = counted.reduce((a, b) => b.count > a.count ? b : a);
      const [median, low, high] = quantiles(column, [0.5, 0.25, 0.75]);
      summary.push({ node, embedding, norm: (fullest.from + fullest.to) / 2, median, low, high, n: count });
    }
  }
  return {
    rows,
    summary,
    assumptions: {
      model: model.name,
      scaled: shared === undefined
        ? "each embedding by its own LayerNorm scale"
        : `all embeddings by ${shared.toPrecision(3)}, the LayerNorm scale of a token plus a position`,
      bins: `${bins}`,
    },
  };
}

/** √(Σ of the tables' mean squares + eps). */
async function sharedScale(forward: Forward, tables: readonly Tensor[]): Promise<number> {
  let square = forward.config.eps;
  for (const table of tables) {
    square += (await run({ square: meanSquares(forward, table).mean("row") }, {})).square.data[0];
  }
  return Math.sqrt(square);
}
