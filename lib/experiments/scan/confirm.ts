/**
 * The second pass of a scan, on prompts that the first did not see: for each candidate writer, who erases it, and would the same be
 * found by chance? Every later node is projected onto the writer's output and onto three nulls:
 *
 * - other prompt: the writer's output at the same position of another prompt. Where this gives as much, what is erased is the same
 *   in all prompts: information on the position, say.
 * - other position: its output at another position of the same prompt.
 * - random: its output at another position of another prompt, a vector with the writer's own mean and covariance. A cleaner
 *   must be below this one: erasing a mean direction that everything shares is no clean-up of this writer.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { headDots } from "../../metrics/projection.ts";
import { RatioStats } from "../../stats/ratio_stats.ts";
import { benjaminiHochberg, bootstrapDraws, pBelowZero } from "../../stats/significance.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import { iota, param, type Tensor, where } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import { BLOCKS, type Screen } from "./screen.ts";

export const NULLS = ["otherPrompt", "otherPosition", "random"] as const;
export type Null = typeof NULLS[number];

/** How one node writes along a writer's output. Ratios are Σ a·b / Σ ‖b‖². */
export interface NodeEvidence {
  node: string;
  layer: number;
  kind: "head" | "mlp";
  median: number;
  low: number;
  high: number;
  /** P(PR < 0). */
  below: number;
  ratio: number;
  nulls: Record<Null, number>;
  /** Bootstrap p-value of "ratio is not below 0 and below the random null", then adjusted over all pairs of the scan. */
  p: number;
  q: number;
}

export interface Evidence {
  writer: string;
  /** Share of tokens whose PR drops by more than 0.3 between the candidate's highest and lowest location. */
  dropShare: number;
  nodes: NodeEvidence[];
}

const TIMES = 2000;

/** `vector` [batch, pos, d_model] with the positions turned by half the length. */
export function turned(vector: Tensor, length: number): Tensor {
  const target = Float32Array.from({ length }, (_, i) => (i + (length >> 1)) % length);
  const table = param("turned positions", target, [{ name: "pos", size: length }]).prefix("pos", "pos");
  const hit = where(table.expand("key", "pos"), "Equal", iota("key", "pos").expand("pos", "pos"), 1, 0);
  return hit.dot(vector.rename({ pos: "key" }), "key").order("batch", "pos", "d_model");
}

interface Plan {
  name: string;
  outputs: Record<string, Tensor>;
  nodes: { node: string; layer: number; kind: "head" | "mlp"; key: string; column: number }[];
  stats: RatioStats;
  drops: number;
  tokens: number;
}

function plan(
  screen: Screen,
  clean: Forward,
  other: Forward,
  name: string,
  ends: [string, string],
  length: number,
  blocks: number,
): Plan {
  const writer = clean.node(name);
  const elsewhere = other.node(name);
  const vectors = {
    own: writer,
    otherPrompt: elsewhere,
    otherPosition: turned(writer, length),
    random: turned(elsewhere, length),
  };
  const { config } = clean;
  const index = screen.components.findIndex((c) => c.name === name);
  const outputs: Record<string, Tensor> = {};
  const nodes: Plan["nodes"] = [];
  for (let c = 0; c < screen.components.length; c++) {
    const { kind, name: node, layer } = screen.components[c];
    if ((kind !== "head" && kind !== "mlp") || !screen.canRead(c, index)) continue;
    const found = findNode(config, node);
    const key = found.kind === "head" ? `heads${layer}` : node;
    nodes.push({ node, layer, kind, key, column: found.kind === "head" ? found.head : 0 });
    for (const [which, vector] of Object.entries(vectors)) {
      outputs[`${name}/${which}/${key}`] ??= kind === "head"
        ? headDots(clean, layer, vector)
        : clean.node(node).dot(vector, "d_model");
    }
  }
  for (const [which, vector] of Object.entries(vectors)) {
    outputs[`${name}/${which}/norm`] = vector.sumSquares("d_model");
  }
  const stream = new Map(clean.residualStream().map((r) => [r.location, r.value]));
  outputs[`${name}/high`] = stream.get(ends[0])!.dot(writer, "d_model");
  outputs[`${name}/low`] = stream.get(ends[1])!.dot(writer, "d_model");
  return { name, outputs, nodes, stats: new RatioStats(nodes.length * 4, blocks), drops: 0, tokens: 0 };
}

