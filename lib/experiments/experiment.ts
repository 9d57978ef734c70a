/**
 * An experiment: expressions to be computed, and how their values become rows. Experiments that are measured
 * together stand in one graph, so what they have in common is computed once, and prompts are read once.
 */
import { type ModelConfig, outputSize } from "../checkpoints/config.ts";
import type { Prompts } from "../checkpoints/mod.ts";
import { NotFinite, quantiles } from "../stats/quantiles.ts";
import type { NdArray } from "../tensor/nd_array.ts";
import type { Outputs, Results } from "../tensor/outputs.ts";
import { run, type RunOptions } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import { refuseNotFinite } from "./finite.ts";
import type { Band } from "./rows.ts";

export interface Experiment<Row, T extends Outputs = Outputs> {
  outputs: T;
  rows(values: Results<T>, bands: Bands): Row[];
}

/** Bands, positions, and how the run is divided. */
export interface MeasureOptions extends RunOptions {
  /**
   * Lower and upper quantile of the bands. Default [0.25, 0.75], as the post's text says; its images show
   * [0.125, 0.875].
   */
  quantiles?: readonly [number, number];
  /** First and last position that count, such as [1, 254]. Default: all, as in the post. */
  positions?: readonly [number, number];
}

/** Rows, and what they rest on: an assumption is never silent. */
export interface Result<Row> {
  /** One object a measured number or point. */
  rows: Row[];
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/** Turns the values of one quantity into a median and a band over the positions that count. */
export class Bands {
  readonly quantiles: readonly [number, number];
  readonly positions?: readonly [number, number];

  constructor(options: MeasureOptions = {}) {
    this.quantiles = options.quantiles ?? [0.25, 0.75];
    this.positions = options.positions;
    const two = Array.isArray(this.quantiles) && this.quantiles.length === 2;
    const [low, high] = two ? this.quantiles : [NaN, NaN];
    if (!(low >= 0 && low <= 0.5 && high >= 0.5 && high <= 1)) {
      throw new Error(
        `quantiles: got ${
          JSON.stringify(this.quantiles)
        }; expected two: one in 0 … 0.5 and one in 0.5 … 1, such as [0.25, 0.75]`,
      );
    }
  }

  /**
   * The values of `array` [batch, pos, …] that count; `index` counts along the dims after batch and pos,
   * taken as one.
   */
  series(array: NdArray, index = 0): Float32Array {
    const [batch, length, ...rest] = array.shape;
    const step = rest.reduce((a, b) => a * b, 1);
    const [first, last] = this.positions ?? [0, length - 1];
    if (!(first >= 0 && first <= last && last < length)) {
      throw new Error(`positions: got [${first}, ${last}]; expected them in 0 … ${length - 1}`);
    }
    const width = last - first + 1;
    const out = new Float32Array(batch * width);
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < width; t++) {
        out[b * width + t] = array.data[(b * length + first + t) * step + index];
      }
    }
    return out;
  }

  band(values: Float32Array): Band {
    const [median, low, high] = quantiles(values, [0.5, ...this.quantiles]);
    return { median, low, high, n: values.length };
  }

  /**
   * Of projection ratios onto vectors of these squared lengths: where a vector is zero there is no ratio, so
   * it does not count.
   */
  bandOfRatios(ratios: Float32Array, squared: Float32Array): Band {
    const counted = ratios.filter((_, i) => squared[i] !== 0);
    return counted.length > 0 ? this.band(counted) : { median: NaN, low: NaN, high: NaN, n: 0 };
  }
}

type Rows<T> = { [K in keyof T]: T[K] extends Experiment<infer Row> ? Row[] : never };

/** Measures several experiments in one pass over the prompts. */
export async function measure<T extends Record<string, Experiment<unknown>>>(
  model: Model,
  prompts: Prompts,
  experiments: T,
  options: MeasureOptions = {},
): Promise<{ rows: Rows<T>; assumptions: Record<string, string> }> {
  const bands = new Bands(options);
  const values = await run(outputsOf(experiments), feed(prompts, model.config), options);
  const rows = await finite(model, prompts, () => rowsOf(experiments, values, bands));
  return { rows, assumptions: assumptions(model, prompts, bands) };
}

/** Rows from values. @throws where these are not finite, naming the hook point at which that begins */
export async function finite<T>(model: Model, prompts: Prompts, rows: () => T): Promise<T> {
  try {
    return rows();
  } catch (error) {
    if (error instanceof NotFinite) await refuseNotFinite(model, prompts, "what was measured");
    throw error;
  }
}

/** The outputs of several experiments, by experiment, for one run. */
export function outputsOf(experiments: Record<string, Experiment<unknown>>): Record<string, Outputs> {
  return Object.fromEntries(Object.entries(experiments).map(([name, { outputs }]) => [name, outputs]));
}

/** The rows of each experiment from the values of {@linkcode outputsOf}. */
export function rowsOf<T extends Record<string, Experiment<unknown>>>(
  experiments: T,
  values: Results<Record<string, Outputs>>,
  bands: Bands,
): Rows<T> {
  const rows = Object.entries(experiments).map(([name, one]) => [name, one.rows(values[name], bands)]);
  return Object.fromEntries(rows);
}

/** What every result rests on, in words. */
export function basis(model: Model, prompts: Prompts): Record<string, string> {
  const steps = Object.entries(model.processing).filter(([, done]) => done).map(([step]) => step);
  return {
    model: model.name,
    weightProcessing: steps.join(", ") || "none",
    ...(model.device !== "cpu" && { device: model.device }),
    prompts: `${prompts.count} of ${prompts.length} tokens: ${prompts.source}`,
    ...ofConfig(model.config),
  };
}

/** What a result rests on that sums values up as medians and bands, in words. */
export function assumptions(
  model: Model,
  prompts: Prompts,
  bands: Bands,
  over = "pooled over prompts",
): Record<string, string> {
  const [low, high] = bands.quantiles.map((q) => `${100 * q}`);
  const [first, last] = bands.positions ?? [0, prompts.length - 1];
  return {
    ...basis(model, prompts),
    positions: `${first} to ${last}, ${over}`,
    band: `${low}th to ${high}th percentile`,
  };
}

/** What a reader of results must know of a model that is not like the post's. */
function ofConfig(config: ModelConfig): Record<string, string> {
  const { output_logits_soft_cap: cap, norm_placement, rotary_scaling, n_ctx } = config;
  return {
    ...(outputSize(config) === 0 &&
      { logitAttribution: "none: the files hold a base model, without an unembedding" }),
    ...(cap !== undefined &&
      {
        logitAttribution:
          `of the logits before their soft cap, ${cap} · tanh(logit / ${cap}): those are sums over nodes`,
      }),
    ...(norm_placement && norm_placement !== "before" &&
      { headOutputs: "as they pass the norm after attention, with that run's own scale" }),
    ...(rotary_scaling?.rope_type === "longrope" &&
      {
        context: `up to ${n_ctx} tokens, the length of the first training: longer texts are turned otherwise`,
      }),
  };
}
