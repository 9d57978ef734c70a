/**
 * Figure 8: which part of the writer's output is erased? A head's output is a sum over the positions that it
 * attends to; it is split into what comes from the first position (BOS) and the rest, and the summed output
 * of the cleaners' layers is projected onto each.
 */
import { attentionOf } from "../checkpoints/blocks.ts";
import type { Prompts } from "../checkpoints/mod.ts";
import { projectionRatio } from "../metrics/projection.ts";
import { writtenByHeads } from "../metrics/v_composition.ts";
import { run } from "../tensor/run.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode } from "../transformer/nodes.ts";
import { assumptions, Bands, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import type { Band, PositionRow } from "./rows.ts";

/** A head's output, split by where it comes from: [batch, pos, d_model] each. */
function splitByBos(forward: Forward, layer: number, head: number): { BOS: Tensor; rest: Tensor } {
  const attn = `blocks.${layer}.attn`;
  const toBos = forward.hook(`${attn}.hook_pattern`).select("head", head).select("key", 0).rename({
    query: "pos",
  });
  const value = forward.forEachHead(forward.hook(`${attn}.hook_v`)).select("head", head).select("pos", 0);
  const copied = value.dot(forward.weight(`${attn}.W_O`).select("head", head), "d_head"); // [batch, d_model]
  const before = toBos.expand("d_model", forward.config.d_model).mul(copied.expand("pos", "pos"));
  const BOS = forward.partThroughNorm(attentionOf(forward.config, layer).postNorm, before);
  return { BOS, rest: forward.headResult(layer, head).sub(BOS) };
}

/**
 * Cosine above which two parts are called one line: what is projected onto one is then projected onto the
 * other.
 */
const ONE_LINE = 0.95;

/** Figure 8's rows, and what they rest on. */
export interface BosParts extends Result<PositionRow> {
  /**
   * Cosine between the BOS part and the rest, over prompts and positions from 1 on. Near ±1 the two curves
   * are one curve, rescaled.
   */
  cosine: Band;
  /** Whether the parts can be told apart by projection: the median cosine's size is at most 0.95. */
  apart: boolean;
}

/**
 * Figure 8: what later heads write onto the part of the writer's output that comes from BOS, and onto the
 * rest, at each position.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { apart, cosine } = await bosParts(model, prompts);
 * console.log(apart, cosine.median); // false: both parts lie on one line
 * ```
 */
export async function bosParts(
  model: Model,
  prompts: Prompts,
  options: MeasureOptions & { writer?: string; layers?: readonly number[] } = {},
): Promise<BosParts> {
  checkArguments("bosParts", { model, prompts });
  checkOptions("bosParts", options, { ...MEASURE_OPTIONS, writer: true, layers: true });
  const { writer = model.cleanup.writer, layers = model.cleanup.patchedLayers } = options;
  const node = findNode(model.config, writer);
  if (node.kind !== "head") throw new Error(`Figure 8 splits the output of a head; got writer ${writer}`);
  const clean = model.forward();
  const heads = Array.from({ length: model.config.n_heads }, (_, head) => head);
  const written = layers.map((layer) =>
    writtenByHeads(clean, layer, clean.hook(`blocks.${layer}.attn.hook_z`), heads)
  );
  const sum = written.reduce((a, b) => a.add(b)); // without b_O: what the heads write
  const parts = splitByBos(clean, node.layer, node.head);
  const squared = { BOS: parts.BOS.sumSquares("d_model"), rest: parts.rest.sumSquares("d_model") };
  const lengths = squared.BOS.mul(squared.rest);
  const outputs = {
    ratios: { BOS: projectionRatio(sum, parts.BOS), rest: projectionRatio(sum, parts.rest) },
    squared,
    cosine: parts.BOS.dot(parts.rest, "d_model").div(lengths.atLeast(1e-30).sqrt()),
  };
  const values = await run(outputs, feed(prompts, model.config), options);

  const bands = new Bands(options);
  const [first, last] = bands.positions ?? [0, prompts.length - 1];
  const rows: PositionRow[] = [];
  for (const part of ["BOS", "rest"] as const) {
    const ratios = bands.series(values.ratios[part]), lengths = bands.series(values.squared[part]);
    const width = last - first + 1;
    // At the first position there is nothing but BOS, so the rest is zero and has no ratio.
    for (let position = part === "rest" ? Math.max(1, first) : first; position <= last; position++) {
      const column = (series: Float32Array) =>
        Float32Array.from({ length: prompts.count }, (_, b) => series[b * width + position - first]);
      rows.push({ writer, position, part, ...bands.bandOfRatios(column(ratios), column(lengths)) });
    }
  }
  const later = new Bands({ ...options, positions: [Math.max(1, first), last] });
  const cosine = later.band(later.series(values.cosine));
  return {
    rows,
    cosine,
    apart: Math.abs(cosine.median) <= ONE_LINE,
    assumptions: {
      ...assumptions(model, prompts, bands, "each by itself, over prompts"),
      projected: `sum of all heads of layers ${layers.join(", ")}, without b_O`,
    },
  };
}
