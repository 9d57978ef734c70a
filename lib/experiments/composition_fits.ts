/**
 * Figure 5's fits with intervals, and their baseline: how well is the attribution of *any* early head
 * cancelled by the same cleaners? A layer that writes back a part of whatever it reads cancels all of them,
 * so a writer is read beside the others.
 *
 * Position 0 is left out: it holds the same token in every prompt, and identical points are no evidence.
 * Intervals are 95 % bootstrap intervals over prompts.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { attributionVector, directLogitAttribution, topTwoDirection } from "../metrics/attribution.ts";
import { BlockRegression } from "../stats/regression.ts";
import { bootstrapInterval } from "../stats/significance.ts";
import { run } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";
import { findNode, headName } from "../transformer/nodes.ts";
import { cleanerHeads, cleanerOutputs } from "./composition_attribution.ts";
import { draws } from "./estimates.ts";
import { assumptions, Bands, type MeasureOptions, type Result } from "./experiment.ts";
import { checkArguments, checkOptions, MEASURE_OPTIONS } from "./options.ts";
import type { Estimate, FitRow, PairRow } from "./rows.ts";
import { number } from "./numbers_in_words.ts";

function fitRow(
  node: string,
  of: FitRow["of"],
  points: BlockRegression,
  drawn: readonly Int32Array[],
): FitRow {
  const whole = points.at();
  const lines = new Map(drawn.map((draw) => [draw, points.at(draw)]));
  const estimate = (field: "r" | "slope" | "intercept"): Estimate => ({
    value: whole[field],
    interval: bootstrapInterval((draw) => lines.get(draw)![field], drawn),
  });
  return {
    node,
    of,
    r: estimate("r"),
    slope: estimate("slope"),
    intercept: estimate("intercept"),
    n: whole.n,
  };
}

/**
 * The fits of Figure 5's pairs, in which `node` is the writer: composition, then total. Pairs at position 0
 * do not count.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * import { compositionAttribution } from "./composition_attribution.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 8 });
 * const { rows } = await compositionAttribution(model, prompts);
 * const [{ slope }] = fitsOverPrompts(rows, model.cleanup.writer);
 * console.log(slope.value, slope.interval); // 95 %, over prompts
 * ```
 */
export function fitsOverPrompts(rows: readonly PairRow[], node: string, { seed = 1 } = {}): FitRow[] {
  const blocks = rows.reduce((most, { prompt }) => Math.max(most, prompt + 1), 0);
  const drawn = draws(blocks, seed);
  return (["composition", "total"] as const).map((of) => {
    const points = new BlockRegression(blocks);
    for (const row of rows) if (row.position > 0) points.add(row.writer, row[of], row.prompt);
    return fitRow(node, of, points, drawn);
  });
}

/** Of Figure 5's baseline. */
export interface BaselineOptions extends MeasureOptions {
  /** Nodes to take for the cleaners. Default: those of the model's cleanup.json. */
  cleaners?: readonly string[];
  /**
   * The nodes that stand in the writer's place. Default: all heads of the layers up to the writer's, the
   * writer among them.
   */
  nodes?: readonly string[];
  /** Of the bootstrap. Default 1. */
  seed?: number;
}

const OPTIONS: Record<keyof BaselineOptions, true> = {
  ...MEASURE_OPTIONS,
  cleaners: true,
  nodes: true,
  seed: true,
};

/**
 * Figure 5's left panel for every early head in turn, against the same cleaners: one row a head.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await cancellationBaseline(model, prompts, { nodes: ["L1H4", "L1H5"] });
 * for (const { node, r } of rows) console.log(node, r.value);
 * ```
 */
export async function cancellationBaseline(
  model: Model,
  prompts: Prompts,
  options: BaselineOptions = {},
): Promise<Result<FitRow>> {
  checkArguments("cancellationBaseline", { model, prompts });
  checkOptions("cancellationBaseline", options, OPTIONS);
  const { cleaners = cleanerHeads(model), seed = 1 } = options;
  const nodes = options.nodes ?? earlyHeads(model, cleaners);
  const clean = model.forward();
  const vector = attributionVector(clean, topTwoDirection(clean));
  const outputs = nodes.map((name) => {
    const output = clean.node(name);
    const { composition } = cleanerOutputs(clean, output, cleaners);
    return {
      own: directLogitAttribution(output, vector),
      composition: directLogitAttribution(composition, vector),
    };
  });
  const values = await run({ nodes: outputs }, feed(prompts, model.config), options);
  const bands = new Bands({ ...options, positions: options.positions ?? [1, prompts.length - 1] });
  const [from, to] = bands.positions!;
  const drawn = draws(prompts.count, seed);
  const rows = nodes.map((name, node) => {
    const { own, composition } = values.nodes[node];
    const x = bands.series(own), y = bands.series(composition);
    const points = new BlockRegression(prompts.count);
    x.forEach((value, i) => points.add(value, y[i], Math.floor(i / (to - from + 1))));
    return fitRow(name, "composition", points, drawn);
  });
  return { rows, assumptions: assumptions(model, prompts, bands) };
}

/** All heads of the layers up to the writer's that stand before every cleaner's. */
function earlyHeads(model: Model, cleaners: readonly string[]): string[] {
  const { config } = model;
  const first = Math.min(...cleaners.map((name) => findNode(config, name).layer));
  const layers = Array.from({ length: Math.min(model.writersLayer + 1, first) }, (_, layer) => layer);
  return layers.flatMap((layer) =>
    Array.from({ length: config.n_heads }, (_, head) => headName(layer, head))
  );
}

/**
 * How the writer's r stands beside the other heads', in a sentence that is true of these rows.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const { rows } = await cancellationBaseline(model, prompts, { nodes: ["L1H4", "L1H5"] });
 * console.log(baselineInWords(rows, "L1H5"));
 * ```
 */
export function baselineInWords(rows: readonly FitRow[], writer: string): string {
  const own = rows.find((row) => row.node === writer);
  const others = rows.filter((row) => row.node !== writer);
  if (!own || others.length === 0) return "";
  const lower = others.filter((row) => row.r.value <= own.r.value).length;
  const [low, high] = [Math.min, Math.max].map((most) => most(...others.map((row) => row.r.value)));
  const clear = others.every((row) => row.r.interval[0] > own.r.interval[1]);
  const heads = others.length === 1 ? "one other head" : `${others.length} other heads`;
  const range = others.length === 1 ? number(low) : `${number(low)} … ${number(high)}`;
  const said = `${writer}: r = ${number(own.r.value)} (95 %: ${number(own.r.interval[0])} to ${
    number(own.r.interval[1])
  }); the ${heads} of these layers: ${range}`;
  if (clear) return `${said}. The same cleaners cancel ${writer} more surely than every other head.`;
  return `${said}, ${
    lower === 0 ? "none" : lower
  } of them as low or lower. The same cleaners cancel others too.`;
}
