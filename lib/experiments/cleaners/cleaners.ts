/**
 * Cleaners in detail: which neurons of an MLP and which singular directions of a head take a writer's
 * output back, at which positions, whether they erase that direction or suppress whatever is predicted,
 * and what is left of what the writer said, location by location. Everything from the run without the
 * output, beside the same output rotated.
 */
import { outputSize } from "../../checkpoints/config.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { logitMetric } from "../../metrics/logit_metric.ts";
import { neuronCosines } from "../../metrics/neurons.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import {
  type SingularDirections,
  singularDirections,
  weightProducts,
} from "../../metrics/singular_directions.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { basis } from "../experiment.ts";
import { checkArguments, checkNames, checkNumber, checkOptions, RUN_OPTIONS, SEEDS } from "../options.ts";
import { inParts } from "../part_progress.ts";
import { measure, type Measured } from "./measure.ts";
import type { DirectionRow, LensRow, NeuronRow, PartsRow, PositionsRow, SuppressionRow } from "./rows.ts";
import { CleanersSummary } from "./summaries.ts";
import { suppression } from "./suppression.ts";

/** Which writer, which cleaners, how many of their parts. */
export interface CleanersOptions extends RunOptions {
  /** Default: the writer of the model's cleanup.json. */
  writer?: string;
  /**
   * Later nodes to look at. Default: the cleaners of the model's cleanup.json, where it is of this
   * writer.
   */
  cleaners?: readonly string[];
  /** So many neurons or directions of each, those that take most back. Default 8. */
  most?: number;
  /** Random rotations of the writer's own output, as a control; at least 2. Default 3. */
  rotations?: number;
  /** Of rotations and bootstrap. Default 1. */
  seed?: number;
}

const OPTIONS: Record<keyof CleanersOptions, true> = {
  ...RUN_OPTIONS,
  writer: true,
  cleaners: true,
  most: true,
  rotations: true,
  seed: true,
};