/** Folds one batch. Series 4 i + k: node i onto the writer (k = 0) and onto the nulls. */
function fold(plan: Plan, results: Record<string, NdArray>, start: number, blocks: number): void {
  const get = (key: string) => results[`${plan.name}/${key}`];
  const [high, low] = [get("high").data, get("low").data];
  const [batch, length] = get("high").shape;
  ["own", ...NULLS].forEach((which, k) => {
    const norm = get(`${which}/norm`).data;
    plan.nodes.forEach(({ key, column }, i) => {
      const { data, shape } = get(`${which}/${key}`);
      const step = shape[2] ?? 1;
      for (let b = 0; b < batch; b++) {
        const block = (start + b) % blocks;
        for (let t = b * length; t < (b + 1) * length; t++) {
          if (norm[t] > 0) plan.stats.add(4 * i + k, data[t * step + column], norm[t], block);
        }
      }
    });
    if (k > 0) return;
    for (let t = 0; t < norm.length; t++) {
      if (!(norm[t] > 0)) continue;
      plan.tokens++;
      if ((high[t] - low[t]) / norm[t] > 0.3) plan.drops++;
    }
  });
}

/** Evidence on every later node for each candidate, p-values adjusted over all of them together. */
export async function confirm(
  model: Model,
  screen: Screen,
  candidates: readonly { name: string; highest: string; lowest: string }[],
  prompts: Prompts,
  options: RunOptions & { seed: number; quantiles: readonly [number, number] },
): Promise<Evidence[]> {
  if (candidates.length === 0) return [];
  const clean = model.forward();
  const other = model.forward({ tokens: model.tokens("other") });
  const blocks = Math.min(BLOCKS, prompts.count);
  const plans = candidates.map(({ name, highest, lowest }) =>
    plan(screen, clean, other, name, [highest, lowest], prompts.length, blocks)
  );
  const outputs = Object.assign({}, ...plans.map((p) => p.outputs));
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  for await (const { start, results } of stream(outputs, feeds, options)) {
    for (const p of plans) fold(p, results, start, blocks);
  }
  const draws = bootstrapDraws(blocks, TIMES, options.seed);
  const evidence = plans.map((p): Evidence => ({
    writer: p.name,
    dropShare: p.drops / Math.max(1, p.tokens),
    nodes: p.nodes.map(({ node, layer, kind }, i) => {
      const own = 4 * i, random = 4 * i + 1 + NULLS.indexOf("random");
      const worst = (draw: Int32Array) =>
        Math.max(p.stats.ratio(own, draw), p.stats.ratio(own, draw) - p.stats.ratio(random, draw));
      return {
        node,
        layer,
        kind,
        median: p.stats.quantile(own, 0.5),
        low: p.stats.quantile(own, options.quantiles[0]),
        high: p.stats.quantile(own, options.quantiles[1]),
        below: p.stats.shareBelow(own),
        ratio: p.stats.ratio(own),
        nulls: Object.fromEntries(NULLS.map((name, k) => [name, p.stats.ratio(own + 1 + k)])) as Record<
          Null,
          number
        >,
        p: pBelowZero(worst, draws),
        q: NaN,
      };
    }),
  }));
  const all = evidence.flatMap((e) => e.nodes);
  benjaminiHochberg(all.map((n) => n.p)).forEach((q, i) => all[i].q = q);
  return evidence;
}
