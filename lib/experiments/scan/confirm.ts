/**
 * The second pass of a scan, on prompts that the first did not see: for each candidate writer, who erases it, and would the same be
 * found by chance? Every later node is projected onto the writer's output and onto the nulls (nulls.ts).
 *
 * Tested for significance are the nodes that erased something on the first half: that choice does not depend on the second half, and
 * it keeps the number of tests, for which p-values are adjusted, small. Effects are those of the second half alone.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { headDots } from "../../metrics/projection.ts";
import { RatioStats } from "../../stats/ratio_stats.ts";
import { benjaminiHochberg, bootstrapDraws, pBelowZero } from "../../stats/significance.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import type { Band } from "../rows.ts";
import { type Null, nullVectors } from "./nulls.ts";
import type { Screen } from "./screen.ts";

/** Prompts are dealt into at most this many blocks, which the bootstrap draws; memory stays bounded however many prompts there are. */
export const BLOCKS = 64;
/** Bootstrap draws; more when there are so many tests that 1/draws would not survive the adjustment. */
const DRAWS = 2000;
/** A token's PR "drops" when it falls by more than this between the candidate's highest and lowest location. */
export const TOKEN_DROP = 0.3;

/** How one node writes along a writer's output. Ratios are Σ a·b / Σ ‖b‖². */
export interface NodeEvidence extends Band {
  node: string;
  layer: number;
  kind: "head" | "mlp";
  /** P(PR < 0). */
  below: number;
  ratio: number;
  /** The ratio on the first half of the prompts. */
  firstRatio: number;
  /** The ratio to each null in the writer's place. */
  nulls: Record<Null, number>;
  /**
   * Bootstrap p-value of "the ratio is not below 0 and below the random null", and adjusted over all tests of the scan.
   * Absent: not tested, since on the first half the node erased too little.
   */
  p?: number;
  q?: number;
}

export interface Evidence {
  writer: string;
  /** Share of tokens whose PR drops by more than TOKEN_DROP. */
  dropShare: number;
  /** PR of the residual stream onto the writer. */
  locations: ({ location: string } & Band)[];
  /** Nodes that could read the writer. */
  nodes: NodeEvidence[];
}

export interface ConfirmOptions extends RunOptions {
  seed: number;
  /** Lower and upper quantile of the bands. */
  quantiles: readonly [number, number];
  /** Nodes are tested when -ratio on the first half is at least this. */
  least: number;
  /** The level that adjusted p-values will be held against. */
  level: number;
}

interface Plan {
  name: string;
  index: number;
  outputs: Record<string, Tensor>;
  nodes: { node: string; index: number; layer: number; kind: "head" | "mlp"; key: string; column: number }[];
  vectors: ("own" | Null)[];
  /** Series: `vectors.length` for each node, the writer's own first. */
  stats: RatioStats;
  locations: string[];
  atLocations: RatioStats;
  /** Where the drop of single tokens is read. */
  ends: [number, number];
  drops: number;
  tokens: number;
}

interface Writer {
  name: string;
  highest: string;
  lowest: string;
}

function plan(
  screen: Screen,
  clean: Forward,
  other: Forward,
  { name, highest, lowest }: Writer,
  length: number,
  blocks: number,
): Plan {
  const writer = clean.node(name);
  const vectors = { own: writer, ...nullVectors(writer, other.node(name), length) };
  const index = screen.components.findIndex((c) => c.name === name);
  const outputs: Record<string, Tensor> = {};
  const nodes: Plan["nodes"] = [];
  for (const [c, { kind, name: node, layer }] of screen.components.entries()) {
    if ((kind !== "head" && kind !== "mlp") || !screen.canRead(c, index)) continue;
    const key = kind === "head" ? `heads${layer}` : node;
    const column = kind === "head" ? Number(node.slice(node.indexOf("H") + 1)) : 0;
    nodes.push({ node, index: c, layer, kind, key, column });
    for (const [which, vector] of Object.entries(vectors)) {
      outputs[`${name}/${which}/${key}`] ??= kind === "head"
        ? headDots(clean, layer, vector)
        : clean.node(node).dot(vector, "d_model");
    }
  }
  for (const [which, vector] of Object.entries(vectors)) {
    outputs[`${name}/${which}/norm`] = vector.sumSquares("d_model");
  }
  const residuals = clean.residualStream();
  for (const { location, value } of residuals) {
    outputs[`${name}/at/${location}`] = value.dot(writer, "d_model");
  }
  const locations = residuals.map((r) => r.location);
  const names = Object.keys(vectors) as Plan["vectors"];
  return {
    name,
    index,
    outputs,
    nodes,
    vectors: names,
    stats: new RatioStats(nodes.length * names.length, blocks),
    locations,
    atLocations: new RatioStats(locations.length, 1),
    ends: [locations.indexOf(highest), locations.indexOf(lowest)],
    drops: 0,
    tokens: 0,
  };
}