/** Rows of each question. */
export interface CleanersResult {
  /** Each cleaner as a whole, and how many of its parts do it. */
  cleaners: PartsRow[];
  /** Neurons of MLPs. */
  neurons: NeuronRow[];
  /** Singular directions of heads. */
  directions: DirectionRow[];
  /** Erases a direction, or suppresses a prediction; empty in a base model. */
  suppression: SuppressionRow[];
  /** By octave of positions. */
  positions: PositionsRow[];
  /** What is left, by location. */
  lens: LensRow[];
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/**
 * Looks into a writer's cleaners.
 * @throws for an unknown option or node, a cleaner that does not come after the writer, and a single prompt
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 16, length: 64 });
 * const result = await cleanersInDetail(model, prompts, { most: 2, rotations: 2 });
 * for (const { node, response } of result.cleaners) console.log(node, response.value);
 * ```
 */
export async function cleanersInDetail(
  model: Model,
  prompts: Prompts,
  options: CleanersOptions = {},
): Promise<CleanersResult> {
  checkArguments("cleanersInDetail", { model, prompts });
  checkOptions("cleanersInDetail", options, OPTIONS);
  const { writer: asked, cleaners: given, most = 8, rotations = 3, seed = 1, ...runOptions } = options;
  checkNumber("cleanersInDetail", "most", most, { least: 1 });
  checkNumber("cleanersInDetail", "rotations", rotations, { least: 2 });
  checkNumber("cleanersInDetail", "seed", seed, SEEDS);
  const writer = asked ?? model.cleanup.writer;
  findNode(model.config, writer);
  const cleaners = given ?? cleanersKnown(model, writer);
  checkNames("cleanersInDetail", "cleaners", cleaners);
  const later = laterNodes(model.config, writer).map(({ name }) => name);
  for (const name of cleaners) {
    findNode(model.config, name);
    if (!later.includes(name)) throw new Error(`cleanersInDetail: ${name} does not come after ${writer}`);
  }
  if (prompts.count < 2) {
    throw new Error(
      `cleanersInDetail: got ${prompts.count} prompt; expected at least 2, since intervals are over prompts`,
    );
  }
  const clean = model.forward(), w = atPositions(clean.node(writer));
  const { directions, cosines, gates } = await weightsOf(model, cleaners);
  const G = outputSize(model.config) > 0 ? await logitMetric(clean) : undefined;
  const plan = { writer, cleaners, directions, ...(G && { G }) };
  const deltas = [w, ...rotationsFrom(model.config, seed, rotations).map((Q) => rotated(w, Q))];
  const part = inParts<RunOptions>(runOptions, deltas.length + 1);
  const measured: Measured[] = [];
  for (const [i, delta] of deltas.entries()) {
    measured.push(await measure(model, prompts, clean, delta, plan, part(i)));
  }
  const summary = new CleanersSummary(measured[0], measured.slice(1), seed);
  const wholes = cleaners.map((node) => summary.whole(model.config, writer, node, cosines.get(node)!));
  const partRows = wholes.flatMap(({ node, kind, specific: { value, interval: [low] } }) => {
    const each = summary.specific(node);
    const order = [...each.keys()].sort((a, b) => each[b] - each[a]).slice(0, most);
    return order.map((k) => ({
      node,
      kind,
      k,
      share: low > 0 ? { share: each[k] / value } : {},
      beside: summary.parts(node, [k]),
    }));
  });
  return {
    cleaners: wholes,
    neurons: partRows.filter(({ kind }) => kind === "mlp").map(({ node, k, share, beside }): NeuronRow => ({
      writer,
      node,
      neuron: k,
      cosine: cosines.get(node)![k],
      ...gates.get(node)?.[k],
      ...beside,
      ...share,
    })),
    directions: partRows.filter(({ kind }) => kind === "head").map((
      { node, k, share, beside },
    ): DirectionRow => ({
      writer,
      node,
      direction: k,
      sigma: directions.get(node)!.values[k],
      cosine: cosines.get(node)![k],
      ...beside,
      ...share,
    })),
    suppression: G
      ? await suppression(model, prompts, writer, cleaners, G, { ...part(deltas.length), seed })
      : [],
    positions: cleaners.flatMap((node) => summary.positions(writer, node, prompts.length)),
    lens: summary.lens(model.config, writer),
    assumptions: {
      ...basis(model, prompts),
      positions: "1 and later",
      writer,
      control: `the writer's own output, rotated ${rotations} times, seed ${seed}`,
      intervals: "95 %, bootstrap over prompts and over the control's draws, by Student's t for so few",
    },
  };
}

function cleanersKnown(model: Model, writer: string): readonly string[] {
  const { cleanup } = model;
  if (cleanup.writer === writer) return cleanup.cleaners;
  throw new Error(
    `cleanersInDetail: cleanup.json of ${model.name} is of ${cleanup.writer}, not of ${writer}; give cleaners, such as ` +
      `those that retention(model, prompts, { writer: "${writer}" }) finds`,
  );
}

/** What weights alone say: singular directions of heads, cosines of neurons. */
async function weightsOf(model: Model, cleaners: readonly string[]) {
  const forward = model.forward(), { d_head } = model.config;
  const directions = new Map<string, SingularDirections>(), cosines = new Map<string, number[]>();
  const gates = new Map<string, { gateOut: number; gateIn: number }[]>();
  for (const name of cleaners) {
    const node = findNode(model.config, name);
    if (node.kind === "head") {
      const { outer, inner, cross } = await run(weightProducts(forward, node.layer, node.head), {});
      const found = singularDirections(outer.data, inner.data, cross.data, d_head);
      directions.set(name, found);
      cosines.set(name, found.cosines);
    } else {
      const { inOut, gateOut, gateIn } = await run(neuronCosines(forward, node.layer), {});
      cosines.set(name, [...inOut.data]);
      if (gateOut && gateIn) {
        gates.set(name, [...gateOut.data].map((x, i) => ({ gateOut: x, gateIn: gateIn.data[i] })));
      }
    }
  }
  return { directions, cosines, gates };
}