/** Folds one batch. */
function fold(plan: Plan, results: Record<string, NdArray>, start: number): void {
  const { stats, atLocations, vectors, ends } = plan;
  const get = (key: string) => results[`${plan.name}/${key}`];
  const [batch, length] = get("own/norm").shape;
  vectors.forEach((which, k) => {
    const norm = get(`${which}/norm`).data;
    plan.nodes.forEach(({ key, column }, i) => {
      const { data, shape } = get(`${which}/${key}`);
      const step = shape[2] ?? 1;
      for (let t = 0; t < norm.length; t++) {
        const block = (start + Math.floor(t / length)) % stats.blocks;
        stats.add(i * vectors.length + k, data[t * step + column], norm[t], block);
      }
    });
  });
  const norm = get("own/norm").data;
  const at = plan.locations.map((location) => get(`at/${location}`).data);
  at.forEach((dots, i) => dots.forEach((dot: number, t: number) => atLocations.add(i, dot, norm[t], 0)));
  for (let t = 0; t < batch * length; t++) {
    if (!(norm[t] > 0)) continue;
    plan.tokens++;
    if ((at[ends[0]][t] - at[ends[1]][t]) / norm[t] > TOKEN_DROP) plan.drops++;
  }
}

/** Evidence on every later node for each candidate, p-values adjusted over all of them together. */
export async function confirm(
  model: Model,
  screen: Screen,
  writers: readonly Writer[],
  prompts: Prompts,
  options: ConfirmOptions,
): Promise<Evidence[]> {
  if (writers.length === 0) return [];
  const clean = model.forward();
  const other = model.forward({ tokens: model.tokens("other") });
  const blocks = Math.min(BLOCKS, prompts.count);
  const plans = writers.map((w) => plan(screen, clean, other, w, prompts.length, blocks));
  const outputs = Object.assign({}, ...plans.map((p) => p.outputs));
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  for await (const { start, results } of stream(outputs, feeds, options)) {
    for (const p of plans) fold(p, results, start);
  }
  const evidence = plans.map((p) => describe(p, screen, options.quantiles));
  test(plans, evidence, options, blocks);
  return evidence;
}

function describe(p: Plan, screen: Screen, quantiles: ConfirmOptions["quantiles"]): Evidence {
  const band = (stats: RatioStats, series: number): Band => {
    const [median, low, high] = [0.5, ...quantiles].map((q) => stats.quantile(series, q));
    return { median, low, high, n: stats.total(series) };
  };
  return {
    writer: p.name,
    dropShare: p.drops / Math.max(1, p.tokens),
    locations: p.locations.map((location, i) => ({ location, ...band(p.atLocations, i) })),
    nodes: p.nodes.map(({ node, index, layer, kind }, i) => {
      const own = i * p.vectors.length;
      const nulls = p.vectors.slice(1).map((which, k) => [which, p.stats.ratio(own + 1 + k)]);
      return {
        node,
        layer,
        kind,
        ...band(p.stats, own),
        below: p.stats.shareBelow(own),
        ratio: p.stats.ratio(own),
        firstRatio: screen.ratio(p.index, index),
        nulls: Object.fromEntries(nulls) as Record<Null, number>,
      };
    }),
  };
}

/** Adds p and q to the nodes that are tested. */
function test(plans: Plan[], evidence: Evidence[], options: ConfirmOptions, blocks: number): void {
  const tests = plans.flatMap((p, w) =>
    evidence[w].nodes.map((node, i) => ({ p, node, own: i * p.vectors.length }))
  ).filter(({ node }) => -node.firstRatio >= options.least);
  const draws = bootstrapDraws(
    blocks,
    Math.max(DRAWS, Math.ceil(2 * tests.length / options.level)),
    options.seed,
  );
  for (const { p: { stats, vectors }, node, own } of tests) {
    const random = own + vectors.indexOf("random");
    node.p = pBelowZero((draw) => {
      const ratio = stats.ratio(own, draw);
      return Math.max(ratio, ratio - stats.ratio(random, draw));
    }, draws);
  }
  benjaminiHochberg(tests.map(({ node }) => node.p!)).forEach((q, i) => tests[i].node.q = q);
}
